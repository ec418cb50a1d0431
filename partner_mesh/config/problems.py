"""What is wrong in a configuration: where, why, and what would be right."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake. `line` and `column` count from 1; 0 where no file was at hand (values given by the engine).

    `key` is the path as a person would say it: `inbound[0].routes[1].path`; empty for the file as a whole.
    """

    file: str
    line: int
    column: int
    key: str
    reason: str
    remedy: str
    rule: str = "value"  # identifier of the rule that was broken

    def __str__(self) -> str:
        """`file:line: key: reason; remedy`, which editors and CI logs make clickable."""
        place = f"{self.file}:{self.line}" if self.line else self.file
        subject = f"{self.key}: " if self.key else ""
        return f"{place}: {subject}{self.reason}; {self.remedy}"


class ConfigurationError(Exception):
    """Every problem of a stack, sorted by place. Never empty."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(sorted(set(problems)))
        super().__init__(as_text(self.problems))


def as_text(problems: Iterable[Problem]) -> str:
    """One line a problem."""
    return "\n".join(str(problem) for problem in problems)


def as_json(problems: Iterable[Problem]) -> str:
    """`{"problems": [{file, line, column, key, reason, remedy, rule}]}`."""
    return json.dumps({"problems": [asdict(problem) for problem in problems]}, indent=2)


def key_path(parts: Iterable[str | int]) -> str:
    """`("routes", 0, "path")` as `routes[0].path`."""
    out = ""
    for part in parts:
        if isinstance(part, int):
            out += f"[{part}]"
        else:
            out += f".{part}" if out else part
    return out
