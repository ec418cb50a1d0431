"""Where ALBs write who called: a private bucket that forgets."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from partner_mesh.specs.aws import iam


@dataclass(frozen=True, slots=True)
class AccessLogsArgs:
    """Whose logs, how long they are kept, and whether `destroy` must keep them."""

    platform: str
    retention_days: int
    protect: bool


class AccessLogs(pulumi.ComponentResource):
    """A bucket that only Elastic Load Balancing writes into, over TLS, encrypted, never public.

    SSE-S3: Elastic Load Balancing writes access logs with no other key. Outputs: `bucket`, its name; `ready`, what must
    be there before a load balancer is told to write.
    """

    bucket: pulumi.Output[str]
    ready: list[pulumi.Resource]

    def __init__(self, name: str, args: AccessLogsArgs, *, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("partner-mesh:access_logs:AccessLogs", name, None, opts)
        children = pulumi.ResourceOptions(parent=self)
        named = f"{args.platform}-access-logs"
        bucket = aws.s3.Bucket(
            named,
            force_destroy=not args.protect,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            named,
            bucket=bucket.id,
            rules=[
                aws.s3.BucketServerSideEncryptionConfigurationRuleArgs(
                    apply_server_side_encryption_by_default=_Encryption(sse_algorithm="AES256")
                )
            ],
            opts=children,
        )
        private = aws.s3.BucketPublicAccessBlock(
            named,
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=children,
        )
        aws.s3.BucketLifecycleConfiguration(
            named,
            bucket=bucket.id,
            rules=[
                aws.s3.BucketLifecycleConfigurationRuleArgs(
                    id="forget",
                    status="Enabled",
                    expiration=_Expiration(days=args.retention_days),
                    filter=_Everything(prefix=""),
                )
            ],
            opts=children,
        )
        account = aws.get_caller_identity_output(opts=pulumi.InvokeOutputOptions(parent=self)).account_id
        policy = aws.s3.BucketPolicy(
            named,
            bucket=bucket.id,
            policy=pulumi.Output.all(bucket.arn, account).apply(
                lambda late: iam.document(iam.access_log_statements(late[0], late[1]))
            ),
            # Both change the bucket's policy state, and AWS refuses that at once.
            opts=pulumi.ResourceOptions(parent=self, depends_on=[private]),
        )
        self.bucket, self.ready = bucket.id, [policy]
        self.register_outputs({"bucket": self.bucket})


# The generated names say every level above them.
_Encryption = aws.s3.BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultArgs
_Expiration = aws.s3.BucketLifecycleConfigurationRuleExpirationArgs
_Everything = aws.s3.BucketLifecycleConfigurationRuleFilterArgs
