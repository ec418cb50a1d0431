"""What TLS asks of whom, before and after: whose certificates a gateway or we ourselves take, from which version on.

Such a change moves nobody in the table, where a partner is one caller whatever its certificate is called.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from partner_mesh.analysis.differences import Change
from partner_mesh.analysis.gateways import PARTNER_LABEL
from partner_mesh.analysis.mesh_config import NETWORKING
from partner_mesh.analysis.object_changes import ObjectChanges
from partner_mesh.analysis.resources import Resource
from partner_mesh.model.record import dataclass

_VERSIONS: Final = ("TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3")
_DEFAULT: Final = "TLSV1_2"  # istio api, networking/v1alpha3/gateway.proto, minProtocolVersion


@dataclass(frozen=True, slots=True)
class Handshake:
    """A certificate or a version that is taken now, or no longer."""

    change: Change
    object: str
    sentence: str


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is asked at a host; no names where every certificate of the CA will do."""

    object: str
    partner: str
    names: frozenset[str]
    oldest: str
    serves: bool  # a gateway that is called; else it is we who call


def handshake_changes(changes: ObjectChanges) -> Iterator[Handshake]:
    """Of servers and hosts that are on both sides: what comes or goes as a whole is told by its access."""
    was = _asked(each.before for each in changes.changed)
    now = _asked(each.after for each in changes.changed)
    for key in was.keys() & now.keys():
        before, after = was[key], now[key]
        for change, names in ((Change.GAINED, _more(before, after)), (Change.LOST, _more(after, before))):
            if names:
                yield Handshake(change, after.object, _certificate(key[1], after, change, sorted(names)))
        if before.oldest != after.oldest and after.serves:
            older, newer = sorted((before.oldest, after.oldest), key=_VERSIONS.index)
            said = " and ".join(_VERSIONS[_VERSIONS.index(older) : _VERSIONS.index(newer)])
            change = Change.GAINED if after.oldest == older else Change.LOST
            yield Handshake(change, after.object, f"{key[1]} may {_AGAIN[change]} be called in {_version(said)}")


_AGAIN: Final = {Change.GAINED: "now", Change.LOST: "no longer"}


def _version(said: str) -> str:
    return said.replace("TLSV", "TLS ").replace("_", ".")


def _more(before: _Asked, after: _Asked) -> frozenset[str]:
    """The names that only the second takes; "" for every name of its CA."""
    if not after.names:
        return frozenset(("",)) if before.names else frozenset()
    return after.names - before.names if before.names else frozenset()


def _certificate(host: str, asked: _Asked, change: Change, names: list[str]) -> str:
    shown = " or ".join(f"a certificate of {each}" if each else "any certificate of its CA" for each in names)
    if asked.serves:
        return f"{asked.partner or 'a client'} may {_AGAIN[change]} show {shown} at {host}"
    return f"{host} may {_AGAIN[change]} answer with {shown}"


def _asked(resources: Iterable[Resource]) -> dict[tuple[str, str], _Asked]:
    """(object, host) → what is asked there."""
    found: dict[tuple[str, str], _Asked] = {}
    for resource in resources:
        if resource.group == NETWORKING and resource.kind == "Gateway":
            for server in _mappings(resource.spec.get("servers")):
                for host in server.get("hosts") or ():
                    _add(found, resource, str(host).rpartition("/")[2], server.get("tls"), serves=True)
        elif resource.group == NETWORKING and resource.kind == "DestinationRule":
            policy = resource.spec.get("trafficPolicy")
            for level in _mappings([policy, *_mappings((policy or {}).get("portLevelSettings"))] if policy else []):
                _add(found, resource, str(resource.spec.get("host")), level.get("tls"), serves=False)
    return found


def _add(found: dict[tuple[str, str], _Asked], resource: Resource, host: str, tls: Any, *, serves: bool) -> None:
    if isinstance(tls, Mapping):
        names = frozenset(str(each) for each in tls.get("subjectAltNames") or ())
        oldest = str(tls.get("minProtocolVersion") or _DEFAULT)
        oldest = oldest if oldest in _VERSIONS else _DEFAULT
        found[resource.title, host] = _Asked(
            resource.title, resource.labels.get(PARTNER_LABEL, ""), names, oldest, serves
        )


def _mappings(value: Any) -> list[Mapping[str, Any]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []
