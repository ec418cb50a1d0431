"""Text of strangers on its way into a page.

Names come from objects that anybody may have written. Markup is escaped where text meets HTML; here is what escaping
does not touch: characters that are invisible or turn the direction of what follows, and JSON inside a script element.
"""

import json
import unicodedata
from typing import Any, Final

# Control, format (bidirectional overrides, zero-width), surrogate, private use, unassigned, line and paragraph ends.
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def seen(text: str) -> str:
    r"""The text with every character that a reader would not see written as `\u{202e}`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(f"\\u{{{ord(c):x}}}" if unicodedata.category(c) in _UNSEEN else c for c in text)


def embedded(value: Any) -> str:
    """JSON that may stand in a script element: no character in it can end the element or open a comment."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")
