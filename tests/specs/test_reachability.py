"""The analyser, which knows nothing of configuration, finds in the objects just the edges that were configured."""

from partner_mesh.analysis.layers import Verdict, Workload
from partner_mesh.analysis.reachability import Reach
from partner_mesh.analysis.resources import of_documents
from partner_mesh.specs import Compiled, compile_stack
from tests.specs.stacks import APPLICATIONS, GATEWAYS, loaded

PARTNER = {
    "name": "acme",
    "owner": "a@example.com",
    "inbound": {
        "host": "acme.partners.example.com",
        "clientCertificate": {"ca": "acme-ca", "subjectAltNames": ["a.acme.example"]},
        "sourceRanges": ["198.51.100.0/28"],
        "routes": [{"path": "/v1", "to": "charging:http"}],
    },
    "outbound": {"host": "api.acme.example", "from": ["charging"]},
}
GATEWAYS_ON_CERTIFICATE = GATEWAYS | {"partners": GATEWAYS["partners"] | {"certificate": "partners-server"}}
OURS = {"charging", "checkout", "ledger", "istio-web", "istio-partners", "istio-egress"}


def allowed(compiled: Compiled) -> set[tuple[str, str, str]]:
    """(source, destination, ports) of what may connect between our own workloads, TCP."""
    documents = [
        *(m.document() for m in compiled),
        *(dict(d) for d in compiled.inventory),
        *(dict(d) for d in compiled.security_groups),
    ]
    return {
        (each.source.name, each.destination.name, str(dict(each.ports.by_protocol())["TCP"]))
        for each in Reach.of(of_documents(documents)).results().connections()
        if each.verdict is Verdict.ALLOWED
        and isinstance(each.source, Workload)
        and isinstance(each.destination, Workload)
        and {each.source.namespace, each.destination.namespace} <= OURS
    }


def test_the_edges_of_the_configuration_and_no_others() -> None:
    nobody = {"namespace": "ledger", "nodeGroup": "billing", "ports": {"http": 8080}}
    compiled = compile_stack(
        loaded(applications=APPLICATIONS | {"ledger": nobody}, gateways=GATEWAYS_ON_CERTIFICATE, partners=[PARTNER])
    )
    found = allowed(compiled)
    assert {(source, destination) for source, destination, _ in found} == {
        ("checkout", "charging"),
        ("web", "checkout"),
        ("partners", "charging"),
        ("charging", "egress"),
    }
    assert all("8080" in ports or "8443" in ports for _, _, ports in found)


def test_a_missing_end_is_seen() -> None:
    """Seeded faults: without either end's policy the edge is gone."""
    compiled = compile_stack(loaded())
    for group in ("charging", "checkout"):
        kept = tuple(m for m in compiled.applications[group] if (m.kind, m.name) != ("NetworkPolicy", group))
        faulty = Compiled(
            mesh=compiled.mesh,
            gateways=compiled.gateways,
            namespaces=compiled.namespaces,
            applications={**compiled.applications, group: kept},
            inventory=compiled.inventory,
            security_groups=compiled.security_groups,
        )
        assert ("checkout", "charging") in {(s, d) for s, d, _ in allowed(compiled)}
        assert ("checkout", "charging") not in {(s, d) for s, d, _ in allowed(faulty)}
