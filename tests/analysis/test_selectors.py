"""Selectors of both languages, on tables of labels."""

from typing import Any

import pytest

from partner_mesh.analysis.calico_selectors import calico_selector
from partner_mesh.analysis.selectors import SelectorError, label_selector, selects

LABELS = {"app": "web", "tier": "front", "k8s.io/role": "edge"}


@pytest.mark.parametrize(
    ("written", "selected"),
    [
        (None, True),
        ({}, True),
        ({"matchLabels": {"app": "web"}}, True),
        ({"matchLabels": {"app": "web", "tier": "back"}}, False),
        ({"matchLabels": {"missing": "x"}}, False),
        ({"matchExpressions": [{"key": "app", "operator": "In", "values": ["api", "web"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["web"]}]}, False),
        ({"matchExpressions": [{"key": "missing", "operator": "NotIn", "values": ["web"]}]}, True),
        ({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, True),
        ({"matchExpressions": [{"key": "missing", "operator": "DoesNotExist"}]}, True),
        ({"matchLabels": {"app": "web"}, "matchExpressions": [{"key": "tier", "operator": "DoesNotExist"}]}, False),
    ],
)
def test_label_selectors_choose_as_kubernetes_does(written: Any, selected: bool) -> None:
    assert selects(label_selector(written), LABELS) is selected


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"matchLabel": {}}, "unknown field matchLabel"),
        ({"matchExpressions": [{"key": "app", "operator": "Gt", "values": ["1"]}]}, "unknown operator 'Gt'"),
        ({"matchExpressions": [{"key": "app", "operator": "In"}]}, "needs values"),
        ({"matchExpressions": [{"key": "app", "operator": "Exists", "values": ["x"]}]}, "takes no values"),
        ("app=web", "must be a mapping"),
    ],
)
def test_what_the_api_server_refuses_is_an_error_that_says_why(written: Any, said: str) -> None:
    with pytest.raises(SelectorError, match=said):
        label_selector(written)


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("", True),
        ("all()", True),
        ("app == 'web'", True),
        ('app == "api"', False),
        ("app != 'api'", True),
        ("missing != 'api'", True),
        ("missing == ''", False),
        ("has(tier)", True),
        ("!has(missing)", True),
        ("!!has(missing)", False),
        ("app in {'api', 'web'}", True),
        ("app in {}", False),
        ("app not in {'web'}", False),
        ("missing not in {'web'}", True),
        ("app contains 'e'", True),
        ("app starts with 'w' && app ends with 'b'", True),
        ("app starts with 'x'", False),
        ("k8s.io/role == 'edge'", True),
        # `&&` binds tighter than `||`
        ("has(app) || has(missing) && has(missing)", True),
        ("(has(app) || has(missing)) && has(missing)", False),
        ("!(app == 'web') || tier == 'front'", True),
        ("global()", True),  # these labels name no namespace
    ],
)
def test_calico_expressions_choose_as_calico_does(text: str, selected: bool) -> None:
    assert selects(calico_selector(text), LABELS) is selected


@pytest.mark.parametrize(
    "text", ["app", "app = 'x'", "app == x", "(has(app)", "has(app) has(tier)", "&& has(app)", "app in 'x'"]
)
def test_a_broken_expression_is_an_error(text: str) -> None:
    with pytest.raises(SelectorError):
        calico_selector(text)
