"""Other people's folders: whatever lies in them, every verb ends with 0, 1 or 2, and says file and line."""

import copy
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from partner_mesh.analysis.resources import load, of_documents
from partner_mesh.analysis.table import Table, declared, narrowed
from partner_mesh.analysis.yaml_nodes import DEEPEST
from partner_mesh.cli.main import app

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n"
GOOD = "apiVersion: v1\nkind: Pod\nmetadata: {name: good}\nspec: {containers: []}\n"
LEVELS = "".join(f"  a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12))
BOMB = f"{POD}spec:\n  a0: &a0 [x, x]\n{LEVELS}"


@pytest.mark.parametrize(
    ("name", "content", "note"),
    [
        ("bomb.yaml", BOMB, "bomb.yaml:1: not readable as YAML: its anchors stand for"),
        ("self.yaml", f"{POD}spec: &s\n  x: *s\n", "self.yaml:1: not readable as YAML: an anchor contains itself"),
        ("deep.yaml", f"{POD}spec: {'[' * 100_000}", f"nested deeper than {DEEPEST} levels"),
        ("deep.json", '{"spec": ' + "[" * 100_000, f"nested deeper than {DEEPEST} levels"),
        ("twice.yaml", "apiVersion: v1\nkind: Pod\nmetadata:\n  name: p\n  name: q\n",
         "twice.yaml:5: name is written twice: the last counts"),
        ("binary.yaml", bytes(range(256)), "binary.yaml: cannot be read: 'utf-8' codec"),
        ("wide.yaml", "apiVersion: v1".encode("utf-16"), "wide.yaml: cannot be read: 'utf-8' codec"),
        ("nul.yaml", b"\0", "nul.yaml:1: not readable as YAML: unacceptable character"),
        ("list.yaml", "apiVersion: v1\nkind: List\nitems: 5\n", "list.yaml:1: List: items must be a list, not int"),
        ("helm.yaml", "kind: {{ .Values.kind }}\n", "a Helm template: skipped; render the chart first"),
        ("tag.yaml", f"{POD}spec: !Ref x\n", "tag.yaml:4: not readable as YAML: could not determine a constructor"),
        ("number.yaml", f"{POD}spec: {'9' * 5000}\n", "number.yaml:1: not readable as YAML: Exceeds the limit"),
        ("api.yaml", "kind: Pod\nmetadata: {name: p}\n", "api.yaml:1: Pod without apiVersion: skipped"),
        ("group.yaml", POD.replace("v1", "apps/v1"), "group.yaml:1: there is no Pod in apps/v1: read as v1"),
        ("ports.yaml", f"{POD}spec: {{containers: [{{ports: 5}}]}}\n",
         "Pod default/p: spec.containers[0].ports must be a list, not int: it does not count"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.endswith((".yaml", ".json")) else "",
)  # fmt: skip
def test_what_is_wrong_with_a_file_is_said_and_the_rest_is_judged(
    tmp_path: Path, name: str, content: str | bytes, note: str
) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    code, output = run("reach", tmp_path)
    assert code == 0
    assert "default/good[Pod]" in output
    assert note in output


@pytest.mark.parametrize(
    "content",
    [
        GOOD.replace("\n", "\r\n"),
        f"---\n---\n{GOOD}---\n",
        "{\n\t" + json.dumps(yaml.safe_load(GOOD))[1:],
        f"\ufeff{GOOD}",
        GOOD.replace("{containers: []}", "&x {containers: []}"),
    ],
    ids=["CRLF", "empty documents", "JSON with tabs", "BOM", "an anchor"],
)
def test_odd_files_are_read_like_any_other(tmp_path: Path, content: str) -> None:
    (tmp_path / "odd.json").write_text(content, newline="")
    loaded = load(tmp_path)
    assert [each.title for each in loaded.resources] == ["Pod default/good"]
    assert not loaded.notes


def test_links_pipes_devices_and_folders_named_like_files_end_nothing(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    os.symlink("loop.yaml", tmp_path / "loop.yaml")
    os.symlink(".", tmp_path / "again")
    os.symlink("/dev/zero", tmp_path / "zero.yaml")
    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "folder.yaml").mkdir()
    loaded = load(tmp_path)
    assert [each.title for each in loaded.resources] == ["Pod default/good"]
    assert [str(each) for each in loaded.notes] == [
        f"{name}.yaml: is no regular file: skipped" for name in ("loop", "pipe", "zero")
    ]


def test_a_file_that_is_too_large_is_said(tmp_path: Path) -> None:
    with (tmp_path / "large.yaml").open("wb") as file:
        file.truncate(65 << 20)
    (tmp_path / "good.yaml").write_text(GOOD)
    assert [str(each) for each in load(tmp_path).notes] == [
        "large.yaml: has 65 MiB: skipped; files of up to 64 MiB are read"
    ]


def test_nothing_but_what_cannot_be_read_is_status_2_with_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: [")
    (tmp_path / "b.yaml").write_text("{{ b }}: [")
    for verb in ("reach", "check"):
        code, output = run(verb, tmp_path)
        assert code == 2
        assert "a.yaml:2: not readable as YAML" in output
        assert "b.yaml:2: a Helm template" in output


def run(verb: str, folder: Path, *more: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [verb, "--manifests", str(folder), *more])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.output


# Any field of any type ----------------------------------------------------------------------------------------------

SEEDS = [each for each in yaml.safe_load_all((Path(__file__).parent / "every_kind.yaml").read_text()) if each]
JUNK: list[Any] = [
    None, True, 0, -1, 3.5, 10**30, float("nan"), float("inf"), "", "x", "a/b", "*", "0.0.0.0/0", "::1", "{{ x }}",
    "80-90", 65536, [], [None], ["x"], [[]], {}, {"x": None}, {"matchLabels": [1]}, {"matchExpressions": [{"key": 1}]},
    [{"a": 1}], {"": 1}, {"name": {}},
]  # fmt: skip


def paths(value: Any, so_far: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if so_far and so_far[0] not in ("kind", "apiVersion"):
        yield so_far
    for key, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from paths(each, (*so_far, key))


PLACES = [(number, path) for number, seed in enumerate(SEEDS) for path in paths(seed)]
changes = st.lists(st.tuples(st.sampled_from(PLACES), st.sampled_from(JUNK)), min_size=1, max_size=6)


def broken(replaced: list[tuple[tuple[int, tuple[Any, ...]], Any]]) -> list[dict[str, Any]]:
    found = copy.deepcopy(SEEDS)
    for (number, path), junk in replaced:
        at: Any = found[number]
        try:
            for step in path[:-1]:
                at = at[step]
            at[path[-1]] = copy.deepcopy(junk)
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    return found


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(changes)
def test_no_type_of_any_field_ends_in_a_traceback(replaced: list[tuple[tuple[int, tuple[Any, ...]], Any]]) -> None:
    table = Table(of_documents(broken(replaced)))
    results = table.results()
    json.dumps(narrowed(results, declared(table.world)).document())


# Any text at all ----------------------------------------------------------------------------------------------------

TEXT = "---\n".join(yaml.safe_dump(each) for each in SEEDS[:12])
PIECES = [
    "\t",
    "\0",
    "---\n",
    "...\n",
    "{{ x }}",
    "&a ",
    "*a",
    "!!binary ",
    "<<: ",
    "? ",
    "[",
    "}",
    "\u2028",
    "'",
    "#",
    ": ",
]
edits = st.lists(
    st.tuples(st.integers(0, len(TEXT)), st.integers(0, 40), st.sampled_from(PIECES) | st.text(max_size=6)), max_size=8
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(edits, st.sampled_from(["reach", "check"]))
def test_no_text_ends_in_a_traceback_and_what_is_lost_is_told_with_its_place(
    edits: list[tuple[int, int, str]], verb: str
) -> None:
    text = TEXT
    for at, length, put in edits:
        text = text[:at] + put + text[at + length :]
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "good.yaml").write_text(GOOD)
        (Path(folder) / "odd.yaml").write_bytes(text.encode("utf-8", "surrogatepass"))
        code, _ = run(verb, Path(folder))
        assert code in (0, 1)
        loaded = load(folder)
        assert "Pod default/good" in [each.title for each in loaded.resources]
        told = [each.source for each in loaded.resources] + [each.source for each in loaded.notes]
        assert {each.file for each in told} <= {"odd.yaml", "good.yaml"}
