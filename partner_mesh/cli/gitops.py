"""A tree that Argo CD or Flux applies as it is: folders by what must be there before what.

Each folder has its `kustomization.yaml`, and the root's lists all of them. Argo CD goes by the sync wave that every
object carries (argo-cd.readthedocs.io, "Sync phases and waves"); Flux has no waves: one Kustomization a folder with
`dependsOn`, or the root as a whole, which it applies with namespaces first and then again until all is accepted.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from partner_mesh.cli.output import file_name
from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.record import replace
from partner_mesh.model.serialize import dump
from partner_mesh.specs.compiled import Compiled

WAVE: Final = "argocd.argoproj.io/sync-wave"
RESTARTS: Final = "restarts"  # not listed by the root: its objects are fields of Deployments that others own

# Their ids come out of AWS when Pulumi makes the groups and load balancers: nobody else can write them down.
OF_AWS: Final = ("SecurityGroupPolicy", "TargetGroupBinding")

Placed = tuple[str, Manifest]  # folder, object


def tree(stack: Stack, compiled: Compiled) -> dict[str, str]:
    """Relative path → YAML of everything that needs no value of AWS. A shard's stack writes its partners alone."""
    placed = [each for each in _placed(stack, compiled) if each[1].kind not in OF_AWS]
    waves = {folder: str(number) for number, folder in enumerate(dict.fromkeys(_top(folder) for folder, _ in placed))}
    found: dict[str, str] = {}
    for folder, manifest in placed:
        annotated = replace(manifest, annotations={**manifest.annotations, WAVE: waves[_top(folder)]})
        found[f"{folder}/{_file(folder, manifest)}"] = dump(annotated.document())
    kustomizations = _kustomizations(tuple(found))
    found |= {name: text for name, text in kustomizations.items() if not name.startswith(RESTARTS)}
    restarts = {
        f"{RESTARTS}/{file_name(each)}": dump(each.document()) for every in compiled.restarts.values() for each in every
    }
    if restarts and stack.platform.shared is None:
        own = _kustomizations(tuple(restarts))
        found |= restarts | {name: text for name, text in own.items() if name.startswith(RESTARTS)}
    return found


def left_to_pulumi(stack: Stack, compiled: Compiled) -> int:
    """How many objects the tree leaves out."""
    return sum(manifest.kind in OF_AWS for _, manifest in _placed(stack, compiled))


def _placed(stack: Stack, compiled: Compiled) -> Iterator[Placed]:
    """Every object with its folder, in the order of waves: baseline denials before anything that admits."""
    partners = _grouped("5-partners", compiled.partners)
    if stack.platform.shared is not None:
        yield from partners
        return
    everything = [
        *(("1-mesh", each) for each in compiled.mesh),
        *_grouped("2-gateways", compiled.gateways),
        *_grouped("3-namespaces", compiled.namespaces),
        *_grouped("4-applications", compiled.applications),
        *partners,
        *(("6-observability", each) for each in compiled.observability),
    ]
    yield from (("0-namespaces", each) for _, each in everything if each.kind == "Namespace")
    yield from (each for each in everything if each[1].kind != "Namespace")


def _grouped(folder: str, groups: Mapping[str, Iterable[Manifest]]) -> list[Placed]:
    return [(f"{folder}/{name}", each) for name, manifests in groups.items() for each in manifests]


def _top(folder: str) -> str:
    return folder.partition("/")[0]


def _file(folder: str, manifest: Manifest) -> str:
    """The object's file; in the folder of all namespaces the names suffice."""
    return f"{manifest.name}.yaml" if folder == "0-namespaces" else file_name(manifest)


def _kustomizations(files: tuple[str, ...]) -> dict[str, str]:
    """One for the folder of each level, naming what lies directly in it or in folders without one of their own."""
    children: dict[str, dict[str, None]] = {}
    for path in files:
        parts = path.split("/")
        # The folder of an owner lists its files whole; the folders of namespaces below it have nothing of their own.
        depth = 1 if parts[0] in ("0-namespaces", "1-mesh", "6-observability", RESTARTS) else 2
        for level in range(depth):
            children.setdefault("/".join(parts[:level]), {})[parts[level]] = None
        children.setdefault("/".join(parts[:depth]), {})["/".join(parts[depth:])] = None
    return {
        f"{folder}/kustomization.yaml".lstrip("/"): dump(
            {
                "apiVersion": "kustomize.config.k8s.io/v1beta1",
                "kind": "Kustomization",
                "resources": list(names),
            }
        )
        for folder, names in children.items()
    }
