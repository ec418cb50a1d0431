"""Reading other people's files: nothing in them raises, and every object knows its place."""

import json
from pathlib import Path

import pytest

from partner_mesh.analysis.resources import load, of_documents

POD = "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {}\n"


def test_documents_and_items_of_lists_know_their_lines(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        f"# a comment\n{POD}---\napiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Service\n"
        "  metadata: {name: s, namespace: x}\n- apiVersion: v1\n  kind: Namespace\n  metadata: {name: x}\n"
    )
    loaded = load(tmp_path)
    assert [(r.title, str(r.source)) for r in loaded.resources] == [
        ("Pod default/p", "a.yaml:2"),
        ("Service x/s", "a.yaml:10"),
        ("Namespace x", "a.yaml:13"),
    ]
    assert not loaded.notes


def test_items_of_a_typed_list_may_leave_out_what_they_are(tmp_path: Path) -> None:
    document = {"apiVersion": "v1", "kind": "PodList", "items": [{"metadata": {"name": "p"}}]}
    (tmp_path / "pods.json").write_text(json.dumps(document))
    [pod] = load(tmp_path).resources
    assert (pod.kind, pod.api_version, pod.name) == ("Pod", "v1", "p")


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_a_file_may_be_a_list_of_objects_and_of_lists(tmp_path: Path, suffix: str) -> None:
    text = (
        '[\n{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}},\n"text",\n'
        '{"apiVersion": "v1", "kind": "PodList", "items": [\n{"metadata": {"name": "q"}}]}]'
    )
    (tmp_path / f"all.{suffix}").write_text(text)
    assert [(r.title, r.source.line) for r in load(tmp_path).resources] == [("Pod default/p", 2), ("Pod default/q", 5)]


def test_a_broken_document_is_a_note_and_spoils_no_other(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(f"{POD}---\nkind: [\n---\n{POD.replace('name: p', 'name: q')}")
    loaded = load(tmp_path)
    assert [r.name for r in loaded.resources] == ["p", "q"]
    [note] = loaded.notes
    assert "not readable as YAML" in note.text
    assert note.source.file == "a.yaml"
    assert note.source.line >= 6


@pytest.mark.parametrize(
    "text",
    [
        "",
        "just text",
        "- a\n- b\n",
        "kind: Pod\n",
        "apiVersion: v1\n",
        "replicas: 3\nimage: {tag: x}\n",
        "null\n",
        "42\n",
    ],
)
def test_yaml_that_is_no_kubernetes_object_is_passed_over(tmp_path: Path, text: str) -> None:
    (tmp_path / "values.yaml").write_text(text)
    assert load(tmp_path).resources == ()
    assert load(tmp_path).notes == ()


def test_templates_of_a_chart_are_skipped_with_a_note(tmp_path: Path) -> None:
    (tmp_path / "Chart.yaml").write_text("name: c\nversion: 1.0.0\napiVersion: v2\n")
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "pod.yaml").write_text(POD + "# {{ .Values.x }}\n")
    (tmp_path / "loose.yaml").write_text("apiVersion: v1\nkind: Pod\nmetadata:\n  name: {{ .Release.Name }}\n")
    loaded = load(tmp_path)
    assert loaded.resources == ()
    assert [note.source.file for note in loaded.notes] == ["loose.yaml", "templates/pod.yaml"]
    assert all("Helm template" in note.text for note in loaded.notes)


def test_an_object_without_a_name_is_a_note(tmp_path: Path) -> None:
    (tmp_path / "a.yml").write_text("apiVersion: v1\nkind: Pod\nmetadata: {}\n")
    loaded = load(tmp_path)
    assert loaded.resources == ()
    assert "without metadata.name" in loaded.notes[0].text


def test_bytes_that_are_no_text_are_a_note(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xff\xfe\x00\x01")
    assert "cannot be read" in load(tmp_path).notes[0].text


def test_hidden_folders_and_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "a.yaml").write_text(POD)
    (tmp_path / "README.md").write_text(POD)
    assert load(tmp_path).resources == ()


def test_values_are_read_as_kubernetes_reads_them() -> None:
    [pod] = of_documents(
        [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p", "labels": {"on": True, "n": 1, "none": None}}}]
    ).resources
    assert pod.labels == {"on": "true", "n": "1", "none": ""}


def test_dates_and_base_60_stay_text(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p, labels: {d: 2026-01-02, t: 12:30:45, e: =}}\n"
    )
    [pod] = load(tmp_path).resources
    assert pod.labels == {"d": "2026-01-02", "t": "12:30:45", "e": "="}


def test_a_missing_folder_is_an_error() -> None:
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        load("/nowhere/at/all")
