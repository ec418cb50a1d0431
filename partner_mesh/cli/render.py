"""`partner-mesh render STACK`: the Kubernetes objects alone, from the core, without loading Pulumi."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from partner_mesh.cli import gitops
from partner_mesh.cli.options import ConfigDir, Refusal, StackName
from partner_mesh.cli.output import file_name, replace_folder
from partner_mesh.cli.stack import read
from partner_mesh.config.stack import Stack
from partner_mesh.model import Manifest
from partner_mesh.model.serialize import dump, dump_all
from partner_mesh.specs import compile_stack
from partner_mesh.specs.aws.load_balancers import target_group_bindings
from partner_mesh.specs.compiled import Compiled


def render(
    stack: StackName,
    out: Annotated[Path | None, typer.Option("--out", help="A folder to write one file an object into.")] = None,
    config_dir: ConfigDir = Path(),
    kustomize: Annotated[  # noqa: FBT002 - a flag of the command
        bool, typer.Option("--kustomize", help="With --out: a tree for Argo CD or Flux, in the order of its waves.")
    ] = False,
) -> None:
    """Write the stack's Kubernetes objects: as one YAML stream, or one file an object with --out."""
    if kustomize and out is None:
        raise Refusal("--kustomize writes a tree; name its folder with --out")
    config = read(stack, config_dir)
    compiled = compile_stack(config)
    manifests = objects(config, compiled)
    if out is None:
        sys.stdout.write(dump_all(each.document() for each in manifests))
        return
    left = gitops.left_to_pulumi(config, compiled) if kustomize else 0
    replace_folder(out, gitops.tree(config, compiled) if kustomize else files(manifests))
    bindings = len(manifests) - len(compiled.manifests) if config.platform.shared is None else 0
    typer.echo(f"{len(manifests) - left - (bindings if kustomize else 0)} objects in {out}", err=True)
    if left:
        kinds = " and ".join(gitops.OF_AWS)
        typer.echo(f"{kinds} hold ids that AWS gives out: they stay with `pulumi up`", err=True)


def objects(stack: Stack, compiled: Compiled) -> tuple[Manifest, ...]:
    """Every object that is deployed, in order; late values are stand-ins (`sg-<name>`, a target group's ARN).

    A shard's stack deploys its partners alone.
    """
    if stack.platform.shared is not None:
        return tuple(each for manifests in compiled.partners.values() for each in manifests)
    return (*compiled.manifests, *target_group_bindings(stack))


def files(manifests: tuple[Manifest, ...]) -> dict[str, str]:
    """Relative path → YAML. Raises ValueError should two objects be one to the API server."""
    found = {file_name(each): dump(each.document()) for each in manifests}
    if len(found) != len(manifests):
        names = [file_name(each) for each in manifests]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"two objects of one name: {', '.join(twice)}")
    return found
