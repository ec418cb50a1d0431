"""The right of the VPC CNI's agent to write a pod's address onto the pod.

With ANNOTATE_POD_IP Calico learns an address as soon as the pod has it, instead of when kubelet reports it: policies
hold from the first packet. The add-on's own role does not include the right (aws/amazon-vpc-cni-k8s, README,
"ANNOTATE_POD_IP").
"""

from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.names import MANAGED_BY
from partner_mesh.specs.stack import owned

RBAC = "rbac.authorization.k8s.io/v1"
_NAME = f"{MANAGED_BY}-annotate-pods"


def annotate_pods(stack: Stack) -> tuple[Manifest, ...]:
    """Role and binding of `aws-node`; nothing on somebody else's cluster, whose CNI is not ours to configure."""
    if stack.existing:
        return ()
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["patch"]}]
    return (
        Manifest(RBAC, "ClusterRole", _NAME, labels=owned(), body={"rules": rules}),
        Manifest(
            RBAC,
            "ClusterRoleBinding",
            _NAME,
            labels=owned(),
            body={
                "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": _NAME},
                "subjects": [{"kind": "ServiceAccount", "name": "aws-node", "namespace": "kube-system"}],
            },
        ),
    )
