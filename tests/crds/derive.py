"""Istio's structural schemas without prose: `python tests/crds/derive.py CRD-FILE > tests/crds/istio.json`.

CRD-FILE is `manifests/charts/base/files/crd-all.gen.yaml` of istio.io/istio (Apache-2.0) at the version that the lab
pins. Kept are the newest served version of each kind, and of each schema all that constrains a value; descriptions and
CEL rules go. One line a kind, so that a newer Istio shows as a diff of kinds.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

DROPPED = ("description", "x-kubernetes-validations", "x-kubernetes-list-type", "x-kubernetes-list-map-keys")


def derive(text: str) -> str:
    """The committed file's text for a CRD file's."""
    kinds = {}
    for crd in yaml.load_all(text, yaml.CSafeLoader):
        spec = crd["spec"]
        version = next((v for v in spec["versions"] if v["name"] == "v1"), spec["versions"][-1])
        kinds[f"{spec['group']}/{version['name']}/{spec['names']['kind']}"] = _structural(
            version["schema"]["openAPIV3Schema"]["properties"]["spec"]
        )
    lines = (f"{json.dumps(kind)}:{json.dumps(kinds[kind], separators=(',', ':'))}" for kind in sorted(kinds))
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _structural(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_structural(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: _structural(value) for key, value in schema.items() if key not in DROPPED or isinstance(value, dict)}


if __name__ == "__main__":
    sys.stdout.write(derive(Path(sys.argv[1]).read_text(encoding="utf-8")))
