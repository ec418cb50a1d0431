"""Tables made by hand for the pages: one that is hostile, and one of a thousand partners."""

from typing import Final

from partner_mesh.analysis.http import HttpSet, Requests
from partner_mesh.analysis.layers import (
    AUTHORISATION,
    EGRESS_REGISTRY,
    NETWORK_POLICY,
    ROUTE,
    Addresses,
    Because,
    Client,
    Endpoint,
    ExternalHost,
    Partner,
    Verdict,
    Workload,
)
from partner_mesh.analysis.resources import Note, Resource, Source
from partner_mesh.analysis.results import Connection, Decision, Results, Row
from partner_mesh.analysis.selectors import mask_of
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.analysis.strings import StringSet, exact, prefix
from partner_mesh.model.names import PARTNER_LABEL

HOSTILE: Final = (
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "<!--",
    "'\"><svg onload=document.title='owned'>",
    "{{ 7*7 }}{% raw %}",
    "evil\u202egnp.exe\u0000\u200b",
    "\u2028javascript:alert(1)",
    "\ud800",
)
WEB: Final = PortSet.single("TCP", 8080)


def requests(host: str, path: str) -> HttpSet:
    """`POST host/path*`."""
    return HttpSet((Requests(exact(host), exact("POST"), prefix(path)),))


def hostile() -> Results:
    """Every text that a stranger may write, hostile: names, namespaces, hosts, paths, objects, reasons, files."""
    workloads = [Workload("Deployment", text, text) for text in HOSTILE]
    partners = [Partner(text) for text in HOSTILE]
    hosts = [ExternalHost(text) for text in HOSTILE]
    because = [
        Because.of(NETWORK_POLICY, Resource("v1", text, text, text, source=Source(text, 3)), text) for text in HOSTILE
    ]
    row = tuple(
        (1 << i, (Decision(Verdict.DENIED, PortSet.ALL, (because[i],)),)) for i in range(len(HOSTILE))
    )  # fmt: skip
    journeys = []
    for partner, workload, host, text, why in zip(partners, workloads, hosts, HOSTILE, because, strict=True):
        entry = Resource("networking.istio.io/v1", "ServiceEntry", text, text, {PARTNER_LABEL: text})
        journeys.append(Connection(partner, workload, Verdict.ALLOWED, WEB, (why,), requests(text, "/" + text)))
        journeys.append(
            Connection(workload, host, Verdict.UNKNOWN, WEB, (Because.of(EGRESS_REGISTRY, entry, text), why))
        )
        journeys.append(Connection(Client("another partner", beside=text), workload, Verdict.DENIED, WEB, (why,)))
    notes = tuple(Note(Source(text, 1), text) for text in HOSTILE)
    return Results(tuple(workloads), tuple(range(len(workloads))), (row,) * len(workloads), notes, tuple(journeys))


def thousand(partners: int = 1000, workloads: int = 120) -> Results:
    """A table of many partners: each has a /29, a host of its own, and may post to one workload and be called by it."""
    ends: list[Endpoint] = [Workload("Deployment", f"team-{i % 12:02}", f"service-{i:03}") for i in range(workloads)]
    ends += [Addresses(AddressSet.of(f"100.{64 + i // 8192}.{i // 32 % 256}.{i % 32 * 8}/29")) for i in range(partners)]
    everybody = mask_of(range(len(ends)))
    default = Because(NETWORK_POLICY, "NetworkPolicy default-deny")
    closed = (Decision(Verdict.DENIED, PortSet.ALL, (default,)),)
    some = (
        Decision(Verdict.ALLOWED, WEB, (Because(NETWORK_POLICY, "NetworkPolicy team/open"),)),
        Decision(Verdict.DENIED, PortSet.ALL - WEB, (default,)),
    )
    maybe = (Decision(Verdict.UNKNOWN, PortSet.ALL, (Because(AUTHORISATION, "EnvoyFilter team/lua"),)),)
    rows: list[Row] = []
    for i in range(workloads):
        near = mask_of([(i + 1) % workloads, (i + 7) % workloads])
        odd = mask_of([(i + 3) % workloads]) if i % 10 == 0 else 0
        rows.append(((near, some), (odd, maybe), (everybody & ~near & ~odd & ~(1 << i), closed)))
    rows += [((mask_of(range(workloads)), closed),)] * partners
    journeys = []
    for i in range(partners):
        name, to = f"carrier-{i:04}", ends[i % workloads]
        server = Resource("networking.istio.io/v1", "VirtualService", "istio-partners", name)
        entry = Resource("networking.istio.io/v1", "ServiceEntry", "istio-egress", name, {PARTNER_LABEL: name})
        way = (Because.of(ROUTE, server), Because(NETWORK_POLICY, f"NetworkPolicy istio-partners/{name}"))
        wanted = requests(f"{name}.partners.example.com", "/v1/callbacks")
        journeys += [
            Connection(Partner(name), to, Verdict.ALLOWED, WEB, way, wanted),
            Connection(Partner(name), to, Verdict.DENIED, WEB, way[:1], HttpSet((Requests(methods=_not_post()),))),
            Connection(
                to, ExternalHost(f"api.{name}.example"), Verdict.ALLOWED, PortSet.single("TCP", 443),
                (Because.of(EGRESS_REGISTRY, entry),), requests(f"api.{name}.example", "/direct-billing"),
            ),
        ]  # fmt: skip
    return Results(tuple(ends), tuple(range(len(ends))), tuple(rows), (), tuple(journeys))


def _not_post() -> StringSet:
    return StringSet.ALL - exact("POST")
