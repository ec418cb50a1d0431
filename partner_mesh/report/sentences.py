"""Access changes as sentences: who may now do what, where; and who may no longer."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final

from partner_mesh.analysis import strangers
from partner_mesh.analysis.comparison import Comparison
from partner_mesh.analysis.differences import Access, Change
from partner_mesh.analysis.layers import Addresses, Client, Endpoint, ExternalHost, Partner, Verdict, Workload
from partner_mesh.analysis.sets import AddressSet, PortSet
from partner_mesh.model.record import dataclass

_VERBS: Final = {Change.GAINED: "may now", Change.LOST: "may no longer", Change.DOUBTFUL: "may now perhaps"}
_LISTED: Final = 4  # so many names before "and N more"
_ALONE: Final = 3  # so few that are left are worth naming: "nobody but …"


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence, and the changes that it tells of. A `hop` is a stretch of somebody's way: to or from a gateway."""

    change: Change
    text: str
    accesses: tuple[Access, ...]
    hop: bool = False


def sentences(comparison: Comparison) -> list[Sentence]:
    """Gained, doubtful, lost, each with its hops last; what several ends have in common is said once."""
    found: list[Sentence] = []
    for change in (Change.GAINED, Change.DOUBTFUL, Change.LOST):
        for hop in (False, True):
            chosen = [each for each in comparison.accesses if each.change is change and comparison.hop(each) is hop]
            # Those outside first: a partner's access is what a person looks for.
            chosen.sort(key=lambda each: isinstance(each.source, Workload))
            found += [Sentence(change, text, told, hop) for text, told in _told(change, chosen, comparison)]
    return found


def _told(
    change: Change, accesses: Sequence[Access], comparison: Comparison
) -> Iterator[tuple[str, tuple[Access, ...]]]:
    """First everybody who fares alike towards one end, then every end that fares alike for them."""
    by_destination: dict[Any, list[Access]] = {}
    for each in accesses:
        by_destination.setdefault((each.destination, each.ports, _what(each)), []).append(each)
    by_sources: dict[Any, list[Access]] = {}
    for (_, ports, what), listed in by_destination.items():
        sources = tuple(dict.fromkeys((each.source, each.everywhere) for each in listed))
        by_sources.setdefault((sources, ports, what), []).extend(listed)
    for (sources, ports, what), listed in by_sources.items():
        ends = [each.destination for each in listed]
        where = _places(ends, _named(ends, comparison), ports)
        callers = _named(
            [source for source, _ in sources], comparison, partial=[s for s, whole in sources if not whole]
        )
        others = _left(listed, comparison) if change is Change.LOST and len(callers) > 1 else None
        if others is not None:
            but = f"nobody but {_listed(others)}" if others else "nobody"
            yield f"{but} may any longer {what} {where}", tuple(listed)
        else:
            yield f"{_listed(callers)} {_VERBS[change]} {what} {where}", tuple(listed)


def _left(lost: Sequence[Access], comparison: Comparison) -> list[str] | None:
    """Who may still do what was lost, where they are few; None where many may, or it was not asked."""
    if comparison.after is None:
        return None
    wanted = {each.destination for each in lost}
    found: dict[Endpoint, None] = {}
    # Asked of those ends alone: the table itself may be large, and only a part of it was needed so far.
    there = [end for end in comparison.after.reach.universe.position if end in wanted]
    direct = comparison.after.reach.results(None, there).connections() if there else ()
    for each in chain(direct, comparison.after.journeys):
        if each.destination in wanted and each.verdict is not Verdict.DENIED and any(_meet(each, one) for one in lost):
            found[each.source] = None
            if len(found) > _ALONE:
                return None
    return _named(found, comparison)


def _meet(one: Any, other: Any) -> bool:
    if not one.ports & other.ports:
        return False
    return one.http is None or other.http is None or bool(one.http & other.http)


def _named(ends: Iterable[Endpoint], comparison: Comparison, partial: Sequence[Endpoint] = ()) -> list[str]:
    """The names of ends, each once; all the workloads behind one Service by the Service's name."""
    wanted = dict.fromkeys(ends)
    named: dict[Endpoint, str] = {}
    for service, behind in comparison.services:
        if len(behind) > 1 and all(each in wanted for each in behind):
            named.update(dict.fromkeys(behind, service))
    return list(dict.fromkeys(named.get(each) or who(each, everywhere=each not in partial) for each in wanted))


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
        case Workload(_, namespace, strangers.NAME):
            said = f"any other workload{f' of {namespace}' if namespace != strangers.NAME else ''}"
        case Workload(_, namespace, name):
            said = name if name == namespace else f"{namespace}/{name}"
        case Addresses(addresses):
            said = blocks(addresses)
        case _:
            said = str(endpoint)
    return said


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
    host = access.destination.name if isinstance(access.destination, ExternalHost) else ""
    return " or ".join(dict.fromkeys(_requests(each, host) for each in access.http.document())) + " on"


def _requests(document: dict[str, Any], own_host: str) -> str:
    methods = [each for each in document["methods"] if each != "*"]
    paths = [each for each in document["paths"] if each != "*"]
    hosts = [each for each in document["hosts"] if each not in ("*", own_host)]
    said = [_some(methods) or "send any method to", _some(paths) or "any path"]
    if hosts:
        said.append(f"of {_some(hosts)}")
    when = _conditions(document.get("when", ()))
    return " ".join(said) + (f" (if {' and '.join(when)})" if when else "")


def _conditions(conditions: Sequence[str]) -> list[str]:
    """Without what another of them says already: what is 2 is not 1."""
    subjects = {each.partition(" is ")[0] for each in conditions if " is not " not in each}
    return [each for each in conditions if " is not " not in each or each.partition(" is not ")[0] not in subjects]


def _some(values: Sequence[str]) -> str:
    more = f" and {len(values) - _LISTED} more" if len(values) > _LISTED else ""
    return ", ".join(values[:_LISTED]) + more


def _places(destinations: Sequence[Endpoint], names: Sequence[str], ports: PortSet) -> str:
    spans = [(protocol, span) for protocol, listed in ports.by_protocol() for span in listed]
    one = len(spans) == 1 and spans[0][0] == "TCP" and spans[0][1][0] == spans[0][1][1]
    if one and not any(isinstance(each, Addresses) for each in destinations):
        return _listed([f"{name}:{spans[0][1][0]}" for name in names])
    return f"{_listed(names)} ({ports})"


def _listed(names: Sequence[str]) -> str:
    """`a, b and c`; of many the first few and their number."""
    if len(names) > _LISTED:
        return f"{', '.join(names[:_LISTED])} and {len(names) - _LISTED} more"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
