"""Sets of (port, request) between two ends, with exact difference: what one has and the other has not.

On a port either only HTTP requests are told apart, or bytes of any kind pass, which `raw` says.
"""

from collections.abc import Iterable, Iterator
from typing import cast

from partner_mesh.analysis.http import HttpSet
from partner_mesh.analysis.layers import HttpSet as AnyHttpSet
from partner_mesh.analysis.sets import PortSet
from partner_mesh.model.record import dataclass


@dataclass(frozen=True, slots=True)
class Piece:
    """Some ports, what requests on them, and whether what is no HTTP belongs to it too."""

    ports: PortSet
    http: HttpSet
    raw: bool

    @property
    def requests(self) -> HttpSet | None:
        """The requests; None where every kind of connection is meant."""
        return None if self.raw else self.http


@dataclass(frozen=True, slots=True)
class Region:
    """Pieces with disjoint ports."""

    pieces: tuple[Piece, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.pieces)

    def __sub__(self, other: "Region") -> "Region":
        if not other:
            return self
        found: list[Piece] = []
        for piece in self.pieces:
            left = piece.ports
            for taken in other.pieces:
                both = left & taken.ports
                if not both:
                    continue
                left -= both
                rest = piece.http - taken.http
                raw = piece.raw and not taken.raw
                if rest or raw:
                    # Bytes of any kind that only their requests had before: told as what is new, everything.
                    found.append(Piece(both, HttpSet.ALL if raw else rest, raw))
            if left:
                found.append(Piece(left, piece.http, piece.raw))
        return Region(tuple(_joined(found)))


NOTHING = Region()


def region(parts: Iterable[tuple[PortSet, AnyHttpSet | None]]) -> Region:
    """The union of ports with requests on them; None means every kind of connection."""
    pieces: list[Piece] = []
    for ports, http in parts:
        new = Piece(ports, HttpSet.ALL if http is None else cast(HttpSet, http), http is None)
        pieces = list(_added(pieces, new))
    return Region(tuple(_joined(pieces)))


def _added(pieces: list[Piece], new: Piece) -> Iterator[Piece]:
    left = new.ports
    for piece in pieces:
        both = piece.ports & left
        if not both:
            yield piece
            continue
        left -= both
        yield Piece(both, piece.http | new.http, piece.raw or new.raw)
        if rest := piece.ports - both:
            yield Piece(rest, piece.http, piece.raw)
    if left:
        yield Piece(left, new.http, new.raw)


def _joined(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Ports with the same requests together."""
    found: dict[tuple[HttpSet, bool], PortSet] = {}
    for piece in pieces:
        key = piece.http, piece.raw
        found[key] = found.get(key, PortSet.NONE) | piece.ports
    for (http, raw), ports in found.items():
        yield Piece(ports, http, raw)
