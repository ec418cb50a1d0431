"""Where claims get their volumes."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.objects import Deployed, declare
from partner_mesh.model import Manifest


@dataclass(frozen=True, slots=True)
class StorageArgs:
    """StorageClasses."""

    manifests: Sequence[Manifest]
    deployed: Deployed


class Storage(pulumi.ComponentResource):
    """The classes of volumes that the cluster offers. Outputs: `classes`, their names."""

    classes: list[str]

    def __init__(self, name: str, args: StorageArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("partner-mesh:storage:Storage", name, None, opts)
        declare(name, args.manifests, args.deployed, parent=self)
        self.classes = [manifest.name for manifest in args.manifests]
        self.register_outputs({"classes": self.classes})
