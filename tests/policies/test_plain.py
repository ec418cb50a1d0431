"""Rules see what the engine sees, as plain data."""

from pulumi_policy.proxy import UNKNOWN_ARRAY_VALUE, UNKNOWN_STRING_VALUE, unknown_checking_proxy

from policies.plain import UNKNOWN, plain


def test_the_engines_proxies_become_dicts_and_lists_and_the_unknown_is_named() -> None:
    """Seeded by the real engine: lists were invisible to every rule, and an unknown ARN kept a rule from running."""
    seen = unknown_checking_proxy(
        {
            "spec": {"exportTo": ["."], "ports": [{"number": 443}], "none": None},
            "keyArn": UNKNOWN_STRING_VALUE,
            "logs": UNKNOWN_ARRAY_VALUE,
            "groups": ["sg-1", UNKNOWN_STRING_VALUE],
        }
    )
    assert plain(seen) == {
        "spec": {"exportTo": ["."], "ports": [{"number": 443}], "none": None},
        "keyArn": UNKNOWN,
        "logs": UNKNOWN,
        "groups": ["sg-1", UNKNOWN],
    }
