"""Which YAML emitter: the objects of 100 two-way partners, several emitters in one process, as ratios."""

import io
import time
from collections.abc import Callable, Mapping
from typing import Any

import yaml
import yaml12
from ruamel.yaml import YAML

from bench.compile import documents
from bench.partners import names_and_ranges
from partner_mesh.model.serialize import dump


def _ruamel(document: Mapping[str, Any]) -> str:
    stream = io.StringIO()
    YAML(typ="safe", pure=True).dump(document, stream)
    return stream.getvalue()


EMITTERS: dict[str, Callable[[Mapping[str, Any]], str]] = {
    "partner_mesh.model.serialize": dump,
    "py-yaml12 alone": yaml12.format_yaml,
    "PyYAML, libyaml": lambda d: str(yaml.dump(d, Dumper=yaml.CSafeDumper, sort_keys=False)),
    "PyYAML, Python": lambda d: str(yaml.dump(d, sort_keys=False)),
    "ruamel.yaml, Python": _ruamel,
}


def main() -> None:
    """Print the table."""
    objects = documents(names_and_ranges(100))
    print(f"Serialise {len(objects)} objects (best of 3)\n\n{'emitter':30} seconds  ratio")
    first: float | None = None
    for name, emit in EMITTERS.items():
        seconds = min(_timed(emit, objects) for _ in range(3))
        first = first or seconds
        print(f"{name:30} {seconds:7.3f} {seconds / first:6.1f}×")


def _timed(emit: Callable[[Mapping[str, Any]], str], objects: list[dict[str, Any]]) -> float:
    began = time.perf_counter()
    for document in objects:
        emit(document)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
