"""The small stack that the lab is tested with: releases of Istio's charts, and the objects of `fixture.yaml`."""

from pathlib import Path
from typing import Any

import yaml

from partner_mesh.model import ChartRelease

REVISION = "1-31-1"


def releases() -> tuple[ChartRelease, ...]:
    """base, one revision of istiod with a tag, and two gateways."""
    def release(name: str, chart: str, namespace: str, values: dict[str, Any]) -> ChartRelease:
        return ChartRelease(name, namespace, chart, "1.31.1", "charts.example.com", values)

    gateway = {"revision": "stable", "service": {"type": "ClusterIP"}}
    return (
        release("istio-base", "base", "istio-system", {"defaultRevision": REVISION, "base": {"validationFailurePolicy": "Fail"}}),
        release(f"istiod-{REVISION}", "istiod", "istio-system", {
            "revision": REVISION, "revisionTags": ["stable"],
            "meshConfig": {
                "accessLogFile": "/dev/stdout",
                "defaultConfig": {"drainDuration": "5s", "terminationDrainDuration": "1s"},
                "pathNormalization": {"normalization": "DECODE_AND_MERGE_SLASHES"},
            },
        }),
        release("partners", "gateway", "istio-partners", gateway),
        release("egress", "gateway", "istio-egress", gateway),
    )


def documents() -> list[dict[str, Any]]:
    """The objects, in file order."""
    return [d for d in yaml.safe_load_all((Path(__file__).parent / "fixture.yaml").read_text()) if d]
