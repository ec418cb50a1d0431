"""Calico's selector language and Kubernetes label selectors, as predicates over labels.

Grammar after Calico's reference ("Selectors"): `all()`, `has(k)`, `k == 'v'`, `k != 'v'`, `k in {…}`, `k not in {…}`,
`k contains 'v'`, `k starts with 'v'`, `k ends with 'v'`, joined by `&&`, `||`, `!` and parentheses. Shares nothing with
the analyser's reading of the same language: the two check each other.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from lab import LabError

Labels = Mapping[str, str]
Predicate = Callable[[Labels], bool]

_TOKEN = re.compile(
    r"\s*(?:(?P<word>all\(\)|global\(\)|has\(|&&|\|\||==|!=|!|\(|\)|\{|\}|,)"
    r"|(?P<text>'[^']*'|\"[^\"]*\")|(?P<key>[A-Za-z0-9_./-]+))"
)


def calico(selector: str) -> Predicate:
    """A selector as a predicate; an empty one matches everything. Raises LabError for what it cannot read."""
    tokens = _tokens(selector)
    if not tokens:
        return lambda _: True
    predicate = _either(tokens, selector)
    if tokens:
        raise LabError(f"Calico selector {selector!r}: cannot read from {tokens[0]!r} on")
    return predicate


def kubernetes(selector: Mapping[str, Any] | None) -> Predicate:
    """A LabelSelector as a predicate: empty matches everything, None nothing."""
    if selector is None:
        return lambda _: False
    unknown = set(selector) - {"matchLabels", "matchExpressions"}
    if unknown:
        raise LabError(f"label selector: unknown fields {sorted(unknown)}")
    wanted, expressions = selector.get("matchLabels", {}), selector.get("matchExpressions", ())

    def matches(labels: Labels) -> bool:
        return all(labels.get(key) == value for key, value in wanted.items()) and all(
            _expression(labels, e) for e in expressions
        )

    return matches


def _expression(labels: Labels, expression: Mapping[str, Any]) -> bool:
    key, values = expression["key"], expression.get("values", ())
    match expression["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
        case other:
            raise LabError(f"label selector: unknown operator {other}")


def _tokens(selector: str) -> list[str]:
    tokens, at = [], 0
    while selector[at:].strip():
        match = _TOKEN.match(selector, at)
        if match is None:
            raise LabError(f"Calico selector {selector!r}: cannot read from {selector[at:]!r} on")
        tokens.append(match[0].strip())
        at = match.end()
    return tokens


def _either(tokens: list[str], whole: str) -> Predicate:
    terms = [_both(tokens, whole)]
    while tokens and tokens[0] == "||":
        tokens.pop(0)
        terms.append(_both(tokens, whole))
    return lambda labels: any(term(labels) for term in terms)


def _both(tokens: list[str], whole: str) -> Predicate:
    terms = [_term(tokens, whole)]
    while tokens and tokens[0] == "&&":
        tokens.pop(0)
        terms.append(_term(tokens, whole))
    return lambda labels: all(term(labels) for term in terms)


def _term(tokens: list[str], whole: str) -> Predicate:
    match _next(tokens, whole):
        case "!":
            inner = _term(tokens, whole)
            return lambda labels: not inner(labels)
        case "(":
            inner = _either(tokens, whole)
            _expect(tokens, ")", whole)
            return inner
        case "all()":
            return lambda _: True
        case "has(":
            key = _next(tokens, whole)
            _expect(tokens, ")", whole)
            return lambda labels: key in labels
        case key:
            return _comparison(key, tokens, whole)


def _comparison(key: str, tokens: list[str], whole: str) -> Predicate:
    operator = _next(tokens, whole)
    if operator in {"not", "starts", "ends"}:
        operator = f"{operator} {_next(tokens, whole)}"
    if operator in {"in", "not in"}:
        values = _set(tokens, whole)
        return lambda labels: (labels.get(key) in values) == (operator == "in")
    if operator not in _TEXT_COMPARISONS:
        raise LabError(f"Calico selector {whole!r}: {operator!r} is no comparison")
    compare, value = _TEXT_COMPARISONS[operator], _text(tokens, whole)
    return lambda labels: compare(labels.get(key), value)


_TEXT_COMPARISONS: Final[Mapping[str, Callable[[str | None, str], bool]]] = {
    "==": lambda have, value: have == value,
    "!=": lambda have, value: have != value,
    "contains": lambda have, value: have is not None and value in have,
    "starts with": lambda have, value: have is not None and have.startswith(value),
    "ends with": lambda have, value: have is not None and have.endswith(value),
}


def _set(tokens: list[str], whole: str) -> list[str]:
    _expect(tokens, "{", whole)
    values = []
    while tokens and tokens[0] != "}":
        values.append(_text(tokens, whole))
        if tokens and tokens[0] == ",":
            tokens.pop(0)
    _expect(tokens, "}", whole)
    return values


def _text(tokens: list[str], whole: str) -> str:
    token = _next(tokens, whole)
    if token[0] not in "'\"":
        raise LabError(f"Calico selector {whole!r}: {token!r} should be quoted")
    return token[1:-1]


def _next(tokens: list[str], whole: str) -> str:
    if not tokens:
        raise LabError(f"Calico selector {whole!r}: ends too early")
    return tokens.pop(0)


def _expect(tokens: list[str], token: str, whole: str) -> None:
    if (found := _next(tokens, whole)) != token:
        raise LabError(f"Calico selector {whole!r}: {found!r} where {token!r} should be")
