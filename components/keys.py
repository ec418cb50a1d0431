"""The KMS keys of a platform."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from partner_mesh.specs.aws import iam


@dataclass(frozen=True, slots=True)
class KeysArgs:
    """Whose keys these are, and where: the region stands in the key policies' service names."""

    platform: str
    region: str
    protect: bool


class Keys(pulumi.ComponentResource):
    """Two rotating keys: one for what the cluster stores (Secrets, volumes), one for log groups.

    Outputs: `cluster_arn`, `logs_arn`.
    """

    cluster_arn: pulumi.Output[str]
    logs_arn: pulumi.Output[str]

    def __init__(self, name: str, args: KeysArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("partner-mesh:keys:Keys", name, None, opts)
        account = aws.get_caller_identity_output(opts=pulumi.InvokeOutputOptions(parent=self)).account_id
        partition = aws.get_partition_output(opts=pulumi.InvokeOutputOptions(parent=self)).partition
        self.cluster_arn = self._key(args, "cluster", "Secrets and volumes", account, partition)
        self.logs_arn = self._key(args, "logs", "log groups", account, partition)
        self.register_outputs({"clusterArn": self.cluster_arn, "logsArn": self.logs_arn})

    def _key(
        self, args: KeysArgs, name: str, of: str, account: pulumi.Output[str], partition: pulumi.Output[str]
    ) -> pulumi.Output[str]:
        policy = pulumi.Output.all(account, partition).apply(
            lambda late: iam.document(iam.key_statements(late[0], args.region, late[1], log_groups=name == "logs"))
        )
        key = aws.kms.Key(
            f"{args.platform}-{name}",
            description=f"{args.platform}: {of}",
            enable_key_rotation=True,
            deletion_window_in_days=30,
            policy=policy,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        aws.kms.Alias(
            f"{args.platform}-{name}",
            name=f"alias/{args.platform}-{name}",
            target_key_id=key.id,
            opts=pulumi.ResourceOptions(parent=self),
        )
        return key.arn
