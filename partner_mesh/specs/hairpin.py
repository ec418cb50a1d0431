"""The loopback test of a partner: a call that leaves as an application's would and comes back in as the partner's.

Out by the egress gateway, with a client certificate of the partner's kind; in by the partner gateway's own TLS port,
reached as a Service, because a load balancer that keeps client addresses does not lead its own targets back to
themselves. Everything is made by the compiler that makes the real thing, under the name `<partner>-hairpin`, and stands
beside it: applying these objects changes none, deleting them leaves none.
"""

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from partner_mesh.config.partner import Inbound, Outbound, Partner
from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.names import gateway_namespace, service_host
from partner_mesh.model.path import PathTemplate
from partner_mesh.specs.network_policy import pods, policy, rule
from partner_mesh.specs.partner import partner_objects
from partner_mesh.specs.shards import shards
from partner_mesh.specs.stack import GATEWAY_TARGET_PORT, owned, placement

SUFFIX: Final = "hairpin"
LABEL: Final = "partner-mesh.dev/hairpin"
CAPTURED_PORT: Final = 80
SERVER_PORT: Final = 443


@dataclass(frozen=True, slots=True)
class Loop:
    """One inbound host of a partner, called by one of our own applications."""

    partner: str
    application: str  # whose identity calls
    inbound: Inbound
    gateway: str  # by which it comes in
    egress: str  # by which it leaves
    credential: str  # the Secret in the egress gateway's namespace: a client certificate as the partner's
    objects: tuple[Manifest, ...]

    @property
    def namespace(self) -> str:
        """Of the egress gateway."""
        return gateway_namespace(self.egress)


def loops(stack: Stack, partner: Partner, ranges: Sequence[str]) -> Iterator[Loop]:
    """One for each HTTP host that the partner calls. `ranges`: where the egress gateway's pods have their addresses."""
    formed = shards(stack)
    for inbound in partner.inbound:
        if inbound.protocol == "tcp":
            continue
        application = _caller(stack, partner)
        outbound = _outbound(partner, inbound, application)
        there = Partner.model_validate(
            {"name": f"{partner.name}-{SUFFIX}", "owner": partner.owner, "outbound": [outbound]}
        )
        entry = there.outbound[0]
        egress, gateway = stack.outbound_gateway(entry), formed.serving(stack, partner, inbound).name
        out = [
            _around(manifest, inbound.host, service_host(gateway, gateway_namespace(gateway)))
            for manifest in partner_objects(stack, there, formed)
        ]
        credential = next(
            str(m.body["spec"]["trafficPolicy"]["portLevelSettings"][0]["tls"]["credentialName"])
            for m in out
            if m.kind == "DestinationRule" and m.body["spec"]["host"] == inbound.host
        )
        back = list(_admitted(stack, partner, inbound, ranges))
        hop = list(_hop(stack, partner, there, egress, gateway, application))
        yield Loop(
            partner.name, application, inbound, gateway, egress, credential,
            tuple(m for m in [*out, *back, *hop] if m.kind != "ExternalSecret"),
        )  # fmt: skip


def job(loop: Loop, stack: Stack, image: str) -> Manifest:
    """A Job that makes the calls with the application's identity, and calls around the gateway, which must fail."""
    name = f"{loop.partner}-{SUFFIX}-{loop.inbound.label}"
    labels = {**owned(partner=f"{loop.partner}-{SUFFIX}"), LABEL: loop.partner, "sidecar.istio.io/inject": "true"}
    restricted = {
        "allowPrivilegeEscalation": False, "runAsNonRoot": True, "runAsUser": 65534, "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]}, "seccompProfile": {"type": "RuntimeDefault"},
    }  # fmt: skip
    container = {
        "name": "caller", "image": image, "command": ["sh", "-ec", script(loop)], "securityContext": restricted,
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
    }  # fmt: skip
    template = {
        "metadata": {"labels": labels},
        "spec": {
            "serviceAccountName": loop.application,
            "restartPolicy": "Never",
            **placement(stack, stack.applications[loop.application].node_group),  # admission asks it of every Pod
            "containers": [container],
        },
    }
    spec = {"backoffLimit": 0, "ttlSecondsAfterFinished": 3600, "template": template}
    return Manifest(
        "batch/v1", "Job", name, stack.applications[loop.application].namespace, labels, body={"spec": spec}
    )


def script(loop: Loop) -> str:
    """What the Job runs: one line of output a call, and a status that says whether all went as they should."""
    lines = ["bad=0"]
    for route in loop.inbound.routes:
        path = _sample(route.path or "/")
        headers = [part for name, value in route.headers.items() for part in ("-H", f"{name}: {value}")]
        method = (route.methods or ("GET",))[0]
        call = shlex.join(["-X", method, *headers, f"http://{loop.inbound.host}{path}"])
        lines.append(
            _line("must not be refused (403, 404, 503)", call, "403|404|503|000) bad=1; echo '  FAILED' ;; *) ;;")
        )
    refused = f"-X DELETE http://{loop.inbound.host}/hairpin/refused"
    lines.append(_line("must be refused", refused, "403|404) ;; *) bad=1; echo '  FAILED' ;;"))
    around = f"-k https://{service_host(loop.gateway, gateway_namespace(loop.gateway))}/"
    lines.append(_line("around the egress gateway, must fail", around, "000) ;; *) bad=1; echo '  FAILED' ;;"))
    return "\n".join([*lines, "exit $bad"])


def _line(note: str, call: str, judged: str) -> str:
    asked = f"s=$(curl -s -o /dev/null -m 10 -w '%{{http_code}}' {call} || true)"
    return f"echo '{note}:'; {asked}; echo \"  $s\"; case $s in {judged} esac"


def _caller(stack: Stack, partner: Partner) -> str:
    """An application that calls this partner; else one that it calls."""
    named = [name for outbound in partner.outbound for name in outbound.callers]
    return next(iter([*named, *(r.application for i in partner.inbound for r in i.routes), *stack.applications]))


def _outbound(partner: Partner, inbound: Inbound, application: str) -> dict[str, Any]:
    """The entry that the partner's file would have, were we the partner: every route's path and method."""
    methods = list(dict.fromkeys(method for route in inbound.routes for method in route.methods))
    paths = list(dict.fromkeys(route.path for route in inbound.routes if route.path is not None))
    return {
        "host": inbound.host, "name": inbound.label, "from": [application], "methods": methods,
        "paths": paths, "protocol": inbound.protocol,
        "tls": {"mode": "mutual", "certificate": f"{partner.name}-{SUFFIX}"},
    }  # fmt: skip


def _around(manifest: Manifest, host: str, service: str) -> Manifest:
    """The ServiceEntry leads to our gateway's Service, not to what public DNS says of the host."""
    if manifest.kind != "ServiceEntry" or host not in manifest.body["spec"]["hosts"]:
        return manifest
    spec = {**manifest.body["spec"], "endpoints": [{"address": service}]}
    return replace(manifest, body={**manifest.body, "spec": spec})


def _admitted(stack: Stack, partner: Partner, inbound: Inbound, ranges: Sequence[str]) -> Iterator[Manifest]:
    """The partner's own policies once more, for the address that the loop has: ALLOW policies add up."""
    if inbound.any_source:
        return
    moved = inbound.model_copy(update={"source_ranges": tuple(ranges)})
    entries = tuple(moved if each is inbound else each for each in partner.inbound)
    formed = shards(stack)
    own = {manifest.key: manifest for manifest in partner_objects(stack, partner, formed)}
    for manifest in partner_objects(stack, partner.model_copy(update={"inbound": entries}), formed):
        if manifest.kind == "AuthorizationPolicy" and own.get(manifest.key) != manifest:
            labels = owned(partner=f"{partner.name}-{SUFFIX}")
            yield replace(manifest, name=f"{manifest.name}.{SUFFIX}", labels=labels)


def _hop(  # noqa: PLR0917  # the two ends of three hops
    stack: Stack, partner: Partner, there: Partner, egress: str, gateway: str, application: str
) -> Iterator[Manifest]:
    """The packets between the two gateways, and of the Job, which is no pod of the application's own."""
    labels = owned(partner=there.name)
    leaving, entering = (
        pods(gateway_namespace(egress), {"istio": egress}),
        pods(gateway_namespace(gateway), {"istio": gateway}),
    )
    name, place = f"{there.name}.loop", stack.applications[application].namespace
    yield policy(
        name, gateway_namespace(egress), labels, leaving["podSelector"],
        egress=[rule("egress", [entering], [GATEWAY_TARGET_PORT])],
        ingress=[rule("ingress", [pods(place, {LABEL: partner.name})], [GATEWAY_TARGET_PORT])],
    )  # fmt: skip
    yield policy(
        name, gateway_namespace(gateway), labels, entering["podSelector"],
        ingress=[rule("ingress", [leaving], [GATEWAY_TARGET_PORT])],
    )  # fmt: skip
    yield policy(
        name, place, labels, {"matchLabels": {LABEL: partner.name}},
        egress=[rule("egress", [leaving], [GATEWAY_TARGET_PORT])],
    )  # fmt: skip


def _sample(template: str) -> str:
    parts = ["hairpin" if part in {"{*}", "{**}"} else part for part in PathTemplate(template).parts]
    return "".join(parts)


__all__ = ["CAPTURED_PORT", "LABEL", "SERVER_PORT", "Loop", "Outbound", "job", "loops", "script"]
