"""Scalars: what is refused, and what looks like a secret."""

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from partner_mesh.config.base import Cidr, Day, Duration, Host, Name, Path, seconds, secret_shape


@pytest.mark.parametrize(
    ("kind", "right", "wrong"),
    [
        (Name, ("a", "a-1", "a" * 63), ("", "-a", "a-", "A", "a_b", "a" * 64, "a.b", "a\n")),
        (
            Host,
            ("api.example.com", "a-b.c"),
            ("localhost", "*.a.b", "A.b", "1.2.3.4", "a..b", "a.b/c", "a.b:1", "https://a.b"),
        ),
        (
            Cidr,
            ("10.0.0.0/8", "192.0.2.1/32", "2001:db8::/32"),
            ("10.0.0.1/8", "10.0.0.0", "x", "10.0.0.0/33", "2001:DB8::/32"),
        ),
        (Duration, ("5s", "500ms", "1m30s", "0.5s"), ("0s", "5", "s", "5 s", "-1s", "00ms")),
        (Path, ("/", "/a/{*}", "/a/{**}"), ("a", "/a/*", "/a{*}", "/{**}/a", "//", "/a?b", "/a/../b")),
        (Day, ("2027-03-01",), ("2027-3-1", "2027-02-30", "01.03.2027", 20270301, 1.5, True)),
    ],
)
def test_a_scalar_has_its_form(kind: Any, right: tuple[Any, ...], wrong: tuple[Any, ...]) -> None:
    adapter = TypeAdapter(kind)
    for value in right:
        adapter.validate_python(value)
    for value in wrong:
        with pytest.raises(ValidationError):
            adapter.validate_python(value)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("-----BEGIN RSA PRIVATE KEY-----", "a PEM block"),
        ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln", "a JSON Web Token"),
        ("AKIAIOSFODNN7EXAMPLE", "an AWS access key"),
        ("Basic dXNlcjpwYXNzd29yZA==", "a bearer token"),
        ("ghp_0123456789abcdef0123", "a vendor token"),
        ("LS0tLS1CRUdJTiBDRVJU", "a private key in base64"),
        ("https://user:hunter2@example.com/write", "a password in a URL"),
        ("acme-mobile-client", None),
        ("https://blob.istio.io/istio-release/charts", None),
        ("arn:aws:iam::111122223333:role/platform-admin", None),
        ("Basic access for the auditors", None),
        ("integrations@example.com", None),
        ("otel-collector.observability:4317", None),
    ],
)
def test_what_looks_like_a_secret(text: str, what: str | None) -> None:
    assert secret_shape(text) == what


def test_durations_add_up() -> None:
    assert seconds("1h2m3.5s500ms") == 3724
