"""The default StorageClass: encrypted gp3 volumes in the pod's zone.

Clusters since Kubernetes 1.30 have no default class (Amazon EKS user guide, "Kubernetes 1.30"): a claim that names none
would wait for ever.
"""

from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.specs.stack import owned

STORAGE = "storage.k8s.io/v1"
NAME = "gp3-encrypted"


def storage_class(stack: Stack) -> tuple[Manifest, ...]:
    """The class; nothing on somebody else's cluster, whose storage is not ours to choose."""
    if stack.existing:
        return ()
    return (
        Manifest(
            STORAGE,
            "StorageClass",
            NAME,
            labels=owned(),
            annotations={"storageclass.kubernetes.io/is-default-class": "true"},
            body={
                "provisioner": "ebs.csi.aws.com",
                "parameters": {"type": "gp3", "encrypted": "true"},
                "reclaimPolicy": "Delete",
                "volumeBindingMode": "WaitForFirstConsumer",  # a volume is in one zone: the pod's, not any
                "allowVolumeExpansion": True,
            },
        ),
    )
