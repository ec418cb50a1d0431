"""Edits change the bytes that they are about and no other."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML

from partner_mesh.cli.yaml_edit import EditError, remove, set_value

BLOCK = """\
# head
mesh:   # the mesh
  revision:   1-31-1   # at rest

  # accessLog: later
  "trustDomain": 'cluster.local'
other: {a: [1,2],b:  "x"}
"""
FLOW = 'mesh: { revision: "1-31-1" , tag: stable }  # short\nother: 1\n'


@pytest.mark.parametrize(
    ("text", "path", "value", "expected"),
    [
        (BLOCK, ["mesh", "revision"], "1-32-0", BLOCK.replace("1-31-1", "1-32-0")),
        (FLOW, ["mesh", "revision"], "1-32-0", FLOW.replace('"1-31-1"', "1-32-0")),
        (BLOCK, ["mesh", "revision"], "1-31-1", BLOCK),
        (FLOW, ["mesh", "revision"], "1-31-1", FLOW),
        (
            BLOCK,
            ["mesh", "upgrade"],
            {"to": "1-32-0", "namespaces": ["a"], "gateways": True},
            BLOCK.replace(
                "# at rest\n", "# at rest\n  upgrade: {to: 1-32-0, namespaces: [a], gateways: true}\n"
            ),
        ),
        (FLOW, ["mesh", "upgrade"], {"to": "2"}, FLOW.replace('"1-31-1"', '"1-31-1", upgrade: {to: "2"}')),
        ("a: {}\n", ["a", "b"], "c", "a: {b: c}\n"),
        ("a:\n  b: 1", ["a", "c"], "d", "a:\n  b: 1\n  c: d\n"),
        ("a:\r\n  b: x # y\r\nz: 1\r\n", ["a", "c"], "d", "a:\r\n  b: x # y\r\n  c: d\r\nz: 1\r\n"),
        ("a: {n: [x,  y]} # z\n", ["a", "n"], ["x", "y", "on"], 'a: {n: [x,  y, "on"]} # z\n'),
        ("a: {n: [x,  y]} # z\n", ["a", "n"], ["x"], "a: {n: [x]} # z\n"),
        ("a: {n: [x]} # z\n", ["a", "n"], ["q", "r"], "a: {n: [q, r]} # z\n"),
        ("n:\n  - x # one\n  - y\nm: 1\n", ["n"], ["x", "y", "z"], "n:\n  - x # one\n  - y\n  - z\nm: 1\n"),
        ("n:\n  - x # one\n  - y # two\nm: 1\n", ["n"], ["x"], "n:\n  - x # one\nm: 1\n"),
        (
            "u:\n  to: b # whither\n  n: [x]\n",
            ["u"],
            {"to": "b", "n": ["x", "w"], "g": True},
            "u:\n  to: b # whither\n  n: [x, w]\n  g: true\n",
        ),
        ("u:\n  to: b # whither\n  g: true # done\n# end\n", ["u"], {"to": "b"}, "u:\n  to: b # whither\n# end\n"),
    ],
)  # fmt: skip
def test_a_value_is_set_in_place(text: str, path: list[str], value: object, expected: str) -> None:
    after = "revision" if "revision" in text else None
    assert set_value(text, path, value, after=after) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nu: {to: x} # under way\nb: 2\n", "a: 1\nb: 2\n"),
        ("a: 1\nu:\n  to: x\n  n:\n    - p\n    - q # last\n\n# about b\nb: 2\n", "a: 1\n\n# about b\nb: 2\n"),
        ("a: 1\nu: {to: x}", "a: 1\n"),
        ("{a: 1, u: {to: x}, b: 2}\n", "{a: 1, b: 2}\n"),
        ("{u: {to: x}, b: 2}\n", "{b: 2}\n"),
        ("{u: {to: x}}\n", "{}\n"),
        ("# u: {to: x}\na: 1\n", "# u: {to: x}\na: 1\n"),
    ],
)
def test_a_key_is_removed_with_its_line(text: str, expected: str) -> None:
    assert remove(text, ["u"]) == expected


@pytest.mark.parametrize(
    ("text", "path", "value"),
    [
        ("a: 1\n", ["mesh", "revision"], "x"),
        ("mesh: text\n", ["mesh", "revision"], "x"),
        ("[1, 2]\n", ["mesh"], "x"),
        ("a: {b\n", ["a"], "x"),
        ("n:\n- x\n- y\n", ["n"], ["q"]),
    ],
)
def test_without_a_place_for_it_nothing_is_edited(text: str, path: list[str], value: object) -> None:
    with pytest.raises(EditError):
        set_value(text, path, value)


NAMES = st.lists(st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True), unique=True, max_size=4)


@given(NAMES, st.booleans(), st.booleans(), NAMES, st.booleans())
def test_what_is_set_is_read_again_and_removing_it_restores_the_text(
    first: list[str], gateways: bool, flow: bool, second: list[str], again: bool
) -> None:
    text = FLOW if flow else BLOCK
    value: dict[str, object] = {"to": "1-32-0", "namespaces": first} | ({"gateways": True} if gateways else {})
    edited = set_value(text, ["mesh", "upgrade"], value, after="revision")
    if again:
        value = {"to": "1-33-0", "namespaces": second, "promoted": True}
        edited = set_value(edited, ["mesh", "upgrade"], value, after="revision")
    assert YAML(typ="safe").load(edited)["mesh"]["upgrade"] == value
    assert remove(edited, ["mesh", "upgrade"]) == text
