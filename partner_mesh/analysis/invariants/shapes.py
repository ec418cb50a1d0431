"""Fail-open shapes: settings that look careful and let everything pass, each from istiod's source or the field."""

from collections.abc import Iterator, Mapping
from typing import Final

from partner_mesh.analysis.invariants.egress import exact_blocks
from partner_mesh.analysis.invariants.facts import Facts
from partner_mesh.analysis.invariants.finding import Finding, Invariant, Severity
from partner_mesh.analysis.invariants.plaintext import tls_settings
from partner_mesh.analysis.mesh_config import EXTENSIONS, NETWORKING, REVISION, exports_of, selector

_MUTUAL: Final = ("MUTUAL", "OPTIONAL_MUTUAL")


def credential_exported(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """A sidecar that sees `credentialName` without `workloadSelector` sends plaintext."""
    for resource in facts.world.of(NETWORKING, "DestinationRule"):
        if not any(each.get("credentialName") for each in tls_settings(resource)):
            continue
        exports = exports_of(resource, facts.mesh.config.default_destination_rule_export)
        alone = all(each in (".", resource.namespace) for each in exports)
        if not alone and not resource.spec.get("workloadSelector"):
            yield invariant.at(
                resource,
                f"tls.credentialName is exported to {', '.join(exports)}: sidecars that see it send plaintext",
                'exportTo: ["."] in the egress gateway\'s namespace',
            )


def names_verified(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """With `sni` and no `subjectAltNames` any certificate of any trusted CA is good."""
    for resource in facts.world.of(NETWORKING, "DestinationRule"):
        for tls in tls_settings(resource):
            if tls.get("mode") in ("SIMPLE", "MUTUAL") and not tls.get("subjectAltNames"):
                yield invariant.at(
                    resource,
                    f"tls.mode {tls['mode']} without subjectAltNames: any certificate of a trusted CA is accepted",
                    "list the host's names in subjectAltNames",
                )
                break


def verified_at_all(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """`insecureSkipVerify` accepts every certificate."""
    for resource in facts.world.of(NETWORKING, "DestinationRule"):
        if any(each.get("insecureSkipVerify") is True for each in tls_settings(resource)):
            yield invariant.at(resource, "insecureSkipVerify accepts every certificate", "remove it and name a CA")


def no_wildcards(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """A wildcard serves names nobody thought of; on a MUTUAL server it serves other partners' names too."""
    for resource in facts.world.of(NETWORKING, "ServiceEntry"):
        wide = [str(each) for each in resource.spec.get("hosts") or () if "*" in str(each)]
        if wide:
            yield invariant.at(resource, f"opens every host of {', '.join(wide)}", "list exact hosts")
    for proxy in facts.gateways:
        for server in proxy.servers:
            wide = [host for _, host in server.hosts if "*" in host]
            if wide and server.tls in _MUTUAL:
                yield invariant.at(
                    server.resource,
                    f"server {server.index} takes partners' certificates for {', '.join(wide)}",
                    "one server with one exact host a partner",
                )
            everybodys = [host for home, host in server.hosts if host == "*" and home == "*"]
            if everybodys and server.tls == "ISTIO_MUTUAL" and facts.leads_out(proxy.pods):
                yield invariant.at(
                    server.resource,
                    f"server {server.index} leads out whatever any namespace's VirtualService binds to it",
                    "hosts of the form NAMESPACE/HOST: the routes out are written in one place",
                    Severity.WARNING,
                )
    for resource in facts.world.of(NETWORKING, "VirtualService"):
        wide = [str(each) for each in resource.spec.get("hosts") or () if "*" in str(each)]
        if wide:
            yield invariant.at(resource, f"routes every host of {', '.join(wide)}", "list exact hosts")


def exact_resolution(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """NONE lets the caller choose the address, DYNAMIC_DNS the name. Declared blocks and TCP ports are exact."""
    for resource in facts.world.of(NETWORKING, "ServiceEntry"):
        resolution = str(resource.spec.get("resolution") or "NONE")
        internal = resource.spec.get("location") == "MESH_INTERNAL"
        if resolution == "DYNAMIC_DNS":
            yield invariant.at(resource, "resolution DYNAMIC_DNS resolves whatever Host is sent", "resolution: DNS")
        elif resolution == "NONE" and not internal and not exact_blocks(resource):
            yield invariant.at(
                resource,
                "resolution NONE sends to whatever address the caller chose, under the name it claims",
                "resolution: DNS with exact hosts, or exact blocks of addresses with protocol TCP",
            )


def registry_only(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """ALLOW_ANY is Istio's default."""
    mesh = facts.mesh.config
    if mesh.resource is not None and not mesh.registry_only:
        yield invariant.at(
            mesh.resource, "outboundTrafficPolicy is ALLOW_ANY", "outboundTrafficPolicy: {mode: REGISTRY_ONLY}"
        )
    for resource in facts.world.of(NETWORKING, "Sidecar"):
        policy = resource.spec.get("outboundTrafficPolicy")
        if isinstance(policy, Mapping) and str(policy.get("mode") or "ALLOW_ANY") == "ALLOW_ANY":
            yield invariant.at(
                resource, "outboundTrafficPolicy is ALLOW_ANY", "remove it: the mesh's REGISTRY_ONLY holds"
            )


def injection_unambiguous(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """`istio-injection` wins over `istio.io/rev`: the namespace stays on another control plane than it says."""
    for resource in facts.world.of("", "Namespace"):
        if "istio-injection" in resource.labels and REVISION in resource.labels:
            yield invariant.at(
                resource,
                f"has istio-injection and {REVISION}: the first wins and the second is ignored",
                "remove istio-injection",
            )


def extensions_known(facts: Facts, invariant: Invariant) -> Iterator[Finding]:
    """What an EnvoyFilter or a plugin does is not modelled: what it touches is unknown."""
    for kind, group in (("EnvoyFilter", NETWORKING), ("WasmPlugin", EXTENSIONS)):
        for resource in facts.world.of(group, kind):
            chosen = selector(resource, "workloadSelector" if kind == "EnvoyFilter" else "selector")
            everywhere = not chosen and resource.namespace == facts.mesh.config.root_namespace
            yield invariant.at(
                resource,
                "changes every proxy of the mesh in ways that are not modelled" if everywhere
                else "changes proxies in ways that are not modelled",
                "look at it by hand, and bind it to the workloads that need it",
                Severity.WARNING if everywhere else Severity.INFO,
            )  # fmt: skip


INVARIANTS: Final = (
    Invariant(
        "PM020-credential-exported",
        Severity.ERROR,
        "Client certificates stay with the gateway that has them",
        credential_exported,
    ),
    Invariant("PM021-names-verified", Severity.ERROR, "TLS towards outside names whom it expects", names_verified),
    Invariant("PM022-skip-verify", Severity.ERROR, "No certificate goes unverified", verified_at_all),
    Invariant("PM023-wildcard", Severity.ERROR, "Hosts are exact", no_wildcards),
    Invariant(
        "PM024-resolution",
        Severity.ERROR,
        "Addresses outside are looked up, not chosen by the caller",
        exact_resolution,
    ),
    Invariant("PM025-registry-only", Severity.ERROR, "Sidecars let out what the registry knows", registry_only),
    Invariant("PM026-injection", Severity.ERROR, "A namespace names one control plane", injection_unambiguous),
    Invariant("PM027-extension", Severity.INFO, "Extensions of proxies are known", extensions_known),
)
