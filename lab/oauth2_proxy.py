"""oauth2-proxy, the program that signs web users in, run beside its sidecar as its chart would run it.

Built from a pinned Go module of its own (`tools/login`), apart from the lab's other programs: who tries no login builds
none of it. `python -m lab.oauth2_proxy` builds it; about a minute and a half on two cores, then nothing.

The chart is in no registry that serves it as an archive here; what it makes of the values is taken from its own
documentation: `extraArgs` become `--name=value`, `config.configFile` the file behind `--config`, `extraEnv` the
environment. The Deployment around it is the inventory's.
"""

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

from lab import LabError
from lab.control import Lab
from lab.tools import Progress, locked
from partner_mesh.model import ChartRelease
from partner_mesh.specs.login_provider import PORT

MODULE: Final = Path(__file__).parent / "tools" / "login"
NAME: Final = "oauth2-proxy"
PACKAGE: Final = "github.com/oauth2-proxy/oauth2-proxy/v7"


def program() -> Path:
    """Where it is, or will be."""
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    pins = b"".join((MODULE / name).read_bytes() for name in ("go.mod", "go.sum"))
    return root / "partner-mesh/login" / hashlib.sha256(pins).hexdigest()[:16] / NAME


def build(progress: Progress = lambda _: None) -> Path:
    """It, built if it was not. Raises LabError with what the compiler says."""
    built = program()
    built.parent.mkdir(parents=True, exist_ok=True)
    with locked(built.parent / "lock", progress):
        if not built.is_file():
            progress(f"building {NAME} into {built.parent} (once)")
            partial = built.with_suffix(".partial")
            command = ["go", "build", "-ldflags=-s", "-o", str(partial), PACKAGE]
            done = subprocess.run(command, cwd=MODULE, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                last = "\n".join(done.stderr.splitlines()[-15:])
                raise LabError(f"lab tools: go build of {NAME} failed with status {done.returncode}:\n{last}")
            partial.rename(built)
    return built


@dataclass(slots=True)
class Proxy:
    """One that runs. A context manager."""

    process: subprocess.Popen[bytes]

    @classmethod
    def start(cls, lab: Lab, release: ChartRelease, secret: Mapping[str, str]) -> Self:
        """In the pod that the release's Deployment is, with the values of its Secret."""
        values: Mapping[str, Any] = release.values
        config = lab.directory / f"{release.name}.cfg"
        config.write_text(values["config"]["configFile"])
        given = {entry["name"]: secret[entry["valueFrom"]["secretKeyRef"]["key"]] for entry in values["extraEnv"]}
        arguments = [f"--{name}={value}" for name, value in values["extraArgs"].items()]
        command = [str(program()), f"--http-address=0.0.0.0:{PORT}", f"--config={config}", *arguments]
        with (lab.directory / "logs" / f"{release.name}.log").open("ab") as log:
            inside = lab.command_inside(command, pod=f"{release.namespace}.{release.name}")
            return cls(
                subprocess.Popen(
                    inside,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={**os.environ, **given},
                    start_new_session=True,  # nsenter stays between us and it
                )
            )

    def stop(self) -> None:
        """End it."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.stdout.write(f"{build(_say)}\n")
