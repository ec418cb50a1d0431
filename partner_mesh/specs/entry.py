"""What the objects of one entry of a partner are called.

An entry's own objects are named `<partner>-<label>`. Where more is added, a dot separates it: names of partners and
applications hold no dots, so that no two partners can meet in one name (`acme.charging`, `acme-api.exit`). Only a
Gateway has to do without: VirtualServices refer to it by a DNS label (validation.go, `validateGatewayNames`).
"""

import hashlib
from typing import Final

_LABEL_LENGTH: Final = 63


def entry_name(partner: str, label: str) -> str:
    """The name of an entry's objects, and of its Secret. The loader keeps it unique over all partners."""
    return dns_label(f"{partner}-{label}")


def dns_label(text: str) -> str:
    """The text itself while it fits a DNS label, else its beginning and a digest of the whole."""
    if len(text) <= _LABEL_LENGTH:
        return text
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{text[: _LABEL_LENGTH - 9].rstrip('-')}-{digest}"
