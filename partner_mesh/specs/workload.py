"""What an application's own Deployment must say to fit what is deployed here: emitted for its team to merge."""

from typing import Any, Final

from partner_mesh.config.stack import Stack
from partner_mesh.specs.stack import placement

# Pods with security groups need more than zero: their interface is given back while they end.
TERMINATION_GRACE_SECONDS: Final = 30


def deployment_patch(stack: Stack, application: str) -> dict[str, Any]:
    """Identity, labels and placement as a strategic merge patch; with versions, one Deployment each carries `version`.

    The admission policy refuses pods of a dedicated namespace without this placement; Services and policies select by
    `app`, principals are made of the service account.
    """
    declared = stack.applications[application]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": application, "namespace": declared.namespace},
        "spec": {
            "template": {
                "metadata": {"labels": {"app": application}},
                "spec": {
                    "serviceAccountName": application,
                    "terminationGracePeriodSeconds": TERMINATION_GRACE_SECONDS,
                    **placement(stack, declared.node_group),
                },
            }
        },
    }
