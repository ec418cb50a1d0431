"""Access changes as sentences: who may now do what, where; and who may no longer."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from partner_mesh.analysis.differences import Access, Change
from partner_mesh.analysis.layers import Addresses, Client, Endpoint, Partner, Verdict, Workload
from partner_mesh.analysis.results import Results
from partner_mesh.analysis.sets import AddressSet, PortSet

_VERBS: Final = {Change.GAINED: "may now", Change.LOST: "may no longer", Change.DOUBTFUL: "may now perhaps"}
_LISTED: Final = 4  # so many names before "and N more"
_ALONE: Final = 3  # so few that are left are worth naming: "nobody but …"


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, and the changes that it tells of."""

    change: Change
    text: str
    accesses: tuple[Access, ...]


def sentences(accesses: Iterable[Access], after: Results | None = None) -> list[Sentence]:
    """Gained first, then doubtful, then lost; what several ends have in common is said once."""
    found: list[Sentence] = []
    for change in (Change.GAINED, Change.DOUBTFUL, Change.LOST):
        of_change = [each for each in accesses if each.change is change]
        found += [Sentence(change, text, told) for text, told in _told(change, of_change, after)]
    return found


def _told(
    change: Change, accesses: Sequence[Access], after: Results | None
) -> Iterator[tuple[str, tuple[Access, ...]]]:
    """First everybody who fares alike towards one end, then every end that fares alike for them."""
    by_destination: dict[Any, list[Access]] = {}
    for each in accesses:
        by_destination.setdefault((each.destination, each.ports, _what(each)), []).append(each)
    by_sources: dict[Any, list[Access]] = {}
    for (_, ports, what), listed in by_destination.items():
        sources = tuple(dict.fromkeys(_who(each) for each in listed))
        by_sources.setdefault((sources, ports, what), []).extend(listed)
    for (sources, ports, what), listed in by_sources.items():
        where = _places(list(dict.fromkeys(each.destination for each in listed)), ports)
        others = _left(listed, after) if change is Change.LOST and len(sources) > 1 else None
        if others is not None:
            but = f"nobody but {_listed(others)}" if others else "nobody"
            yield f"{but} may any longer {what} {where}", tuple(listed)
        else:
            yield f"{_listed(sources)} {_VERBS[change]} {what} {where}", tuple(listed)


def _left(lost: Sequence[Access], after: Results | None) -> list[str] | None:
    """Who may still do what was lost, where they are few; None where many may, or it was not asked."""
    if after is None:
        return None
    wanted = {each.destination for each in lost}
    ports = PortSet.union(each.ports for each in lost)
    found: dict[str, None] = {}
    for each in after.connections():
        if each.destination in wanted and each.verdict is not Verdict.DENIED and each.ports & ports:
            found[who(each.source)] = None
            if len(found) > _ALONE:
                return None
    return list(found)


def who(endpoint: Endpoint, *, everywhere: bool = True) -> str:
    """An end in a sentence."""
    match endpoint:
        case Partner(name, addresses):
            said = name if everywhere else f"{name} from {blocks(addresses)}"
        case Client("elsewhere", addresses, beside):
            said = f"whoever holds {beside}'s certificate, from {blocks(addresses)},"
        case Client("another partner", _, beside):
            said = f"another partner than {beside}"
        case Client(name):
            said = "anybody" if name == "anonymous" else f"a {name}"
        case Workload(_, namespace, name):
            said = name if name == namespace else f"{namespace}/{name}"
        case Addresses(addresses):
            said = blocks(addresses)
        case _:
            said = str(endpoint)
    return said


def _who(access: Access) -> str:
    return who(access.source, everywhere=access.everywhere)


def blocks(addresses: AddressSet) -> str:
    """Addresses in a sentence: a few blocks, or what they are together."""
    names = {"every IPv4 address": AddressSet.V4, "every IPv6 address": AddressSet.V6, "every address": AddressSet.ALL}
    for name, whole in names.items():
        if addresses == whole:
            return name
    listed = addresses.cidrs()
    return _listed(listed) if len(listed) <= _LISTED else f"{', '.join(listed[:2])} and {len(listed) - 2} more blocks"


def _what(access: Access) -> str:
    """`POST /v1/refunds of acme.example.com on`, or `connect to`."""
    if access.http is None:
        return "connect to"
    return " or ".join(dict.fromkeys(_requests(each) for each in access.http.document())) + " on"


def _requests(document: dict[str, Any]) -> str:
    methods = [each for each in document["methods"] if each != "*"]
    paths = [each for each in document["paths"] if each != "*"]
    hosts = [each for each in document["hosts"] if each != "*"]
    said = [_some(methods) or "send any method to", _some(paths) or "any path"]
    if hosts:
        said.append(f"of {_some(hosts)}")
    when = f" (if {' and '.join(document['when'])})" if document.get("when") else ""
    return " ".join(said) + when


def _some(values: Sequence[str]) -> str:
    more = f" and {len(values) - _LISTED} more" if len(values) > _LISTED else ""
    return ", ".join(values[:_LISTED]) + more


def _places(destinations: Sequence[Endpoint], ports: PortSet) -> str:
    spans = [(protocol, span) for protocol, listed in ports.by_protocol() for span in listed]
    names = [who(each) for each in destinations]
    if len(spans) == 1 and spans[0][0] == "TCP" and spans[0][1][0] == spans[0][1][1]:
        return _listed([f"{name}:{spans[0][1][0]}" for name in names])
    return f"{_listed(names)} ({ports})"


def _listed(names: Sequence[str]) -> str:
    """`a, b and c`; of many the first few and their number."""
    if len(names) > _LISTED:
        return f"{', '.join(names[:_LISTED])} and {len(names) - _LISTED} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
