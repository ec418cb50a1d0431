"""EKS add-ons: pinned, configured, never overwritten silently."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from partner_mesh.specs.aws.cluster import AddOn


@dataclass(frozen=True, slots=True)
class AddOnsArgs:
    """Which add-ons, on which cluster, after what: networking before any node, the others when there are nodes."""

    cluster_name: pulumi.Input[str]
    add_ons: tuple[AddOn, ...]
    after: Sequence[pulumi.Resource]


class AddOns(pulumi.ComponentResource):
    """Some of a cluster's add-ons. Outputs: `resources`, for whoever must come after them."""

    resources: tuple[pulumi.Resource, ...]

    def __init__(self, name: str, args: AddOnsArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("partner-mesh:add_ons:AddOns", name, None, opts)
        self.resources = tuple(
            aws.eks.Addon(
                add_on.name,
                cluster_name=args.cluster_name,
                addon_name=add_on.name,
                addon_version=add_on.version,
                configuration_values=add_on.configuration_values,
                resolve_conflicts_on_create="OVERWRITE",
                resolve_conflicts_on_update="OVERWRITE",  # what configuration says wins over what a hand changed
                preserve=False,
                opts=pulumi.ResourceOptions(parent=self, depends_on=list(args.after)),
            )
            for add_on in args.add_ons
        )
        self.register_outputs({"names": [add_on.name for add_on in args.add_ons]})
