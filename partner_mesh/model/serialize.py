"""Objects as YAML text, fast, and read alike by YAML 1.1 and 1.2.

The emitter is `py-yaml12` (Rust), chosen by measurement (`bench/serialize.py`, ADR 0002): several times faster
than PyYAML's. It writes YAML 1.2, where `on` and `1_000` are plain strings; kubectl and PyYAML read 1.1, where they
are not. So a text that holds such a word bare is emitted again by PyYAML with every string in quotes: rare, and right.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import yaml
import yaml12

# Booleans of YAML 1.1 as sigs.k8s.io/yaml still reads them; numbers with underscores, bases or colons; dates; merges.
_READ_OTHERWISE: Final = re.compile(
    r"(?:y|Y|n|N|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF|=|<<"
    r"|[-+]?0b[01_]+|[-+]?0[0-7_]+|[-+]?[0-9][0-9_]*_[0-9_]*|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"
    r"|[-+]?[0-9][0-9_]*\.[0-9_]*|[-+]?\.[0-9_]+"
    r"|\d{4}-\d\d?-\d\d?(?:[Tt].*)?):?"
)
_MOST_KNOWN: Final = 200_000
_known: set[str] = set()  # words seen to be harmless; objects of a stack share nearly all of theirs


class _Quoting(yaml.CSafeDumper):
    """PyYAML's emitter with every string in quotes."""


def _quoted(dumper: yaml.CSafeDumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')


_Quoting.add_representer(str, _quoted)


def dump(document: Mapping[str, Any]) -> str:
    """One document as block-style YAML ending in a newline, keys in the given order. The same input, the same bytes."""
    text: str = yaml12.format_yaml(document)
    if _ambiguous(text):
        text = yaml.dump(document, Dumper=_Quoting, sort_keys=False, width=4096, allow_unicode=True)
    return text if text.endswith("\n") else text + "\n"


def dump_all(documents: Iterable[Mapping[str, Any]]) -> str:
    """Several documents as `helm template` writes them: each begins with `---`."""
    return "".join(f"---\n{dump(document)}" for document in documents)


def _ambiguous(text: str) -> bool:
    """Whether any word of the text would be read otherwise; a word inside a longer string only costs the slow path."""
    unknown = set(text.split()) - _known
    if any(_READ_OTHERWISE.fullmatch(word) for word in unknown):
        return True
    if len(_known) < _MOST_KNOWN:
        _known.update(unknown)
    return False
