"""What a platform section means where it says little."""

from typing import Any

import pytest

from partner_mesh.config.platform import Platform

GUEST: dict[str, Any] = {
    "name": "guest",
    "cluster": {"kind": "existing"},
    "mesh": {"revision": "1-31-1", "managed": False},
    "gateways": {"egress": {"direction": "egress"}},
}


@pytest.mark.parametrize(
    ("changes", "store"),
    [
        ({}, "none"),
        ({"secrets": {"store": "aws-secrets-manager"}}, "aws-secrets-manager"),
        ({"cluster": {"kind": "eks", "version": "1.36", "nodeGroups": {}}, "network": {"cidr": "10.0.0.0/16"}}, None),
    ],
)
def test_external_secrets_is_assumed_on_a_cluster_of_ours_alone(changes: dict[str, Any], store: str | None) -> None:
    if store is None:
        group = {"instances": ["m6i.large"], "size": {"min": 1, "max": 1}}
        changes["cluster"]["nodeGroups"] = {"system": group}
        store = "aws-secrets-manager"
    assert Platform.model_validate({**GUEST, **changes}).secrets.store == store
