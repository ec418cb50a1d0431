"""Namespaces of applications, and what each application in them has from us."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.objects import Deployed, declare, patch
from partner_mesh.model import Manifest


@dataclass(frozen=True, slots=True)
class ApplicationArgs:
    """The compiled objects of a namespace or of an application; `restarts` patch Deployments that are there."""

    manifests: Sequence[Manifest]
    deployed: Deployed
    restarts: Sequence[Manifest] = ()


class Namespace(pulumi.ComponentResource):
    """What a namespace has before any application: Pod Security, default deny, its Sidecar. Outputs: `objects`."""

    objects: int

    def __init__(self, name: str, args: ApplicationArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("partner-mesh:application:Namespace", name, None, opts)
        self.objects = len(declare(name, args.manifests, args.deployed, parent=self))
        self.register_outputs({"objects": self.objects})


class Application(pulumi.ComponentResource):
    """Identity, Service, edges and traffic of one application; its Deployment belongs to its team.

    Of Deployments that the configuration names it holds one annotation: when the proxies' revision changes, so does
    that, and their pods start anew. Outputs: `objects`, how many there are.
    """

    objects: int

    def __init__(self, name: str, args: ApplicationArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("partner-mesh:application:Application", name, None, opts)
        self.objects = len(declare(name, args.manifests, args.deployed, parent=self))
        patch(name, args.restarts, args.deployed, parent=self)
        self.register_outputs({"objects": self.objects})
