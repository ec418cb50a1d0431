"""The program in a folder of its own under the real engine: what it did, as data."""

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from pulumi import automation

REPOSITORY: Final = Path(__file__).parents[2]
_PROGRAM: Final = ("Pulumi.yaml", "__main__.py", "components", "partner_mesh")
_LOUD: Final = frozenset({"warning", "error"})
# The engine's own default providers; what another stack exports, which each run reads and none makes.
_NO_STEP_OF_OURS: Final = re.compile(r"::pulumi:providers:\w+::default(_\w+)?$|::pulumi:pulumi:StackReference::")
# Remarks on this machine's installation: where a plugin lies, which version it is; and an event of
# the API server's own round of repairs, when it comes by while a Service is being deleted.
_NOT_OF_THE_PROGRAM: Final = re.compile(
    r"using pulumi-\S+ from \$PATH|resource plugin \S+ is expected to have version"
    r"|ClusterIPNotAllocated: Cluster IP \S+ \S+ is not allocated; repairing"
)


@dataclass(slots=True)
class Outcome:
    """What one run of the engine did: URN → operation (`create`, `same`, `update`, `delete`…) in the order of the
    steps, and every warning and error it printed.
    """

    steps: dict[str, str] = field(default_factory=dict)
    diagnostics: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)  # of a policy pack

    def heard(self, event: automation.EngineEvent) -> None:
        """Called by the engine for each of its events."""
        if event.resource_pre_event is not None:
            step = event.resource_pre_event.metadata
            if not _NO_STEP_OF_OURS.search(step.urn):
                self.steps[step.urn] = str(step.op.value)
        if (violation := event.policy_event) is not None and violation.enforcement_level == "mandatory":
            self.violations.append(f"{violation.policy_name} {violation.resource_urn}: {violation.message}")
        remark = event.diagnostic_event
        if remark is not None and remark.severity in _LOUD and not _NOT_OF_THE_PROGRAM.search(remark.message):
            self.diagnostics.append(remark.message.strip())

    def by_operation(self) -> dict[str, int]:
        """Operation → how many, sorted."""
        operations = list(self.steps.values())
        return {operation: operations.count(operation) for operation in sorted(set(operations))}

    def of(self, operation: str) -> tuple[str, ...]:
        """The URNs of one operation."""
        return tuple(urn for urn, what in self.steps.items() if what == operation)


@dataclass(frozen=True, slots=True)
class Deployment:
    """One stack of the program in `directory`, a copy with its own backend: nothing of the repository is written."""

    directory: Path
    _stack: automation.Stack
    _options: automation.LocalWorkspaceOptions

    def beside(self, stack: str) -> "Deployment":
        """One more stack of the same program in the same backend."""
        made = automation.create_stack(stack, work_dir=str(self.directory), opts=self._options)
        return Deployment(self.directory, made, self._options)

    def preview(self, policy_pack: Path | None = None) -> Outcome:
        packs = None if policy_pack is None else [str(policy_pack)]
        return _outcome(lambda heard: self._stack.preview(on_event=heard, policy_packs=packs))

    def up(self, *, without: str | None = None) -> Outcome:
        """`without`: the URN of a resource that is left out with everything that depends on it: their steps are `same`.
        A provider itself is made all the same: the engine never leaves one out.
        """
        left_out = None if without is None else [without]
        return _outcome(lambda heard: self._stack.up(on_event=heard, exclude=left_out, exclude_dependents=True))

    def refresh(self) -> Outcome:
        return _outcome(lambda heard: self._stack.refresh(on_event=heard))

    def destroy(self) -> Outcome:
        return _outcome(lambda heard: self._stack.destroy(on_event=heard))

    def refused_destroy(self) -> str:
        """The engine's words on a destroy that must not be carried out: of its preview, which a person's destroy begins
        with. (`destroy` of this library skips it, and comes to what is protected when all that depends on it is gone.)
        """
        try:
            self._stack.preview_destroy()
        except automation.CommandError as error:
            return str(error)
        raise AssertionError("the stack would be destroyed")

    def state(self) -> str:
        """The stack's whole state as the backend keeps it."""
        return json.dumps(self._stack.export_stack().deployment)

    def outputs(self) -> Mapping[str, object]:
        return {name: output.value for name, output in self._stack.outputs().items()}


def assert_only(outcome: Outcome, operation: str) -> None:
    """Every step was that operation, there were some, and the engine had nothing to remark."""
    others = {urn: what for urn, what in outcome.steps.items() if what != operation}
    assert others == {}, others
    assert outcome.steps
    assert outcome.diagnostics == [], outcome.diagnostics


def deployment(directory: Path, stack: str, files: Sequence[Path], environment: Mapping[str, str]) -> Deployment:
    """Copy the program and `files` (stack files, partner folders) into `directory` and make the stack there."""
    program = directory / "program"
    state = directory / "state"
    state.mkdir(parents=True)
    program.mkdir()
    for source in (*(REPOSITORY / name for name in _PROGRAM), *files):
        _copy(source, program / source.name)
    (program / ".venv").symlink_to(sys.prefix)  # Pulumi.yaml names it; the tests' own environment stands in
    own = {
        "PULUMI_BACKEND_URL": state.as_uri(),
        "PULUMI_CONFIG_PASSPHRASE": "only for this test",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PATH": program_path(),
        **environment,
    }
    options = automation.LocalWorkspaceOptions(work_dir=str(program), env_vars=own)
    return Deployment(program, automation.create_stack(stack, work_dir=str(program), opts=options), options)


def program_path() -> str:
    """PATH with this environment's programs first."""
    return f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}"


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copyfile(source, target)


def _outcome(run: Callable[[Callable[[automation.EngineEvent], None]], object]) -> Outcome:
    outcome = Outcome()
    run(outcome.heard)
    return outcome
