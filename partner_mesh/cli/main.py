"""The command's entry, and the promise that nobody outside sees a traceback.

Exit status: 0 good, 1 findings, 2 bad input. What `direct` cannot read, or need not read fast, typer does.
"""

import os
import sys
from typing import Any

from partner_mesh.cli import direct
from partner_mesh.cli.garbage import collect_rarely


def __getattr__(name: str) -> Any:
    """`app`, the command as typer has it: loaded for whoever asks."""
    if name != "app":
        raise AttributeError(name)
    from partner_mesh.cli.verbs import app  # noqa: PLC0415 - typer takes longer to load than a small folder to judge

    return app


def _called() -> None:
    status = direct.called(sys.argv[1:])
    if status is None:
        __getattr__("app")()
    sys.exit(status)


def run() -> None:
    """Run the command. A fault of ours is one sentence and exit status 70, with its traceback only on request."""
    collect_rarely()
    try:
        _called()
    except BrokenPipeError:  # `partner-mesh render dev | head`: nobody reads on, which is no error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:  # the last line of defence before a person
        if os.environ.get("PARTNER_MESH_TRACEBACK"):
            import traceback  # noqa: PLC0415 - only for whoever looks into a fault

            traceback.print_exc()
        sys.stderr.write(
            f"partner-mesh: a fault in partner-mesh itself ({type(error).__name__}); "
            "run again with PARTNER_MESH_TRACEBACK=1 and report what it prints\n"
        )
        sys.exit(70)


if __name__ == "__main__":
    run()
