"""Charts that bring their kinds and nothing that runs: what a platform's releases are tried with where no node is.

A chart of the real name and version holds definitions of the kinds that the stack's objects need of it, as open as a
definition can be, and a ConfigMap with the values it was given. Istio's definitions are Istio's own.
"""

import io
import json
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from components.objects import SERVED_BY
from components.program import deploy
from components.recording import record
from partner_mesh.config.stack import Stack
from partner_mesh.specs import compile_stack

Document = Mapping[str, Any]
Kind = tuple[str, str, bool]  # apiVersion, kind, whether it is namespaced

_TEMPLATE = """apiVersion: v1
kind: ConfigMap
metadata:
  name: values-of-{{ .Release.Name }}
data:
  values: {{ .Values | toJson | quote }}
"""


def kinds(stack: Stack) -> list[Kind]:
    """The kinds of every object that the program registers."""
    objects = [one.inputs for one in record(lambda: deploy(stack)) if one.custom and "kind" in one.inputs]
    return sorted({(one["apiVersion"], one["kind"], "namespace" in one["metadata"]) for one in objects})


def package(folder: Path, stack: Stack, istio: Sequence[Document]) -> None:
    """Fill `folder` as `helm pull` would: `<chart>-<version>.tgz` for each release of the stack."""
    folder.mkdir()
    known = kinds(stack)
    for release in compile_stack(stack).charts:
        own = istio if release.chart == "base" else _brought_by(release.chart, known)
        _write(folder / f"{release.chart}-{release.version}.tgz", release.chart, release.version, own)


def definitions(group: str, known: Iterable[Kind]) -> list[Document]:
    """A definition for each kind of a group."""
    return [_definition(*kind) for kind in known if kind[0].rpartition("/")[0] == group]


def _brought_by(chart: str, known: Sequence[Kind]) -> list[Document]:
    groups = sorted(group for group, charts in SERVED_BY.items() if charts[0] == chart and group != "projectcalico.org")
    return [definition for group in groups for definition in definitions(group, known)]


def _definition(api_version: str, kind: str, namespaced: bool) -> Document:
    group, _, version = api_version.partition("/")
    plural = f"{kind.lower().removesuffix('y')}ies" if kind.endswith("y") else f"{kind.lower()}s"
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{plural}.{group}"},
        "spec": {
            "group": group,
            "scope": "Namespaced" if namespaced else "Cluster",
            "names": {"kind": kind, "plural": plural, "singular": kind.lower()},
            "versions": [
                {
                    "name": version,
                    "served": True,
                    "storage": True,
                    "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
                    "subresources": {"status": {}},
                }
            ],
        },
    }


def _write(path: Path, chart: str, version: str, brought: Iterable[Document]) -> None:
    files = {
        "Chart.yaml": json.dumps({"apiVersion": "v2", "name": chart, "version": version}),
        "templates/values.yaml": _TEMPLATE,
        **{f"crds/{one['metadata']['name']}.yaml": json.dumps(one) for one in brought},
    }
    with tarfile.open(path, "w:gz") as archive:
        for name, text in files.items():
            content = text.encode()
            member = tarfile.TarInfo(f"{chart}/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
