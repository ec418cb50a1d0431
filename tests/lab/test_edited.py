"""Objects edited by hand in place of what the stack compiles to: read, told, noticed by the request that is hurt."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from lab import LabError, verdict
from lab import stack as stacks
from lab.edited import Edits
from lab.identity import key
from lab.tools import Tools
from partner_mesh.cli.main import app
from tests.lab import dev

ENTRY = "istio-egress/ServiceEntry.networking.istio.io.acme-mobile-api.yaml"
POLICY = "charging/AuthorizationPolicy.security.istio.io.acme-mobile.charging.yaml"
GATEWAY = "istio-partners/Gateway.networking.istio.io.acme-mobile-acme.yaml"


def cut(text: str, name: str) -> str:
    """A YAML key with its list taken out, as with an editor."""
    shorter = re.sub(rf"(?m)^( *){name}:.*\n(?:\1[- ].*\n)*", "", text)
    assert shorter != text
    return shorter


# The three of docs/how-to/break.md: what is edited, and the sentence and the request that must notice.
BREAKS: dict[str, tuple[str, Callable[[str], str], str, str]] = {
    "an exportTo dropped": (
        ENTRY, lambda text: cut(text, "exportTo"),
        "Were the packet let through, the sidecar refuses an address it was not told of", "api.acme-mobile.example:443",
    ),
    "an address widened": (
        POLICY, lambda text: text.replace("198.51.100.0/28", "0.0.0.0/0"),
        "Were the packet let through, the mesh would refuse the stranger's address", "acme.partners.dev.example.com",
    ),
    "a SAN removed": (
        GATEWAY, lambda text: cut(text, "subjectAltNames"),
        "A certificate of the partner's authority with another name gets no answer", "acme.partners.dev.example.com",
    ),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    result = CliRunner().invoke(app, ["render", "dev", "--out", str(tmp_path / "dev"), "--config-dir", str(dev.ROOT)])
    assert result.exit_code == 0
    return tmp_path / "dev"


def edit(folder: Path, name: str) -> None:
    file, change, _, _ = BREAKS[name]
    (folder / file).write_text(change((folder / file).read_text()))


def edits(folder: Path) -> Edits:
    return Edits.of(folder, dev.stack(), dev.compiled())


def test_what_was_rendered_and_not_edited_is_what_compiles(folder: Path) -> None:
    assert edits(folder).over(dev.objects()) == dev.objects()
    assert list(edits(folder).sentences()) == ["the objects are those that the stack compiles to: nothing is edited"]


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("an exportTo dropped", "ServiceEntry istio-egress/acme-mobile-api has no spec.exportTo"),
        (
            "an address widened",
            "remoteIpBlocks[0]: 0.0.0.0/0, not 198.51.100.0/28",
        ),
        (
            "a SAN removed",
            "Gateway istio-partners/acme-mobile-acme has no spec.servers[0].tls.subjectAltNames",
        ),
    ],
)
def test_an_edit_takes_the_objects_place_and_is_told(folder: Path, name: str, sentence: str) -> None:
    edit(folder, name)
    found = edits(folder)
    assert any(sentence in each for each in found.sentences())
    other = [(a, b) for a, b in zip(found.over(dev.objects()), dev.objects(), strict=True) if a != b]
    assert [key(a) for a, _ in other] == [key(yaml.safe_load((folder / BREAKS[name][0]).read_text()))]


def test_a_file_that_is_gone_is_an_object_less_and_a_new_one_an_object_more(folder: Path) -> None:
    (folder / ENTRY).unlink()
    more = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "mine", "namespace": "charging"}}
    (folder / "mine.yaml").write_text(yaml.safe_dump(more))
    found = edits(folder)
    assert list(found.sentences()) == [
        "edited: ServiceEntry istio-egress/acme-mobile-api is gone", "edited: ConfigMap charging/mine is one more"
    ]  # fmt: skip
    documents = found.over(dev.objects())
    assert len(documents) == len(dev.objects())
    assert documents[-1] == more
    assert "acme-mobile-api" not in {d["metadata"]["name"] for d in documents if d["kind"] == "ServiceEntry"}


def test_what_runs_beside_the_stack_and_security_groups_stay(folder: Path) -> None:
    (folder / POLICY).unlink()
    judged = stacks.judged(dev.compiled())
    assert len(edits(folder).over(judged)) == len(judged) - 1


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.yaml", "kind: [", r"cannot be read:\n  a.yaml:\d+: not readable as YAML"),
        ("a.yaml", "apiVersion: v1\nkind: ConfigMap\n", "ConfigMap without metadata.name"),
        ("twice.yaml", "", "ServiceEntry istio-egress/acme-mobile-api is there twice; keep one"),
    ],
)
def test_a_folder_that_cannot_be_deployed_is_refused_with_the_place(
    folder: Path, name: str, text: str, says: str
) -> None:
    (folder / name).write_text(text or (folder / ENTRY).read_text())
    with pytest.raises(LabError, match=says):
        edits(folder)


@pytest.mark.parametrize(("files", "says"), [(None, "no such file or folder"), ({}, "partner-mesh render dev --out")])
def test_a_folder_of_something_else_names_the_command_that_writes_one(
    tmp_path: Path, files: dict[str, str] | None, says: str
) -> None:
    if files is not None:
        (tmp_path / "objects").mkdir()
    with pytest.raises(LabError, match=says):
        edits(tmp_path / "objects")


@pytest.mark.lab
def test_three_objects_broken_by_hand_turn_the_lab_red_each_at_the_request_that_noticed(
    folder: Path, lab_tools: Tools
) -> None:
    del lab_tools  # only that they are built
    for name in BREAKS:
        edit(folder, name)
    found = verdict.judged(dev.stack(), "traffic", lambda _: None, folder)
    red = {f.sentence.rpartition(" (")[0]: " ".join(f.details) for f in found if not f.passed}
    for _, _, sentence, request in BREAKS.values():
        assert request in red[sentence]
    assert sum(f.passed for f in found) > len(red)
