"""What the API server refuses for us."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from components.objects import Deployed, declare
from partner_mesh.model import Manifest


@dataclass(frozen=True, slots=True)
class AdmissionArgs:
    """ValidatingAdmissionPolicies and their bindings."""

    manifests: Sequence[Manifest]
    deployed: Deployed


class Admission(pulumi.ComponentResource):
    """Policies in the API server itself, without a webhook that could be down. Outputs: `policies`, their names."""

    policies: list[str]

    def __init__(self, name: str, args: AdmissionArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("partner-mesh:admission:Admission", name, None, opts)
        declare(name, args.manifests, args.deployed, parent=self)
        self.policies = [each.name for each in args.manifests if each.kind == "ValidatingAdmissionPolicy"]
        self.register_outputs({"policies": self.policies})
