"""Whatever stands in a file: a Stack, or a ConfigurationError that places and explains every mistake."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from partner_mesh.config import documents
from partner_mesh.config.loader import load_stack, load_values
from partner_mesh.config.problems import ConfigurationError
from tests.strategies import Section, configurations

VALID = Path(__file__).parent / "valid"
QUICK = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(("", "on", "{*}", "0.0.0.0/0", "{secure: x}", "[secret]", "-1", "1e999", "2027-13-45", "a" * 300)),
)
keys = st.sampled_from(("name", "inbound", "outbound", "routes", "kind", "secure", "host", "partners")) | st.text(
    max_size=8
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3), max_leaves=12
)


def outcome(read: Any) -> ConfigurationError | None:
    """None for a Stack, else the error, which must be complete."""
    found: ConfigurationError | None = None
    try:
        read()
    except ConfigurationError as error:
        found = error
    if found is not None:
        assert found.problems
        assert all(problem.reason and problem.remedy for problem in found.problems)
    return found


def parts(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of everything inside a value."""
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        found += parts(inner, (*path, key))
    return found


@st.composite
def mutated(draw: st.DrawFn) -> Section:
    """A valid configuration with one to three parts replaced, removed or misspelt."""
    configuration = copy.deepcopy(draw(configurations()))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from(parts(configuration)))
        container: Any = configuration
        for part in path[:-1]:
            container = container[part]
        change = draw(st.sampled_from(("replace", "remove", "misspell", "repeat")))
        if change == "replace":
            container[path[-1]] = draw(values)
        elif change == "misspell" and isinstance(container, dict):
            container[f"{path[-1]}x"] = container.pop(path[-1])
        elif change == "repeat" and isinstance(container, list):
            container.append(copy.deepcopy(container[path[-1]]))
        else:
            del container[path[-1]]
    return configuration


@QUICK
@given(mutated())
def test_a_mutated_configuration_is_a_stack_or_an_explanation(configuration: Section) -> None:
    outcome(lambda: load_values("test", configuration, Path("/nonexistent")))


@settings(QUICK, max_examples=60)
@given(mutated())
def test_a_file_says_what_the_values_say(tmp_path: Path, configuration: Section) -> None:
    """The engine's values and the file that they come from meet the same rules."""
    (tmp_path / "partners").mkdir(exist_ok=True)
    sections = {f"partner-mesh:{name}": section for name, section in configuration.items() if name != "region"}
    config = {"aws:region": configuration["region"], **sections} if "region" in configuration else sections
    (tmp_path / "Pulumi.test.yaml").write_text(json.dumps({"config": config}))

    from_file = outcome(lambda: load_stack("test", tmp_path))
    from_values = outcome(lambda: load_values("test", configuration, Path("/nonexistent")))

    # In a file `secure` marks what is encrypted, and a key without value is a mistake; values given are simply absent.
    sections_given = all(section is not None for section in configuration.values())
    if sections_given and "secure" not in str(configuration) and "nan" not in str(configuration).lower():
        assert (from_file is None) == (from_values is None)
    for error in filter(None, (from_file,)):
        assert all(problem.line >= 1 for problem in error.problems)


@QUICK
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode) | values.map(lambda v: yaml.dump(v).encode()))
@example(b"a: &a [*a]")
@example(b"[" * 100)
@example(b"? {a: b}\n: c")
@example(b"%YAML 9.9\n---\na: b")
@example(b"a: !!timestamp 2001-01-01")
@example(b"\xff\xfea")
@example(b"&a a: *a")
@example(b"- - - - a\n- b: {c: [d, {e: f}]}")
def test_any_bytes_as_a_partner_file(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "partners" / "dev").mkdir(parents=True, exist_ok=True)
    (tmp_path / "Pulumi.dev.yaml").write_bytes((VALID / "Pulumi.dev.yaml").read_bytes())
    (tmp_path / "partners" / "dev" / "x.yaml").write_bytes(raw)

    assert outcome(lambda: load_stack("dev", tmp_path)) is not None


@QUICK
@given(st.binary(max_size=200) | values.map(lambda v: yaml.dump({"config": v}).encode()))
def test_any_bytes_as_a_stack_file(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "Pulumi.dev.yaml").write_bytes(raw)

    assert outcome(lambda: load_stack("dev", tmp_path)) is not None


@QUICK
@given(st.text(max_size=30))
def test_any_stack_name(name: str) -> None:
    assert name == "dev" or outcome(lambda: load_stack(name, VALID)) is not None


printable = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | printable,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(printable, inner, max_size=3),
    max_leaves=15,
)


@given(json_values)
def test_json_reads_as_itself(value: Any) -> None:
    """JSON is YAML: whatever a program writes as JSON comes back unchanged."""
    document = documents.parse(json.dumps(value, ensure_ascii=False), "x.yaml")

    assert document.problems == ()
    assert document.value == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # YAML 1.2 core schema, where 1.1 says True, 750, a date, octal, None
        ("on", "on"),
        ("yes", "yes"),
        ("NO", "NO"),
        ("12:30", "12:30"),
        ("2027-03-01", "2027-03-01"),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("~", None),
        ("Null", None),
        ("True", True),
        ("1e3", 1000.0),
        (".5", 0.5),
        ("+12", 12),
        ("1.31", 1.31),
        ("'1.31'", "1.31"),
        ("!!str 12", "12"),
        ("=", "="),
        ("-", [None]),
    ],
)
def test_scalars_are_those_of_the_core_schema(text: str, value: Any) -> None:
    assert documents.parse(text, "x.yaml").value == value


def test_on_is_a_key() -> None:
    assert documents.parse("retries: {on: [5xx]}", "x.yaml").value == {"retries": {"on": ["5xx"]}}
