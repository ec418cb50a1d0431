"""What is of a wrong type is told of by its place, once for each place, and nothing that is right is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from partner_mesh.analysis.written import SHAPES, faults, items, mapping, mappings, port_number, whole

EXAMPLES: dict[type, Any] = {dict: {}, list: []}


@pytest.mark.parametrize(
    ("kind", "document", "expected"),
    [
        ("Pod", {"spec": {"containers": [{"ports": [{"containerPort": 80}]}]}}, []),
        ("Pod", {"spec": None, "metadata": {"labels": None}}, []),  # null is what nobody wrote
        ("Pod", {"spec": []}, ["spec must be a mapping, not list"]),
        ("Pod", {"spec": {"containers": {}}}, ["spec.containers must be a list, not dict"]),
        ("Pod", {"spec": {"containers": [{}, "x", {"ports": 80}]}},
         ["spec.containers[1] must be a mapping, not str", "spec.containers[2].ports must be a list, not int"]),
        ("Deployment", {"spec": {"template": {"metadata": {"labels": ["app"]}}}},
         ["spec.template.metadata.labels must be a mapping, not list"]),
        ("CronJob", {"spec": {"jobTemplate": {"spec": {"template": 1}}}},
         ["spec.jobTemplate.spec.template must be a mapping, not int"]),
        ("Service", {"spec": {"ports": [80], "selector": "app"}},
         ["spec.selector must be a mapping, not str", "spec.ports[0] must be a mapping, not int"]),
        ("Ingress", {"spec": {"rules": [{"http": {"paths": [{"backend": "web"}]}}]}},
         ["spec.rules[0].http.paths[0].backend must be a mapping, not str"]),
        ("AuthorizationPolicy", {"spec": {"rules": [{"from": "web"}]}}, ["spec.rules[0].from must be a list, not str"]),
        ("NetworkPolicy", {"spec": {"policyTypes": "Ingress"}}, ["spec.policyTypes must be a list, not str"]),
        ("Secret", {"spec": 1}, []),  # a kind that nobody reads
    ],
)  # fmt: skip
def test_each_field_of_a_wrong_type_is_named_by_its_place(kind: str, document: Any, expected: list[str]) -> None:
    assert list(faults(kind, document)) == expected


def written(path: str, value: Any) -> Any:
    """A document that holds a value at a place of the table, with one element in each list on the way."""
    head, _, rest = path.partition(".")
    name, depth = head.removesuffix("[]"), head.count("[]")
    inner = written(rest, value) if rest else value
    return {name: [inner]} if depth else {name: inner}


PLACES = [(kind, path, expected) for kind, shape in SHAPES.items() for path, expected in shape.items()]


@pytest.mark.parametrize(("kind", "path", "expected"), PLACES, ids=lambda each: each if isinstance(each, str) else "")
def test_every_place_of_the_table_takes_its_type_and_no_other(kind: str, path: str, expected: type) -> None:
    place = path.replace("[]", "[0]")
    assert list(faults(kind, written(path, EXAMPLES[expected]))) == []
    [fault] = faults(kind, written(path, 7))
    assert fault.startswith(f"{place} must be a ")
    assert fault.endswith(", not int")


@given(st.sampled_from(sorted(SHAPES)), st.recursive(st.none() | st.integers() | st.text(), lambda inner: (
    st.lists(inner) | st.dictionaries(st.sampled_from(["spec", "metadata", "rules", "ports", "template"]), inner)
)))  # fmt: skip
def test_no_document_makes_it_raise(kind: str, document: Any) -> None:
    for fault in faults(kind, document if isinstance(document, dict) else {"spec": document}):
        assert " must be a " in fault


@pytest.mark.parametrize(
    ("value", "number", "port"),
    [
        (80, 80, 80), ("80", 80, 80), (0, 0, None), (65535, 65535, 65535), (65536, 65536, None), (-1, -1, None),
        (True, None, None), (8.0, None, None), ("", None, None), ("http", None, None), ("٨", None, None),
        ("9" * 5000, None, None), (None, None, None), ([80], None, None),
    ],
)  # fmt: skip
def test_numbers_are_whole_and_ports_are_ports(value: Any, number: int | None, port: int | None) -> None:
    assert (whole(value), port_number(value)) == (number, port)


@pytest.mark.parametrize("value", [None, 1, "x", True])
def test_anything_else_reads_as_nothing(value: Any) -> None:
    assert (mapping(value), mappings(value), items(value)) == ({}, [], [])
    assert mappings([value, {"a": 1}]) == [{"a": 1}]
