"""The engine's view of properties as plain data: what the rules are written and tested against.

pulumi-policy hands out proxies that are neither `dict` nor `list` and raise when a value that is not known yet is read:
a rule would see no list at all, or not run.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pulumi_policy.proxy import UnknownValueError

UNKNOWN: Final = "[unknown]"  # stands for a value that only deployment brings: there, but nobody can judge it


def plain(value: Any) -> Any:
    """Mappings as dict, sequences as list, values not known before deployment as `UNKNOWN`."""
    if isinstance(value, Mapping):
        return {key: _known(value, key) for key in value}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_known(value, index) for index in range(len(value))]
    return value


def _known(container: Any, key: Any) -> Any:
    try:
        return plain(container[key])
    except UnknownValueError:
        return UNKNOWN
