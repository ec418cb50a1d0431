"""YAML files as plain values with places.

PyYAML's constructors speak YAML 1.1, where the key `on` is True and `12:30` is 750; here libyaml only delivers events
and the scalars are those of YAML 1.2's core schema (https://yaml.org/spec/1.2.2/#103-core-schema), as editors and
Pulumi read them. Building from events needs no recursion and bounds depth and size as it goes.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import yaml

from partner_mesh.config.base import ENCRYPTED, secret_shape
from partner_mesh.config.problems import Problem, key_path

Part = str | int
Place = tuple[int, int]  # line, column; both from 1

DEEPEST: Final = 64
MOST_NODES: Final = 500_000  # aliases expanded

_NULL: Final = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEANS: Final = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_NUMERIC: Final = frozenset("+-.0123456789")
_INTEGER: Final = re.compile(r"[-+]?[0-9]{1,18}|0o[0-7]{1,20}|0x[0-9a-fA-F]{1,15}")
_LONG_INTEGER: Final = re.compile(r"[-+]?[0-9]{19,}")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?")
_TAGS: Final = {"tag:yaml.org,2002:str": "str", "tag:yaml.org,2002:map": "map", "tag:yaml.org,2002:seq": "seq"}
_UNQUOTED_TEMPLATE: Final = re.compile(r"""(?<!["'\w/{*}])(/[^\s"',]*\{\*{1,2}\}[^\s"',}]*)""")


class _RefusedError(Exception):
    """The document cannot be read on."""

    def __init__(self, mark: yaml.Mark, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.mark, self.reason, self.remedy = mark, reason, remedy


class _Frame:
    """A mapping or a sequence that is being filled."""

    __slots__ = ("anchor", "keys", "nodes_before", "pending", "value")

    def __init__(self, value: Any, anchor: str | None, nodes_before: int) -> None:
        self.value, self.anchor, self.nodes_before = value, anchor, nodes_before
        self.pending: str | None = None  # a mapping's key that waits for its value
        self.keys: dict[str, yaml.Mark] = {}


class Builder:
    """One reading of one document: its value, what is wrong with it, and on demand the places of its parts."""

    def __init__(self, file: str, *, opaque: bool, places: dict[tuple[Part, ...], Place] | None = None) -> None:
        self.file = file
        self.opaque = opaque  # whether {secure: …} is Pulumi's mark of an encrypted value
        self.places = places
        self.path: list[Part] = []
        self.stack: list[_Frame] = []
        self.anchors: dict[str, tuple[Any, int]] = {}
        self.open_anchors: set[str] = set()
        self.nodes = 0
        self.root: Any = None
        self.documents = 0
        self.problems: list[Problem] = []
        self.complete = True

    def read(self, text: str) -> Any:
        """The document's value; what is wrong goes to `problems`."""
        parser = yaml.CLoader(text)
        try:
            for event in _events(parser):
                self._take(event)
        except _RefusedError as refused:
            self.complete = False
            self._problem(refused.mark, refused.reason, refused.remedy)
        except yaml.MarkedYAMLError as error:
            self.complete = False
            self.problems.append(_syntax_problem(self.file, text, error))
        except yaml.YAMLError as error:
            self.complete = False
            reason = getattr(error, "reason", None) or "control characters"
            self.problems.append(
                Problem(self.file, 1, 1, "", f"is not YAML: {reason}", "keep to printable text in UTF-8", "document")
            )
        finally:
            parser.dispose()
        return self.root

    def _take(self, event: Any) -> None:
        kind = type(event)
        if kind is yaml.ScalarEvent:
            self._scalar(event)
        elif kind is yaml.MappingStartEvent:
            self._open({}, event)
        elif kind is yaml.SequenceStartEvent:
            self._open([], event)
        elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
            self._close()
        elif kind is yaml.AliasEvent:
            self._alias(event)
        elif kind is yaml.DocumentStartEvent:
            self.documents += 1
            if self.documents > 1:
                raise _RefusedError(
                    event.start_mark, "a second document begins here", "keep one document in a file: split it"
                )

    def _scalar(self, event: Any) -> None:
        text: str = event.value
        frame = self.stack[-1] if self.stack else None
        cipher = self.opaque and frame is not None and frame.pending == "secure"
        if not cipher and len(text) >= 12 and (shape := secret_shape(text)) is not None:
            self._problem(
                event.start_mark,
                f"this is {shape}",
                "name the Secret that holds it: a secret's content never stands in configuration",
                "secret",
                self._here(),
            )
            text = ENCRYPTED
        if frame is not None and frame.pending is None and type(frame.value) is dict:
            self._key(frame, text, event)
            return
        tag = event.tag
        if tag is not None and tag != "!" and tag not in _TAGS:
            raise _RefusedError(event.start_mark, f"the tag {tag[:80]} means nothing here", "leave the tag away")
        plain = event.style is None or event.style == ""
        value = _core(text, event.start_mark) if plain and tag is None else text
        self._put(value, event, 1)
        if event.anchor is not None:
            self.anchors[event.anchor] = (value, 1)

    def _key(self, frame: _Frame, text: str, event: Any) -> None:
        if event.anchor is not None:
            self.anchors[event.anchor] = (text, 1)
        first = frame.keys.get(text)
        if first is not None:
            self._problem(
                event.start_mark,
                f"the key {text[:80]!r} stands here and on line {first.line + 1}",
                "keep one of the two",
                path=(*self._here(), text),
            )
        if text == "<<":
            raise _RefusedError(event.start_mark, "merge keys are not YAML 1.2", "write the keys out")
        frame.keys[text] = event.start_mark
        frame.pending = text

    def _open(self, value: Any, event: Any) -> None:
        if len(self.stack) >= DEEPEST:
            raise _RefusedError(event.start_mark, f"nested deeper than {DEEPEST} levels", "flatten the document")
        if event.tag is not None and event.tag not in _TAGS:
            raise _RefusedError(event.start_mark, f"the tag {event.tag[:80]} means nothing here", "leave the tag away")
        self._put(value, event, 1)
        if self.places is not None and self.stack:
            self.path.append(self._last_part())
        if event.anchor is not None:
            self.open_anchors.add(event.anchor)
        self.stack.append(_Frame(value, event.anchor, self.nodes))

    def _close(self) -> None:
        frame = self.stack.pop()
        if self.places is not None and self.stack:
            self.path.pop()
        if frame.anchor is not None:
            self.open_anchors.discard(frame.anchor)
            self.anchors[frame.anchor] = (frame.value, self.nodes - frame.nodes_before + 1)
        if self.stack:
            self.stack[-1].pending = None
        if self.opaque and type(frame.value) is dict and _encrypted(frame.value):
            self._replace(ENCRYPTED)

    def _alias(self, event: Any) -> None:
        if event.anchor in self.open_anchors:
            raise _RefusedError(event.start_mark, f"*{event.anchor[:80]} contains itself", "write the value out")
        if event.anchor not in self.anchors:
            raise _RefusedError(
                event.start_mark,
                f"*{event.anchor[:80]} names no anchor before it",
                'quote text that begins with *, as in "*.example.com"',
            )
        value, size = self.anchors[event.anchor]
        frame = self.stack[-1] if self.stack else None
        if frame is not None and frame.pending is None and type(frame.value) is dict:
            if not isinstance(value, str):
                raise _RefusedError(event.start_mark, "a key must be text", "quote the key")
            self._key(frame, value, event)
            return
        self._put(value, event, size)

    def _put(self, value: Any, event: Any, size: int) -> None:
        self.nodes += size
        if self.nodes > MOST_NODES:
            raise _RefusedError(
                event.start_mark, "aliases make this document too large", f"keep below {MOST_NODES} nodes"
            )
        if not self.stack:
            self.root = value
            if self.places is not None:
                self.places[()] = _place(event.start_mark)
            return
        frame = self.stack[-1]
        if type(frame.value) is list:
            frame.value.append(value)
            if self.places is not None:
                self.places[(*self.path, len(frame.value) - 1)] = _place(event.start_mark)
            return
        if frame.pending is None:
            raise _RefusedError(event.start_mark, "a key must be text", "write the key as plain or quoted text")
        frame.value[frame.pending] = value
        if self.places is not None:
            self.places[(*self.path, frame.pending)] = _place(frame.keys[frame.pending])
        if type(event) in (yaml.ScalarEvent, yaml.AliasEvent):
            frame.pending = None

    def _last_part(self) -> Part:
        """Where the value that was put last stands in its parent."""
        frame = self.stack[-1]
        return len(frame.value) - 1 if type(frame.value) is list else frame.pending or ""

    def _replace(self, value: Any) -> None:
        if not self.stack:
            self.root = value
            return
        frame = self.stack[-1]
        if type(frame.value) is list:
            frame.value[-1] = value
        else:
            frame.value[next(reversed(frame.value))] = value

    def _problem(
        self, mark: yaml.Mark, reason: str, remedy: str, rule: str = "document", path: tuple[Part, ...] = ()
    ) -> None:
        self.problems.append(Problem(self.file, *_place(mark), shown_key(path), reason, remedy, rule))

    def _here(self) -> tuple[Part, ...]:
        """The path of what is being read."""
        found: list[Part] = []
        for frame in self.stack:
            if type(frame.value) is dict and frame.pending is not None:
                found.append(frame.pending)
            elif type(frame.value) is list:
                # What is inside an outer list was added when it began; a scalar in the innermost is not yet.
                found.append(len(frame.value) - (frame is not self.stack[-1]))
        return tuple(found)


def _events(parser: Any) -> Iterator[Any]:
    while parser.check_event():
        yield parser.get_event()


def shown_key(path: tuple[Part, ...]) -> str:
    """A path as Pulumi names it: `partner-mesh:platform.name`, without the `config` around everything."""
    return key_path(path[1:] if path[:1] == ("config",) and len(path) > 1 else path)


def _encrypted(value: Mapping[str, Any]) -> bool:
    return len(value) == 1 and isinstance(value.get("secure"), str)


def _place(mark: yaml.Mark) -> Place:
    return mark.line + 1, mark.column + 1


def _core(text: str, mark: yaml.Mark) -> Any:
    """A plain scalar by the core schema: null, boolean, integer, float, else text."""
    if text[:1] in _NUMERIC:
        if _INTEGER.fullmatch(text):
            return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
        if _LONG_INTEGER.fullmatch(text):
            raise _RefusedError(mark, "this number is too large", "quote it if it is meant as text")
        if _FLOAT.fullmatch(text):
            return float(text)
        return text
    if text in _NULL:
        return None
    return _BOOLEANS.get(text, text)


def _syntax_problem(file: str, text: str, error: yaml.MarkedYAMLError) -> Problem:
    """A complaint of libyaml's, with a remedy for the mistake that this configuration invites: a template unquoted."""
    mark = error.problem_mark or error.context_mark
    line, column = _place(mark) if mark is not None else (1, 1)
    lines = text.splitlines()
    written = lines[line - 1] if line <= len(lines) else ""
    for near in dict.fromkeys((line, _place(error.context_mark)[0] if error.context_mark else line)):
        template = _UNQUOTED_TEMPLATE.search(lines[near - 1]) if near <= len(lines) else None
        if template is None:
            continue
        return Problem(
            file,
            near,
            template.start(1) + 1,
            "",
            f"{template.group(1)} cannot stand unquoted between braces: YAML reads {{ and * as its own",
            f'quote it: "{template.group(1)}"',
            "document",
        )
    if "\t" in written[: len(written) - len(written.lstrip())]:
        return Problem(file, line, 1, "", "a tab indents this line", "indent with spaces", "document")
    reason = " ".join(part for part in (error.context, error.problem) if part)
    if "escape" not in reason and re.search(r":\s*\*[.\w]", written):
        remedy = 'quote text that begins with *, as in "*.example.com"'
    elif "%" in reason or "cannot start any token" in reason:
        remedy = "quote the text if it begins with a character that YAML keeps for itself (@ ` % & * ! | >)"
    else:
        remedy = "check brackets, quotes and the indentation of this line and the one before"
    return Problem(file, line, column, "", f"is not YAML: {reason}", remedy, "document")
