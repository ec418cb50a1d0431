"""What `diff --against` may name: a git revision, a folder, a saved plan, or a live cluster."""

import io
import subprocess
import tarfile
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import yaml

from partner_mesh.analysis.resources import Loaded, Note, Resource, Source
from partner_mesh.analysis.server_defaults import undefaulted
from partner_mesh.cli import objects
from partner_mesh.cli.options import Refusal
from partner_mesh.config.loader import load_stack
from partner_mesh.config.problems import ConfigurationError, as_text
from partner_mesh.config.stack import Stack
from partner_mesh.model.names import MANAGED_BY, MANAGED_BY_LABEL, SECURITY_GROUP_API
from partner_mesh.model.record import dataclass

CLUSTER: Final = "cluster"
PARTNERS: Final = "partner-mesh:partners"
_NO_CONTEXT: Final = "--against cluster needs --context NAME, a context of the kubeconfig"
_GROUPS: Final = ("SecurityGroup", "SecurityGroupPolicy")


class UnknownReferenceError(Refusal):
    """What is named cannot be compared with; the text says why and what to name instead."""


@dataclass(frozen=True, slots=True)
class Sides:
    """Both sets of objects. `stack` is the other side's configuration where it was one."""

    before: Loaded
    after: Loaded
    stack: Stack | None
    title: str


def sides(name: str, stack: Stack, config_dir: Path, context: str | None) -> Sides:
    """The objects of what is named, and those of the stack beside them. Raises UnknownReferenceError."""
    after = objects.of_stack(stack, config_dir)
    if name == CLUSTER:
        return _cluster(after, context)
    path = Path(name)
    if path.is_file() and path.name == "plan.json":
        path = path.parent
    if (path / f"Pulumi.{stack.name}.yaml").is_file():
        other = _configuration(stack.name, path, name)
        return Sides(objects.of_stack(other, path), after, other, name)
    if (path / "plan.json").is_file() and (path / "objects").is_dir():
        return _beside(objects.of_folder(path / "objects"), after, f"the plan in {path}")
    if path.exists():
        return _folder_sides(path, after)
    with revision(name, stack.name, config_dir) as checked_out:
        other = _configuration(stack.name, checked_out, name)
        return Sides(objects.of_stack(other, checked_out), after, other, name)


def _folder_sides(path: Path, after: Loaded) -> Sides:
    """A folder of manifests: as `render --out` wrote it, or with its own Deployments."""
    loaded = objects.of_folder(path)
    kinds = {each.kind for each in loaded.resources}
    if "Deployment" in kinds or "Pod" in kinds:
        return Sides(loaded, after, None, str(path))
    return _beside(loaded, after, str(path))


def _configuration(stack: str, directory: Path, name: str) -> Stack:
    try:
        return load_stack(stack, directory)
    except ConfigurationError as error:
        text = as_text(error.problems)
        raise UnknownReferenceError(f"the configuration of {name} has mistakes of its own:\n{text}") from None


def _beside(deployed: Loaded, after: Loaded, title: str) -> Sides:
    """Objects that were deployed, among the workloads and group rules of today: those were not written down."""
    mine = [each for each in after.resources if not _ours(each)]
    known = {each.key for each in mine}
    kept = [each for each in deployed.resources if each.key not in known]
    return Sides(Loaded((*kept, *mine), deployed.notes), after, None, title)


def _ours(resource: Resource) -> bool:
    """Whether an object is one that we deploy, and no document of what stands around it."""
    return resource.labels.get(MANAGED_BY_LABEL) == MANAGED_BY and resource.api_version != SECURITY_GROUP_API


def _cluster(after: Loaded, context: str | None) -> Sides:
    """Drift: the live objects, against the same cluster with our objects as configured.

    Group rules are AWS's and their ids differ: security groups are left out of both sides.
    """
    if context is None:
        raise UnknownReferenceError(_NO_CONTEXT)
    live, kinds = objects.live_and_kinds(context)
    return drift(live, after, context, kinds)


def folder_sides(name: str, folder: Path, context: str | None) -> Sides:
    """The objects of a folder of manifests, beside another folder's or a cluster's. Raises Refusal."""
    after = objects.of_folder(folder)
    if name == CLUSTER:
        if context is None:
            raise UnknownReferenceError(_NO_CONTEXT)
        live, kinds = objects.live_and_kinds(context)
        return drift(live, after, context, kinds, ours=lambda _: True)
    if not Path(name).exists():
        raise UnknownReferenceError(f"--against {name}: with --manifests, name a folder, a file or `cluster`")
    return Sides(objects.of_folder(Path(name)), after, None, name)


def drift(
    live: Loaded,
    after: Loaded,
    title: str,
    listed: frozenset[tuple[str, str]] = frozenset(),
    ours: Callable[[Resource], bool] = _ours,
) -> Sides:
    """The live objects, and what they should be.

    Kinds that were not `listed` and of which no object was read are not compared: nobody knows what there is of them.
    """
    kinds = listed or {(each.group, each.kind) for each in live.resources}
    mine = [each for each in after.resources if ours(each) and each.kind not in _GROUPS]
    wanted = {each.key: each for each in mine if (each.group, each.kind) in kinds}
    there = [
        undefaulted(each, wanted[each.key]) if each.key in wanted else each
        for each in live.resources
        if each.kind not in _GROUPS
    ]
    rest = [each for each in there if not _ours(each) and each.key not in wanted]
    left_out = Counter(f"{each.kind} ({each.api_version})" for each in mine if (each.group, each.kind) not in kinds)
    untold = tuple(
        Note(Source(f"cluster {title}"), f"{kind}: {count} not compared, for none was read of the cluster")
        for kind, count in sorted(left_out.items())
    )
    notes = (*live.notes, *untold)
    return Sides(Loaded(tuple(there), notes), Loaded((*wanted.values(), *rest), notes), None, f"cluster {title}")


# Git ---------------------------------------------------------------------------------------------------------------


@contextmanager
def revision(name: str, stack: str, config_dir: Path) -> Iterator[Path]:
    """The configuration of a git revision in a folder of its own: the stack's file and its partners, nothing else."""
    top = _git(config_dir, "rev-parse", "--show-toplevel").decode().strip()
    prefix = _git(config_dir, "rev-parse", "--show-prefix").decode().strip()
    if name.startswith("-"):
        raise UnknownReferenceError(f"--against {name}: not a revision")
    try:
        commit = _git(Path(top), "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").decode().strip()
    except UnknownReferenceError:
        raise UnknownReferenceError(
            f"--against {name}: no git revision, no folder and no saved plan; fetch it, or name one that is there"
        ) from None
    file = f"{prefix}Pulumi.{stack}.yaml"
    try:
        text = _git(Path(top), "show", f"{commit}:{file}").decode("utf-8")
    except UnknownReferenceError:
        raise UnknownReferenceError(f"--against {name}: {file} is not there in that revision") from None
    paths = [file, *(f"{prefix}{each}" for each in _folders(text))]
    with tempfile.TemporaryDirectory(prefix="partner-mesh-") as folder:
        _extract(Path(top), commit, [each for each in paths if _there(Path(top), commit, each)], Path(folder))
        yield Path(folder) / prefix


def _folders(text: str) -> list[str]:
    """The folder of partners that a stack's file names, if it names one."""
    try:
        config = (yaml.safe_load(text) or {}).get("config") or {}
    except (yaml.YAMLError, AttributeError):
        return []
    partners = config.get(PARTNERS) if isinstance(config, Mapping) else None
    return [partners] if isinstance(partners, str) and not partners.startswith(("/", "..")) else []


def _there(top: Path, commit: str, path: str) -> bool:
    return bool(_git(top, "ls-tree", "--name-only", commit, "--", path.rstrip("/")).strip())


def _extract(top: Path, commit: str, paths: list[str], folder: Path) -> None:
    archive = _git(top, "archive", "--format=tar", commit, "--", *paths)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")


def _git(folder: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, check=False)  # noqa: S603, S607 - arguments are ours or verified revisions, no shell
    except OSError as error:
        raise UnknownReferenceError(f"git cannot be run: {error}") from None
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise UnknownReferenceError(f"git: {said[-1] if said else 'failed'}")
    return done.stdout
