"""Whatever an object holds, every reader of its YAML sees the same."""

from typing import Any

import pytest
import yaml
import yaml12
from hypothesis import given
from hypothesis import strategies as st

from partner_mesh.model.serialize import dump, dump_all

AMBIGUOUS = (
    "on",
    "off",
    "yes",
    "NO",
    "y",
    "n",
    "1_000",
    "0b11",
    "0777",
    "1:30",
    "2027-01-01",
    "<<",
    "=",
    "null",
    "~",
    "true",
    "1",
    "1.5",
    "1_0.5",
    ".5",
    "1e3",
    "",
    " ",
    "# no",
    "a: b",
    "- a",
    "{*}",
    "*x",
    "&x",
    "!x",
    "%x",
    "@x",
    "`x",
    "'",
    '"',
    "a\nb",
    "\ttab",
    "0o17",
    "0x1F",
    ".inf",
    ".nan",
    "---",
    "...",
    "é",
    "🚀",
    "1:2:3",
    "12:30:45.5",
    "-",
    "?",
    ":",
    "a:",
    "2027-01-01 10:00:00",
    "+1_0",
)
strings = st.sampled_from(AMBIGUOUS) | st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="\u2028\u2029\ufeff\x85"), max_size=12
)
documents = st.recursive(
    strings | st.integers(-(2**31), 2**31) | st.booleans() | st.none(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(strings, inner, max_size=4),
    max_leaves=12,
).map(lambda value: {"spec": value})


@given(documents)
def test_yaml_1_1_and_1_2_read_the_same(document: dict[str, Any]) -> None:
    text = dump(document)
    assert yaml.safe_load(text) == document
    assert yaml12.parse_yaml(text) == document


@pytest.mark.parametrize("word", AMBIGUOUS)
def test_a_string_stays_a_string_for_a_yaml_1_1_reader(word: str) -> None:
    document = {"metadata": {"labels": {"a": word, "b": "x"}}, "items": [word, {word: word}, [[word]]]}
    assert yaml.safe_load(dump(document)) == document


@pytest.mark.parametrize("word", ["y", "Y", "n", "N", "yes", "on", "off"])
def test_words_that_only_kubectl_takes_for_booleans_are_quoted(word: str) -> None:
    """sigs.k8s.io/yaml resolves y and n; PyYAML does not, so reading back cannot show it."""
    assert f'"{word}"' in dump({"a": word, "b": [word]})


def test_documents_are_separated_as_helm_template_does() -> None:
    assert dump_all([{"a": 1}, {"b": [1, 2]}]) == "---\na: 1\n---\nb:\n  - 1\n  - 2\n"
