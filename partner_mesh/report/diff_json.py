"""A comparison as JSON: `schema/diff.v1.json`."""

from collections.abc import Iterator
from typing import Any, Final

from partner_mesh.analysis.comparison import Comparison
from partner_mesh.analysis.differences import Access, Change
from partner_mesh.analysis.results import connection_documents, distinct, note_document
from partner_mesh.report.layers import layer_sentences
from partner_mesh.report.sentences import sentences

VERSION: Final = 1


def document(comparison: Comparison) -> dict[str, Any]:
    """`version`, `stack`, `against`, `objects`, `upgrade`, `notes`; `access`, `layers`, `handshakes` by change."""
    told = sentences(comparison)
    layers = list(layer_sentences(comparison))
    return {
        "version": VERSION,
        "stack": comparison.subject,
        "against": comparison.against,
        "objects": comparison.objects.document(),
        "access": {
            change.value: [
                {
                    "sentence": each.text,
                    "hop": each.hop,
                    "connections": [shown for one in each.accesses for shown in _connections(one)],
                }
                for each in told
                if each.change is change
            ]
            for change in Change
        },
        "handshakes": [
            {"change": each.change.value, "object": each.object, "sentence": each.sentence}
            for each in comparison.handshakes
        ],
        "layers": {
            change.value: [
                {
                    "layer": each.wall.layer,
                    "part": each.wall.part,
                    "sentence": each.text,
                    "connections": [shown for one in each.accesses for shown in _connections(one)],
                    "refusedBy": distinct(each.refused_by),
                }
                for each in layers
                if each.change is change
            ]
            for change in Change
        },
        "upgrade": [{"reason": reason, "remedy": remedy} for reason, remedy in comparison.transitions],
        "notes": [note_document(each) for each in comparison.notes],
    }


def _connections(access: Access) -> Iterator[dict[str, Any]]:
    """As `schema/reach.v1.json` has a connection, without a verdict."""
    return connection_documents(
        access.source, access.destination, access.ports, access.http, access.decided_by, verdict=None
    )
