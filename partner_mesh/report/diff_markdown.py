"""A comparison for a pull request: access first, objects folded, and never more bytes than GitHub takes.

GitHub refuses a comment whose body is longer than 65,536; bytes are counted here, of which there are never fewer than
of anything else that could be counted.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from partner_mesh.analysis.comparison import Comparison
from partner_mesh.analysis.differences import Change
from partner_mesh.report.diff_text import object_lines, summary
from partner_mesh.report.layers import NOT_ASKED, TITLE, opened
from partner_mesh.report.sentences import Sentence, sentences

LIMIT: Final = 65_536
ROOM: Final = 59_000  # what is left for the marker, the findings of `check`, and the words around them
_SHOWN: Final = 30  # sentences of single layers
MARKS: Final = {Change.GAINED: "🔓", Change.DOUBTFUL: "❔", Change.LOST: "🔒"}
TITLES: Final = {
    Change.GAINED: "Access gained",
    Change.DOUBTFUL: "Access that can no longer be told",
    Change.LOST: "Access lost",
}


def text(comparison: Comparison, artefact: str = "", limit: int = ROOM) -> str:
    """The section, in at most `limit` bytes of UTF-8. `artefact` says where all of it is, once it had to be cut."""
    head = list(_head(comparison))
    folded = [*object_lines(comparison), *(f"note: {each}" for each in comparison.notes)]
    whole = "\n".join((*head, *_folded(comparison, folded), ""))
    if len(whole.encode()) <= limit:
        return whole
    where = f"The rest is in {artefact or 'the full report of this run'}."
    frame = list(_folded(comparison, [])) if folded else []
    kept = fitting(head, limit - _size((*frame, "", where, "")) - 200)
    if len(kept) < len(head):
        return "\n".join((*kept, "", f"… {len(head) - len(kept)} more lines. {where}", ""))
    room = limit - _size((*kept, *frame, "", where, "")) - 200
    lines = fitting(folded, room)
    said = f"… {len(folded) - len(lines)} more lines. {where}"
    return "\n".join((*kept, *_folded(comparison, lines), "", said, ""))


def _size(lines: Iterable[str]) -> int:
    return sum(len(line.encode()) + 1 for line in lines)


def fitting(lines: Sequence[str], room: int) -> list[str]:
    """The first lines that fit into so many bytes."""
    kept: list[str] = []
    for line in lines:
        room -= len(line.encode()) + 1
        if room < 0:
            break
        kept.append(line)
    return kept


def _head(comparison: Comparison) -> Iterator[str]:
    yield f"### Who may do what: {comparison.subject} against {comparison.against}"
    yield ""
    for reason, remedy in comparison.transitions:
        yield f"- ⛔ **upgrade**: {reason}; {remedy}"
    told = sentences(comparison)
    touched = {each.title for each in comparison.objects.touched}
    for change in Change:
        listed = [each for each in told if each.change is change and not each.hop]
        hops = [each for each in told if each.change is change and each.hop]
        if listed or hops:
            yield f"**{TITLES[change]}**"
            yield ""
            yield from (_item(each, touched) for each in listed or hops)
            yield ""
        if listed and hops:
            yield f"<details><summary>{_hops(len(hops))} to and from gateways that carry it</summary>"
            yield ""
            yield from (_item(each, touched) for each in hops)
            yield ""
            yield "</details>"
            yield ""
    if comparison.handshakes:
        yield "**Certificates and TLS versions**"
        yield ""
        yield from (
            f"- {MARKS[each.change]} {_plain(each.sentence)} <sub>`{each.object}`</sub>"
            for each in comparison.handshakes
        )
        yield ""
    if not told and not comparison.handshakes:
        yield "Nobody's access changes."
        yield ""
    yield from _layers(comparison)


def _layers(comparison: Comparison) -> Iterator[str]:
    """What one layer opens while another refuses, folded: nobody's access, and a wall less behind the next mistake."""
    listed = opened(comparison)
    if not comparison.layers_asked:
        yield f"<sub>{_plain(NOT_ASKED)}</sub>"
        yield ""
    if listed:
        yield f"<details><summary>{TITLE}: {len(listed)}</summary>"
        yield ""
        yield from (f"- {MARKS[each.change]} {_plain(each.text)}" for each in listed[:_SHOWN])
        if len(listed) > _SHOWN:
            yield f"- … and {len(listed) - _SHOWN} more"
        yield ""
        yield "</details>"
        yield ""


def _hops(count: int) -> str:
    return "1 hop" if count == 1 else f"{count} hops"


def _item(sentence: Sentence, touched: set[str]) -> str:
    """A sentence, and the objects that let it pass: those that the change touched, if any did."""
    objects = dict.fromkeys(
        because.object for access in sentence.accesses for because in access.decided_by if because.resource is not None
    )
    listed = [f"`{each}`" for each in objects if each in touched] or [f"`{each}`" for each in objects][:2]
    by = f" <sub>{', '.join(listed)}</sub>" if listed else ""
    return f"- {MARKS[sentence.change]} {_plain(sentence.text)}{by}"


def _plain(said: str) -> str:
    """Words as they are: no emphasis by stars in paths, no mention of people by their handle."""
    for sign in ("\\", "*", "_", "`", "<", ">", "[", "]", "|"):
        said = said.replace(sign, f"\\{sign}")
    return said.replace("@", "@\u200b")


def _folded(comparison: Comparison, lines: Sequence[str]) -> Iterator[str]:
    if comparison.objects:
        fence = "```"
        yield f"<details><summary>{summary(comparison).partition('; ')[2]}</summary>"
        yield ""
        yield f"{fence}diff"
        # `diff` colours by the first sign of a line, and a field's own backticks may not close the fence.
        yield from (_coloured(line).replace(fence, "'''") for line in lines)
        yield fence
        yield ""
        yield "</details>"


def _coloured(line: str) -> str:
    inner = line.strip()
    return f"{inner[0]}   {inner[2:]}" if line.startswith("    ") and inner[:2] in ("+ ", "- ") else line
