"""What a plan says, as data: registrations, layers, partners, money, warnings. One shape for people and programs."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import yaml

from components.recording import STACK_TYPE, Registration
from partner_mesh.config.reading import PROJECT
from partner_mesh.config.stack import Stack
from partner_mesh.model.record import dataclass
from partner_mesh.specs.aws.warnings import warnings
from partner_mesh.specs.cost import Line, monthly
from partner_mesh.specs.identities import identities

PARTNER: Final = "partner-mesh:partner:Partner"

# How a type token begins → the layer that it belongs to; the first that fits. Order as packets pass.
_LAYERS: Final[tuple[tuple[str, str], ...]] = (
    ("pulumi:", "program"),
    ("partner-mesh:", "program"),
    ("aws:vpc/securityGroup", "security groups"),
    ("aws:ec2/securityGroup", "security groups"),
    ("aws:ec2/defaultSecurityGroup", "security groups"),
    ("kubernetes:vpcresources.k8s.aws", "security groups"),
    ("aws:wafv2", "web firewall"),
    ("aws:eks", "cluster"),
    ("aws:ec2/launchTemplate", "cluster"),
    ("aws:iam", "identity at AWS"),
    ("aws:kms", "keys and logs"),
    ("aws:cloudwatch", "keys and logs"),
    ("aws:lb", "load balancers"),
    ("aws:acm", "load balancers"),
    ("aws:route53", "load balancers"),
    ("aws:shield", "load balancers"),
    ("kubernetes:elbv2", "load balancers"),
    ("aws:", "network"),
    ("kubernetes:helm.sh", "charts"),
    ("kubernetes:networking.k8s.io", "network policy"),
    ("kubernetes:projectcalico.org", "network policy"),
    ("kubernetes:networking.istio.io", "mesh traffic"),
    ("kubernetes:security.istio.io", "mesh security"),
    ("kubernetes:telemetry.istio.io", "observability"),
    ("kubernetes:monitoring.coreos.com", "observability"),
    ("kubernetes:external-secrets.io", "secrets"),
    ("kubernetes:admissionregistration", "admission"),
    ("kubernetes:", "workload objects"),
)


@dataclass(frozen=True, slots=True)
class PartnerPlan:
    """One partner: what a person wrote, and what becomes of it."""

    name: str
    lines: int | None  # of configuration, without blanks and comments; None where the file was not found
    objects: int


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole plan. `costs` is empty where nothing of AWS is made, or no price is known (then a warning says so)."""

    stack: str
    platform: str
    environment: str
    registrations: tuple[Registration, ...]
    layers: Mapping[str, int]
    partners: tuple[PartnerPlan, ...]
    costs: tuple[Line, ...]
    protected: tuple[str, ...]
    warnings: tuple[str, ...]
    identities: Mapping[str, str]  # namespace/workload → SPIFFE id


def plan_of(stack: Stack, registrations: Sequence[Registration], directory: Path) -> Plan:
    """Everything a plan says. `directory` is where the stack's file lies."""
    costs, problem = _costs(stack)
    lines = dict(configuration_lines(stack.name, directory))
    below = _objects_below(registrations)
    return Plan(
        stack=stack.name,
        platform=stack.platform.name,
        environment=stack.platform.environment,
        registrations=tuple(registrations),
        layers=_layers(registrations),
        partners=tuple(
            PartnerPlan(each.name, lines.get(each.name), below.get(each.name, 0)) for each in stack.partners
        ),
        costs=costs,
        protected=tuple(f"{kind(each)} {each.name}" for each in registrations if each.protect and each.custom),
        warnings=(*problem, *warnings(stack)),
        identities=identities(stack),
    )


def kind(registration: Registration) -> str:
    """A type's last part: `Vpc` of `aws:ec2/vpc:Vpc`."""
    return registration.type.rpartition(":")[2]


def layer(token: str) -> str:
    """The layer of a type token."""
    return next((name for beginning, name in _LAYERS if token.startswith(beginning)), "other")


def _layers(registrations: Sequence[Registration]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for registration in registrations:
        if registration.type != STACK_TYPE:
            name = layer(registration.type)
            counts[name] = counts.get(name, 0) + 1
    order = list(dict.fromkeys(name for _, name in _LAYERS))
    return {name: counts[name] for name in sorted(counts, key=lambda each: order.index(each) if each in order else 99)}


def _objects_below(registrations: Sequence[Registration]) -> dict[str, int]:
    """Objects of each partner's component."""
    names = {each.urn: each.name for each in registrations if each.type == PARTNER}
    counts = dict.fromkeys(names.values(), 0)
    for registration in registrations:
        if registration.parent_urn in names:
            counts[names[registration.parent_urn]] += 1
    return counts


def _costs(stack: Stack) -> tuple[tuple[Line, ...], tuple[str, ...]]:
    if stack.platform.shared is not None:  # the platform's bill
        return (), ()
    try:
        return monthly(stack), ()
    except ValueError as error:
        return (), (f"no estimate of costs: {error}",)


def configuration_lines(stack: str, directory: Path) -> Iterator[tuple[str, int]]:
    """(partner, lines of its configuration): of its file, or of its section where partners stand inline."""
    path = directory / f"Pulumi.{stack}.yaml"
    text = path.read_text(encoding="utf-8")
    section = _child(_child(yaml.compose(text, yaml.CSafeLoader), "config"), f"{PROJECT}:partners")
    if isinstance(section, yaml.ScalarNode):
        for file in sorted((directory / section.value).glob("*.y*ml")):
            yield from _of_file(file.read_text(encoding="utf-8"))
    elif isinstance(section, yaml.MappingNode):
        for key, value in section.value:
            yield key.value, _written(_span(text, key.start_mark, value.end_mark))
    elif isinstance(section, yaml.SequenceNode):
        for entry in section.value:
            name = _child(entry, "name")
            if isinstance(name, yaml.ScalarNode):
                yield name.value, _written(_span(text, entry.start_mark, entry.end_mark))


def _of_file(text: str) -> Iterator[tuple[str, int]]:
    name = re.search(r"^name:\s*[\"']?([a-z0-9-]+)", text, re.MULTILINE)
    if name is not None:
        yield name.group(1), _written(text.splitlines())


def _span(text: str, start: yaml.Mark, end: yaml.Mark) -> list[str]:
    """The lines between two marks; a block ends at the beginning of the next line, a flow within its last."""
    return text.splitlines()[start.line : end.line + (1 if end.column else 0)]


def _child(node: yaml.Node | None, key: str) -> yaml.Node | None:
    if not isinstance(node, yaml.MappingNode):
        return None
    return next((value for name, value in node.value if name.value == key), None)


def _written(lines: Sequence[str]) -> int:
    """Lines that say something; at least one, for a section that ends on the line it begins on."""
    return max(1, sum(1 for line in lines if line.strip() and not line.lstrip().startswith("#")))


def document(plan: Plan) -> dict[str, Any]:
    """The plan as JSON: the shape of `plan.json` and of `--format json`."""
    return {
        "stack": plan.stack,
        "platform": plan.platform,
        "environment": plan.environment,
        "resources": len(plan.registrations),
        "layers": dict(plan.layers),
        "partners": [
            {"name": each.name, "configurationLines": each.lines, "objects": each.objects} for each in plan.partners
        ],
        "monthlyUsd": {
            "least": round(sum(line.least for line in plan.costs), 2),
            "most": round(sum(line.most for line in plan.costs), 2),
        }
        if plan.costs
        else None,
        "protected": list(plan.protected),
        "warnings": list(plan.warnings),
        "identities": dict(plan.identities),
        "registrations": [_registration(each) for each in plan.registrations],
    }


def _registration(one: Registration) -> dict[str, Any]:
    found: dict[str, Any] = {
        "type": one.type,
        "name": one.name,
        "urn": one.urn,
        "parent": one.parent_urn,
        "inputs": one.inputs,
        "dependencies": list(one.dependencies),
    }
    options = {
        "protect": one.protect,
        "retainOnDelete": one.retain_on_delete,
        "ignoreChanges": list(one.ignore_changes),
        "provider": one.provider,
    }
    return found | {key: value for key, value in options.items() if value}
