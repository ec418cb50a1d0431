"""Admission: a pod of a dedicated namespace must select its nodes and tolerate their taint.

Deployments are not ours. Without this a pod whose author forgot the placement would land on shared nodes, whose
security groups and neighbours are others than those its namespace was given.
"""

from typing import Any, Final

from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.names import DEDICATED_LABEL, GROUP
from partner_mesh.specs.stack import dedicated, gateway_node_group, owned

ADMISSION: Final = "admissionregistration.k8s.io/v1"
NAME: Final = f"dedicated-nodes.{GROUP}"
NAMESPACE_DEDICATED_LABEL: Final = f"{GROUP}/dedicated"  # a namespace's label: the `dedicated` value of its nodes

_WANTED: Final = f"namespaceObject.metadata.labels['{NAMESPACE_DEDICATED_LABEL}']"
_SELECTS: Final = (
    f"has(object.spec.nodeSelector) && '{DEDICATED_LABEL}' in object.spec.nodeSelector"
    f" && object.spec.nodeSelector['{DEDICATED_LABEL}'] == variables.wanted"
)
_TOLERATES: Final = (
    "has(object.spec.tolerations) && object.spec.tolerations.exists(t, has(t.key)"
    f" && t.key == '{DEDICATED_LABEL}' && has(t.value) && t.value == variables.wanted)"
)


def namespace_dedicated(stack: Stack, namespace: str) -> str | None:
    """The `dedicated` value that all applications of a namespace share, or None."""
    values = {dedicated(stack, stack.applications[name].node_group) for name in stack.by_namespace.get(namespace, ())}
    return values.pop() if len(values) == 1 else None


def gateway_dedicated(stack: Stack, declared: str) -> str | None:
    """The `dedicated` value of a gateway's nodes, or None."""
    return dedicated(stack, gateway_node_group(stack, declared))


def dedicated_label(value: str | None) -> dict[str, str]:
    """The namespace's label; nothing where its pods may run anywhere."""
    return {} if value is None else {NAMESPACE_DEDICATED_LABEL: value}


def admission_policies(stack: Stack) -> tuple[Manifest, ...]:
    """The policy and its binding; none where no namespace has nodes of its own."""
    values = [namespace_dedicated(stack, namespace) for namespace in stack.by_namespace]
    values += [gateway_dedicated(stack, gateway) for gateway in stack.platform.gateways]
    if not any(values):
        return ()
    spec: dict[str, Any] = {
        "failurePolicy": "Fail",
        "matchConstraints": {
            "resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
            ]
        },
        "variables": [{"name": "wanted", "expression": _WANTED}],
        "validations": [
            {
                "expression": _SELECTS,
                "messageExpression": f"'this namespace has nodes of its own: add nodeSelector {DEDICATED_LABEL}: '"
                " + variables.wanted",
                "reason": "Forbidden",
            },
            {
                "expression": _TOLERATES,
                "messageExpression": "'this namespace has nodes of its own: tolerate the taint"
                f" {DEDICATED_LABEL}=' + variables.wanted + ':NoSchedule'",
                "reason": "Forbidden",
            },
        ],
    }
    binding = {
        "policyName": NAME,
        "validationActions": ["Deny"],
        "matchResources": {
            "namespaceSelector": {"matchExpressions": [{"key": NAMESPACE_DEDICATED_LABEL, "operator": "Exists"}]}
        },
    }
    return (
        Manifest(ADMISSION, "ValidatingAdmissionPolicy", NAME, labels=owned(), body={"spec": spec}),
        Manifest(ADMISSION, "ValidatingAdmissionPolicyBinding", NAME, labels=owned(), body={"spec": binding}),
    )
