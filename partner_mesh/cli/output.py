"""Folders of generated files: written beside, then swapped in as a whole, so that nobody ever reads half of one."""

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from partner_mesh.cli.options import Refusal
from partner_mesh.model import Manifest

# Says that a folder is ours to replace: what a person keeps there would go with it.
MARKER: Final = ".partner-mesh"


class OutputError(Refusal):
    """A folder that is not to be replaced, or cannot be written; the text says which and why."""


def file_name(manifest: Manifest) -> str:
    """Where an object's file lies: `istio-partners/VirtualService.networking.istio.io.acme.yaml`.

    Kind and group tell apart what two APIs name alike (NetworkPolicy); cluster-scoped objects lie in `cluster`.
    """
    group = manifest.api_version.rpartition("/")[0]
    return f"{manifest.namespace or 'cluster'}/{'.'.join(filter(None, (manifest.kind, group, manifest.name)))}.yaml"


def replace_folder(folder: Path, files: Mapping[str, str]) -> None:
    """Make `folder` hold exactly these files (relative path → text). Files of earlier runs are gone afterwards.

    Raises OutputError for a folder that holds something which no earlier run wrote, and for what cannot be written.
    """
    if folder.exists() and not _ours(folder):
        raise OutputError(f"{folder} holds files that partner-mesh did not write; name an empty or a new folder")
    beside, before = (folder.with_name(f".{folder.name}.{part}-{os.getpid()}") for part in ("new", "old"))
    try:
        shutil.rmtree(beside, ignore_errors=True)
        _write(beside, files)
        if folder.exists():
            folder.rename(before)
        beside.rename(folder)
    except OSError as error:
        if before.exists() and not folder.exists():
            before.rename(folder)
        raise OutputError(f"{folder} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)
        shutil.rmtree(before, ignore_errors=True)


def _ours(folder: Path) -> bool:
    """Whether an earlier run made the folder, or nobody put anything into it."""
    return folder.is_dir() and ((folder / MARKER).is_file() or not any(folder.iterdir()))


def _write(folder: Path, files: Mapping[str, str]) -> None:
    folder.mkdir(parents=True)
    (folder / MARKER).write_text("Written by partner-mesh; the next run replaces this folder.\n", encoding="utf-8")
    made = {folder}
    for name, text in files.items():
        path = folder / name
        if path.parent not in made:
            path.parent.mkdir(parents=True, exist_ok=True)
            made.add(path.parent)
        path.write_text(text, encoding="utf-8")
