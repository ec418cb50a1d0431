"""Published controls against what a stack registers: pass, fail or not applicable, and the object that makes it so.

    python -m policies.controls prod        the table as Markdown, from the recorded program (no engine, no credentials)

Identifiers are those of AWS Foundational Security Best Practices (`EKS.1` …), of the CIS Amazon EKS Benchmark
(`CIS 2.1.1` …; numbered as in v1.6) and of NIST SP 800-53 rev. 5 families. A control that this program cannot meet or
judge says why. Checks look at inputs only, as the policy pack does.
"""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from policies import aws_rules, kubernetes_rules
from policies.rule import Resource, field, items

Status = Literal["pass", "fail", "not applicable"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a control: the status and the objects (or the reason) that make it so."""

    status: Status
    because: str


@dataclass(frozen=True, slots=True)
class Control:
    """A control: identifiers in the catalogues, what it asks in a sentence, and its check."""

    identifiers: tuple[str, ...]
    asks: str
    check: Callable[[Sequence[Resource]], Verdict]


def _of(resources: Sequence[Resource], *types: str) -> list[Resource]:
    return [r for r in resources if r.type in types]


def _every(*types: str, must: Callable[[Resource], bool]) -> Callable[[Sequence[Resource]], Verdict]:
    """Every resource of these types; there has to be one."""

    def check(resources: Sequence[Resource]) -> Verdict:
        found = _of(resources, *types)
        if not found:
            return Verdict("not applicable", f"no {types[0].rpartition(':')[2]} in this stack")
        bad = [r.name for r in found if not must(r)]
        return Verdict("fail", ", ".join(bad)) if bad else Verdict("pass", _named(found))

    return check


def _rules(*names: str) -> Callable[[Sequence[Resource]], Verdict]:
    """The policy pack's rules of these names, on every resource that they look at."""
    single = [r for r in (*aws_rules.RULES, *kubernetes_rules.RULES) if r.name in names]
    whole = [r for r in (*aws_rules.STACK_RULES, *kubernetes_rules.STACK_RULES) if r.name in names]
    if len(single) + len(whole) != len(names):
        raise ValueError(f"no such rules: {names}")

    def check(resources: Sequence[Resource]) -> Verdict:
        looked = [r for rule in single for r in resources if rule.applies(r.type)]
        broken = [
            f"{r.name}: {s}" for rule in single for r in resources if rule.applies(r.type) for s in rule.check(r.props)
        ]
        broken += [f"{name}: {sentence}" for rule in whole for name, sentence in rule.check(resources)]
        if broken:
            return Verdict("fail", "; ".join(broken[:3]))
        if single and not looked:
            return Verdict("not applicable", "nothing of the kind in this stack")
        return Verdict("pass", _named(looked) if looked else "every object in the stack")

    return check


def _both(*checks: Callable[[Sequence[Resource]], Verdict]) -> Callable[[Sequence[Resource]], Verdict]:
    def check(resources: Sequence[Resource]) -> Verdict:
        verdicts = [each(resources) for each in checks]
        worst = next((v for status in ("fail", "not applicable") for v in verdicts if v.status == status), None)
        return worst or Verdict("pass", "; ".join(v.because for v in verdicts))

    return check


def _not_here(reason: str) -> Callable[[Sequence[Resource]], Verdict]:
    return lambda _: Verdict("not applicable", reason)


def _named(found: Sequence[Resource]) -> str:
    names = list(dict.fromkeys(r.name for r in found))
    return ", ".join(names[:2]) + (f" and {len(names) - 2} more" if len(names) > 2 else "")


def _flow_logs(resources: Sequence[Resource]) -> Verdict:
    vpcs, logs = _of(resources, "aws:ec2/vpc:Vpc"), _of(resources, "aws:ec2/flowLog:FlowLog")
    if not vpcs:
        return Verdict("not applicable", "the cluster's network is somebody else's")
    whole = [r for r in logs if field(r.props, "trafficType") == "ALL"]
    return Verdict("pass", _named(whole)) if whole else Verdict("fail", f"{_named(vpcs)}: flow logs are off")


def _private_nodes(resources: Sequence[Resource]) -> Verdict:
    """No subnet gives public addresses, so no node has one."""
    return _every("aws:ec2/subnet:Subnet", must=lambda r: field(r.props, "mapPublicIpOnLaunch") is not True)(resources)


def _statements(resource: Resource) -> Iterator[object]:
    text = field(resource.props, "policy")
    yield from items(json.loads(text), "Statement") if isinstance(text, str) and text.startswith("{") else ()


def _least_privilege(resource: Resource) -> bool:
    return all(field(s, "Action") not in ("*", ["*"]) for s in _statements(resource))


CLUSTER, POLICY = "aws:eks/cluster:Cluster", ("aws:iam/rolePolicy:RolePolicy", "aws:iam/policy:Policy")
BALANCER, LISTENER = "aws:lb/loadBalancer:LoadBalancer", "aws:lb/listener:Listener"
BUCKET_BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"

CONTROLS: tuple[Control, ...] = (
    Control(
        ("EKS.1", "CIS 5.4.1", "SC-7"), "The Kubernetes API is not open to the internet.", _rules("eks-public-endpoint")
    ),
    Control(
        ("EKS.3", "CIS 5.3.1", "SC-28"),
        "Kubernetes Secrets are encrypted with a KMS key.",
        _rules("eks-secrets-encrypted"),
    ),
    Control(("EKS.8", "CIS 2.1.1", "AU-2", "AU-12"), "Control-plane logs are on.", _rules("eks-control-plane-logs")),
    Control(("CIS 4.1.1", "AC-6"), "Cluster access is by named access entries.", _rules("eks-access-entries")),
    Control(
        ("EKS.2", "SI-2"),
        "The cluster runs a supported version.",
        _every(CLUSTER, must=lambda r: field(r.props, "upgradePolicy", "supportType") == "STANDARD"),
    ),
    Control(("CIS 5.4.3", "SC-7"), "Nodes are private.", _private_nodes),
    Control(("EC2.8", "CIS 5.6.1", "AC-6"), "The metadata service asks for a token, one hop away.", _rules("imds")),
    Control(("EC2.3", "SC-28"), "Node volumes are encrypted.", _rules("node-volumes")),
    Control(
        ("EC2.2", "SC-7"),
        "The default security group admits nothing.",
        _every(
            "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup",
            must=lambda r: not field(r.props, "ingress") and not field(r.props, "egress"),
        ),
    ),
    Control(
        ("EC2.18", "EC2.19", "AC-4", "SC-7"),
        "The internet reaches port 443 at most.",
        _rules("open-group", "inline-rules"),
    ),
    Control(("EC2.6", "AU-2", "SI-4"), "The network's flows are logged, all of them.", _flow_logs),
    Control(("ELB.1", "ELB.3", "CIS 5.4.5", "SC-8"), "Load balancers speak TLS 1.2 or later.", _rules("listener-tls")),
    Control(
        ("ELB.4", "ELB.12", "SI-10"), "Malformed headers are dropped, desync attacks refused.", _rules("load-balancer")
    ),
    Control(
        ("ELB.5", "AU-2"),
        "Web load balancers log their requests.",
        _every(
            BALANCER,
            must=lambda r: (
                field(r.props, "loadBalancerType") == "network" or field(r.props, "accessLogs", "enabled") is True
            ),
        ),
    ),
    Control(
        ("ELB.6", "CP-10"),
        "Load balancers cannot be deleted by accident.",
        _every(BALANCER, must=lambda r: field(r.props, "enableDeletionProtection") is True),
    ),
    Control(("ELB.16", "SC-7(3)"), "A firewall stands before every web load balancer.", _rules("firewall-planes")),
    Control(
        ("WAF.11", "AU-2"),
        "The firewall logs, without credentials.",
        _every(
            "aws:wafv2/webAclLoggingConfiguration:WebAclLoggingConfiguration",
            must=lambda r: bool(field(r.props, "redactedFields")),
        ),
    ),
    Control(("KMS.4", "SC-12"), "Keys rotate.", _rules("key-rotation")),
    Control(
        ("S3.1", "S3.8", "AC-3"),
        "Buckets are private.",
        _every(
            BUCKET_BLOCK,
            must=lambda r: all(
                field(r.props, key) is True
                for key in ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
            ),
        ),
    ),
    Control(
        ("CloudWatch.16", "AU-11"),
        "Logs are kept for a named time.",
        _every("aws:cloudwatch/logGroup:LogGroup", must=lambda r: bool(field(r.props, "retentionInDays"))),
    ),
    Control(("IAM.1", "IAM.21", "AC-6"), "No role may do everything.", _every(*POLICY, must=_least_privilege)),
    Control(
        ("CIS 4.3.2", "AC-4", "SC-7(5)"), "Every namespace denies by default, both ways.", _rules("closed-namespaces")
    ),
    Control(("CIS 5.4.4", "AC-4"), "No network rule names nobody.", _rules("network-policy")),
    Control(("CIS 4.2.1", "CM-7"), "Every namespace enforces a Pod Security level.", _rules("pod-security")),
    Control(
        ("CIS 4.4.1", "SC-12", "IA-5"),
        "No Secret's content passes through the program.",
        _rules("plaintext-secret", "private-key"),
    ),
    Control(("SC-8", "SC-23", "IA-3"), "Workloads speak mutual TLS; exceptions are dated.", _rules("mutual-tls")),
    Control(
        ("IA-3", "SC-8", "SC-17"),
        "Partners show certificates with named subjects, hosts are exact.",
        _rules("gateway-servers"),
    ),
    Control(("SC-8", "SC-17"), "Outside servers are verified by name.", _rules("destination-tls", "service-entry")),
    Control(("AC-3", "AC-4"), "No authorisation rule matches everything.", _rules("authorization")),
    Control(
        ("SC-7(4)", "SC-7(8)"), "Client addresses survive, so allow-lists judge partners.", _rules("client-addresses")
    ),
    Control(
        ("CIS 5.1.1", "SI-3"),
        "Images are scanned.",
        _not_here("images are built and scanned where applications are built"),
    ),
    Control(
        ("CIS 3.1.1", "CM-6"), "Kubelet files have safe modes.", _not_here("nodes are AWS's AMIs; the files are theirs")
    ),
    Control(
        ("GuardDuty.1", "SI-4"),
        "Threat detection is on.",
        _not_here("an account-wide service, not one stack's to switch"),
    ),
)


def verdicts(resources: Sequence[Resource]) -> tuple[tuple[Control, Verdict], ...]:
    """Every control with what became of it."""
    return tuple((control, control.check(resources)) for control in CONTROLS)


def markdown(stack: str, found: Sequence[tuple[Control, Verdict]]) -> str:
    """The table for people."""
    counts = {s: sum(v.status == s for _, v in found) for s in ("pass", "fail", "not applicable")}
    lines = [
        f"# Controls: {stack}",
        "",
        f"Made by `python -m policies.controls {stack}` from the recorded program. "
        + ", ".join(f"{count} {status}" for status, count in counts.items())
        + ".",
        "",
        "| control | asks | verdict | because of |",
        "|---|---|---|---|",
    ]
    for control, verdict in found:
        because = verdict.because.replace("|", "\\|")
        lines.append(f"| {', '.join(control.identifiers)} | {control.asks} | {verdict.status} | {because} |")
    return "\n".join(lines) + "\n"


def recorded(stack: str, directory: Path) -> list[Resource]:
    """What the program registers for a stack, as the policy pack would see it."""
    from components.program import deploy  # noqa: PLC0415 - Pulumi is loaded only to make the table
    from components.recording import record  # noqa: PLC0415
    from partner_mesh.config.loader import load_stack  # noqa: PLC0415

    config = load_stack(stack, directory)
    return [Resource(r.type, r.name, r.inputs) for r in record(lambda: deploy(config), stack=stack)]


def main() -> int:
    """Print the table; 1 where a control fails."""
    stack = sys.argv[1] if len(sys.argv) > 1 else "prod"
    found = verdicts(recorded(stack, Path()))
    sys.stdout.write(markdown(stack, found))
    return int(any(verdict.status == "fail" for _, verdict in found))


if __name__ == "__main__":
    sys.exit(main())
