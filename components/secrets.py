"""How certificates reach the gateways: by name, from a store; none passes through this program."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.objects import Deployed, install
from partner_mesh.model import ChartRelease, Manifest


@dataclass(frozen=True, slots=True)
class SecretsArgs:
    """The operator's namespace and release, the store's object, and the identity that the operator reads it with."""

    charts: Sequence[ChartRelease]
    manifests: Sequence[Manifest]
    deployed: Deployed
    identity: pulumi.Resource | None


class Secrets(pulumi.ComponentResource):
    """External Secrets Operator and the one store that only gateway namespaces may use.

    The operator starts after it has its role: Pod Identity gives a role to pods that start, not to those that run.
    Outputs: `stores`, their names.
    """

    stores: list[str]

    def __init__(self, name: str, args: SecretsArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("partner-mesh:secrets:Secrets", name, None, opts)
        after = [args.identity] if args.identity is not None else []
        install(name, args.charts, args.manifests, args.deployed, parent=self, after=after)
        self.stores = [manifest.name for manifest in args.manifests if manifest.kind == "ClusterSecretStore"]
        self.register_outputs({"stores": self.stores})
