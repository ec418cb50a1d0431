"""What the rules look at: everything that is valid by itself, and the names of what is not.

A path starts with `platform`, with `applications` and a name, or with `partners` and an index; the loader turns it
into a file and a line.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from partner_mesh.config.application import Application
from partner_mesh.config.partner import Inbound, Outbound, Partner
from partner_mesh.config.platform import Gateway, Platform

Part = str | int
Path = tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class World:
    """One environment as far as it could be read."""

    platform: Platform | None  # None: absent or itself mistaken; rules that need it are silent then
    applications: Mapping[str, Application]
    partners: Mapping[int, Partner]  # by their index among everything that was read, in order of name
    mistaken_applications: frozenset[str] = frozenset()  # exist, but could not be read
    applications_read: bool = True  # False: the section as a whole could not be read, so any name may be there
    region: str | None = None

    def inbound(self) -> Iterator[tuple[Path, Partner, Inbound]]:
        """Every inbound entry with its place and its partner."""
        for index, partner in self.partners.items():
            for number, entry in enumerate(partner.inbound):
                yield ("partners", index, "inbound", number), partner, entry

    def outbound(self) -> Iterator[tuple[Path, Partner, Outbound]]:
        """Every outbound entry with its place and its partner."""
        for index, partner in self.partners.items():
            for number, entry in enumerate(partner.outbound):
                yield ("partners", index, "outbound", number), partner, entry

    def gateways(self, direction: str, exposure: str | None = None) -> dict[str, Gateway]:
        """Gateways of a kind by name, in declared order; none without a valid platform."""
        declared = self.platform.gateways if self.platform is not None else {}
        return {
            name: gateway
            for name, gateway in declared.items()
            if gateway.direction == direction and (exposure is None or gateway.exposure == exposure)
        }

    def knows(self, application: str) -> bool:
        """Whether an application of this name exists, valid or not."""
        return (
            not self.applications_read or application in self.applications or application in self.mistaken_applications
        )

    @property
    def complete(self) -> bool:
        """Whether every application could be read: only then does absence mean anything."""
        return self.applications_read and not self.mistaken_applications
