"""`partner-mesh diff` against every kind of reference, and the pull request that opens one path too many."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from partner_mesh.analysis.object_changes import object_changes
from partner_mesh.analysis.resources import of_documents
from partner_mesh.cli.main import app
from partner_mesh.cli.objects import of_stack
from partner_mesh.cli.reference import drift
from partner_mesh.config.loader import load_stack
from partner_mesh.report import diff_markdown

ROOT = Path(__file__).parents[2]
ROUTE = '    - {methods: [POST], path: /v1/refunds, to: "charging:http"}\n'
SENTENCE = "acme-mobile may now POST /v1/refunds of acme.partners.dev.example.com on charging:8080"


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["diff", "dev", *arguments])
    return result.exit_code, result.stdout, result.stderr


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"]
    done = subprocess.run(["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with the configuration of dev below `mesh/`, one commit."""
    mesh = tmp_path / "repository" / "mesh"
    (mesh / "partners" / "dev").mkdir(parents=True)
    (mesh / "Pulumi.dev.yaml").write_bytes((ROOT / "Pulumi.dev.yaml").read_bytes())
    for file in sorted((ROOT / "partners" / "dev").glob("*.yaml")):
        (mesh / "partners" / "dev" / file.name).write_bytes(file.read_bytes())
    git(mesh.parent, "init", "-q", "-b", "main")
    git(mesh.parent, "add", ".")
    git(mesh.parent, "commit", "-q", "-m", "base")
    return mesh


def open_one_path_more(mesh: Path) -> None:
    file = mesh / "partners" / "dev" / "acme-mobile.yaml"
    file.write_text(re.sub(r"^  routes:\n", f"  routes:\n{ROUTE}", file.read_text(), flags=re.MULTILINE))


def test_the_same_configuration_changes_nothing(repository: Path) -> None:
    status, out, _ = run("--config-dir", str(repository), "--against", "HEAD", "--fail-on", "any")
    assert status == 0
    assert "nobody's access changes" in out


def test_one_path_more_is_named_against_a_revision(repository: Path) -> None:
    open_one_path_more(repository)
    status, out, _ = run("--config-dir", str(repository), "--against", "main")
    assert status == 0
    assert out.splitlines()[0] == f"+ {SENTENCE}"
    assert "~ VirtualService istio-partners/acme-mobile-acme" in out
    assert run("--config-dir", str(repository), "--against", "main", "--fail-on", "gained")[0] == 1
    assert run("--config-dir", str(repository), "--against", "main", "--fail-on", "lost")[0] == 0


def test_a_folder_of_configuration_and_a_rendered_one_are_references(repository: Path, tmp_path: Path) -> None:
    rendered = tmp_path / "rendered"
    assert (
        CliRunner().invoke(app, ["render", "dev", "--config-dir", str(repository), "--out", str(rendered)]).exit_code
        == 0
    )
    before = tmp_path / "before"
    git(repository.parent, "worktree", "add", "-q", str(before), "HEAD")
    open_one_path_more(repository)
    for reference in (before / "mesh", rendered):
        out = run("--config-dir", str(repository), "--against", str(reference))[1]
        assert out.splitlines()[0] == f"+ {SENTENCE}", reference


def test_a_saved_plan_is_a_reference(repository: Path, tmp_path: Path) -> None:
    saved = tmp_path / "out" / "dev"
    CliRunner().invoke(app, ["render", "dev", "--config-dir", str(repository), "--out", str(saved / "objects")])
    (saved / "plan.json").write_text("{}")
    open_one_path_more(repository)
    for reference in (saved, saved / "plan.json"):
        assert SENTENCE in run("--config-dir", str(repository), "--against", str(reference))[1]


def test_json_holds_sentences_and_connections(repository: Path) -> None:
    open_one_path_more(repository)
    found = json.loads(run("--config-dir", str(repository), "--against", "HEAD", "--format", "json")[1])
    gained = found["access"]["gained"][0]
    assert gained["sentence"] == SENTENCE
    assert {each["destination"]["name"] for each in gained["connections"]} == {"charging-v1", "charging-v2"}
    assert gained["connections"][0]["http"][0]["paths"] == ["/v1/refunds"]
    assert found["access"]["lost"] == []
    Draft202012Validator(json.loads((ROOT / "schema" / "diff.v1.json").read_text())).validate(found)


@pytest.mark.parametrize("room", [600, 900, 2000, 10_000])
def test_markdown_is_cut_by_bytes_with_a_pointer_to_the_rest(repository: Path, room: int) -> None:
    for file in sorted((repository / "partners" / "dev").glob("[a-g]*.yaml")):
        file.write_text(file.read_text().replace("/v1/", "/v9/").replace("/gateway/", "/exit/"))
    arguments = ("--config-dir", str(repository), "--against", "HEAD", "--format", "markdown")
    whole = run(*arguments)[1]
    cut = run(*arguments, "--max-bytes", str(room), "--artefact", "artefact 7")[1]
    if len(whole.encode()) > room:
        assert len(cut.encode()) <= room
        assert "The rest is in artefact 7." in cut
    assert cut.startswith("### Who may do what: dev against HEAD")


def test_the_usual_room_leaves_a_comment_below_githubs_limit() -> None:
    assert diff_markdown.ROOM < diff_markdown.LIMIT == 65_536


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--against", "no-such-revision"), "no git revision, no folder and no saved plan"),
        (("--against", "--output=x"), "not a revision"),
        (("--against", "cluster"), "needs --context"),
        (("--against", "HEAD", "--format", "sarif"), "'sarif' is not one of 'text', 'json', 'markdown', 'html'"),
        (("--against", "HEAD", "--fail-on", "sometimes"), "'sometimes' is not one of 'never', 'gained', 'lost', 'any'"),
    ],
)
def test_what_cannot_be_compared_is_status_2_and_one_sentence(
    repository: Path, arguments: tuple[str, ...], said: str
) -> None:
    status, out, err = run("--config-dir", str(repository), *arguments)
    assert (status, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


def test_a_reference_with_mistakes_of_its_own_is_refused_with_them(repository: Path) -> None:
    good = (repository / "Pulumi.dev.yaml").read_text()
    (repository / "Pulumi.dev.yaml").write_text(good.replace("partner-mesh:platform:", "partner-mesh:plattform:"))
    git(repository, "commit", "-qam", "broken")
    (repository / "Pulumi.dev.yaml").write_text(good)
    status, _, err = run("--config-dir", str(repository), "--against", "HEAD")
    assert status == 2
    assert "the configuration of HEAD has mistakes of its own" in err


def test_a_step_of_an_upgrade_that_may_not_follow_is_red(repository: Path) -> None:
    """A revision that changes without an upgrade: the old control plane would go while it is in use."""
    file = repository / "Pulumi.dev.yaml"
    text = file.read_text()
    found = re.search(r"revision: (['\"]?)(\d+-\d+-\d+)\1", text)
    assert found is not None
    git(repository, "commit", "-q", "--allow-empty", "-m", "same")
    major, minor, patch = found[2].split("-")
    changed = text.replace(f"revision: {found[1]}{found[2]}", f"revision: {found[1]}{major}-{minor}-{int(patch) + 1}")
    file.write_text(changed.replace(f"{major}.{minor}.{patch}", f"{major}.{minor}.{int(patch) + 1}"))
    status, out, err = run("--config-dir", str(repository), "--against", "HEAD")
    assert status == 1, out + err
    assert "! upgrade: " in out


def test_drift_compares_what_is_ours_and_leaves_the_rest_alone() -> None:
    """A live cluster that somebody edited: the rule is told; Deployments of applications are nobody's drift."""
    wanted = of_stack(load_stack("dev", ROOT), ROOT)
    live = [each.document() for each in wanted.resources if each.api_version != "ec2.partner-mesh.dev/v1"]
    for each in live:
        each["metadata"] = {**each["metadata"], "uid": "7", "resourceVersion": "1"}
        if each["kind"] == "Deployment":
            each["spec"] = {**each["spec"], "replicas": 9}
    edited = next(e for e in live if e["kind"] == "AuthorizationPolicy" and e["metadata"]["name"] == "allow-nothing")
    edited["spec"] = {"rules": [{}]}
    found = drift(of_documents(live), wanted, "prod")
    changes = object_changes(found.before, found.after)
    assert [each.after.title for each in changes.changed] == [
        f"AuthorizationPolicy {edited['metadata']['namespace']}/allow-nothing"
    ]
    assert not changes.added
    assert not changes.removed


def test_a_pull_request_that_opens_one_path_too_many_is_red_and_says_which(repository: Path, tmp_path: Path) -> None:
    """The script that the workflow runs, in a repository of its own."""
    base = git(repository, "rev-parse", "HEAD")
    open_one_path_more(repository)
    git(repository, "commit", "-qam", "one path more")

    def request(gate: str) -> tuple[int, str]:
        out = tmp_path / f"report-{gate}"
        command = f"{sys.executable} -m partner_mesh.cli.main"
        environment = {**os.environ, "PARTNER_MESH": command, "FAIL_ON": gate, "PYTHONPATH": str(ROOT)}
        script = ["bash", str(ROOT / "scripts" / "pull-request"), base, str(out)]
        done = subprocess.run(script, cwd=repository, env=environment, check=False, capture_output=True, text=True)
        comment = (out / "comment.md").read_text()
        assert json.loads((out / "dev.sarif").read_text())["version"] == "2.1.0"
        assert len(comment.encode()) < 65_536
        return done.returncode, comment

    status, comment = request("gained")
    assert status == 1
    assert comment.startswith("<!-- partner-mesh:")
    assert "## ❌ partner-mesh" in comment
    assert SENTENCE in comment
    assert SENTENCE in (ROOT / "docs" / "pull-request.md").read_text()
    status, comment = request("never")
    assert (status, "## ✅ partner-mesh" in comment) == (0, True)
