"""What controllers may do at AWS: a role each, handed to a service account by EKS Pod Identity."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from partner_mesh.config.stack import Stack
from partner_mesh.specs.aws import iam


@dataclass(frozen=True, slots=True)
class IdentitiesArgs:
    """The stack, for the controllers that it runs, and the cluster that they run on."""

    stack: Stack
    cluster_name: pulumi.Input[str]


class Identities(pulumi.ComponentResource):
    """One role and association for each controller that calls AWS; nobody uses the nodes' role.

    Outputs: `associations` by controller, for what must not start before it has its role.
    """

    associations: dict[str, pulumi.Resource]

    def __init__(self, name: str, args: IdentitiesArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("partner-mesh:identities:Identities", name, None, opts)
        self._args = args
        late = pulumi.Output.all(
            aws.get_caller_identity_output(opts=pulumi.InvokeOutputOptions(parent=self)).account_id,
            aws.get_partition_output(opts=pulumi.InvokeOutputOptions(parent=self)).partition,
        )
        # Which controllers there are is plain data; only their policies' ARNs wait for the account.
        self.associations = {
            controller.name: self._identity(controller, late) for controller in iam.controllers(args.stack, "*")
        }
        self.register_outputs({"controllers": list(self.associations)})

    def _identity(self, controller: iam.Controller, late: pulumi.Output[list[str]]) -> pulumi.Resource:
        named = iam.role_name(self._args.stack.platform.name, controller.name)
        children = pulumi.ResourceOptions(parent=self)
        role = aws.iam.Role(
            named, name=named, assume_role_policy=iam.document([iam.pod_identity_trust()]), opts=children
        )
        policies: list[pulumi.Resource] = [
            aws.iam.RolePolicyAttachment(
                f"{named}-{arn.rpartition('/')[2]}", role=role.name, policy_arn=arn, opts=children
            )
            for arn in controller.managed
        ]
        if controller.statements:
            policies.append(
                aws.iam.RolePolicy(
                    named,
                    role=role.name,
                    policy=late.apply(lambda found: _policy(self._args.stack, controller.name, found[0], found[1])),
                    opts=children,
                )
            )
        return aws.eks.PodIdentityAssociation(
            named,
            cluster_name=self._args.cluster_name,
            namespace=controller.namespace,
            service_account=controller.service_account,
            role_arn=role.arn,
            opts=pulumi.ResourceOptions(parent=self, depends_on=policies),
        )


def _policy(stack: Stack, name: str, account: str, partition: str) -> str:
    """The document of one controller, now that the account is known."""
    [found] = [one for one in iam.controllers(stack, account, partition) if one.name == name]
    return iam.document(found.statements)
