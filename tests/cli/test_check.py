"""`partner-mesh check` as a person meets it: statuses, formats, suppressions, certificates."""

import json
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import create_server

import pytest
from jsonschema import Draft202012Validator
from typer.testing import CliRunner

from partner_mesh.cli.main import app
from partner_mesh.model.serialize import dump_all
from tests.analysis.invariants.closed_stack import closed, one, policy
from tests.analysis.test_certificates import KEY, Issuer, pem

ROOT = Path(__file__).parents[2]
OPEN = policy("app0", "open", {"podSelector": {}, "policyTypes": ["Ingress"], "ingress": [{}]})


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, ["check", *arguments])
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "all.yaml").write_text(dump_all([*closed(), OPEN]), encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_the_stacks_of_this_repository_break_no_invariant(stack: str) -> None:
    status, out, _ = run(stack, "--config-dir", str(ROOT), "--fail-on", "warning", "--format", "json")
    assert status == 0, out
    assert json.loads(out)["counts"]["error"] == 0


def test_a_finding_names_file_and_line_and_gives_status_1(folder: Path) -> None:
    status, out, _ = run("--manifests", str(folder))
    line = (
        next(n for n, text in enumerate((folder / "all.yaml").read_text().splitlines(), 1) if text == "  name: open")
        - 3
    )
    assert status == 1
    assert f"error PM028-empty-rule NetworkPolicy app0/open (all.yaml:{line})" in out
    assert "2 errors" in out


def test_warnings_alone_pass_unless_asked_for(tmp_path: Path) -> None:
    stack = closed()
    spec = dict(one(stack, "NetworkPolicy", "from-istio-web")["spec"])
    (tmp_path / "all.yaml").write_text(dump_all([*stack, policy("app0", "again", spec)]), encoding="utf-8")
    assert run("--manifests", str(tmp_path))[0] == 0
    assert run("--manifests", str(tmp_path), "--fail-on", "warning")[0] == 1


def test_json_and_sarif_say_the_same(folder: Path) -> None:
    findings = json.loads(run("--manifests", str(folder), "--format", "json")[1])["findings"]
    results = json.loads(run("--manifests", str(folder), "--format", "sarif")[1])["runs"][0]["results"]
    assert [each["identifier"] for each in findings] == [each["ruleId"] for each in results]
    shown = results[0]["locations"][0]["physicalLocation"]
    assert shown == {"artifactLocation": {"uri": findings[0]["file"]}, "region": {"startLine": findings[0]["line"]}}
    assert results[0]["partialFingerprints"]["finding/v1"]


def test_json_is_as_published(folder: Path) -> None:
    schema = Draft202012Validator(json.loads((ROOT / "schema" / "check.v1.json").read_text()))
    for expires in ("2999-12-31", "2020-12-31"):
        agreed = str(suppressed(folder, expires))
        schema.validate(json.loads(run("--manifests", str(folder), "--format", "json", "--suppressions", agreed)[1]))


def test_sarif_counts_rules_where_they_are(folder: Path) -> None:
    run_ = json.loads(run("--manifests", str(folder), "--format", "sarif")[1])["runs"][0]
    rules = run_["tool"]["driver"]["rules"]
    assert all(rules[each["ruleIndex"]]["id"] == each["ruleId"] for each in run_["results"])


def test_markdown_is_a_table(folder: Path) -> None:
    out = run("--manifests", str(folder), "--format", "markdown")[1]
    assert "| 🔴 | PM028-empty-rule | `NetworkPolicy app0/open`<br>all.yaml:" in out


def suppressed(folder: Path, expires: str) -> Path:
    file = folder.parent / f"agreed-{expires}.yaml"
    file.write_text(
        f"- {{identifier: PM028, object: NetworkPolicy app0/open, reason: moving, expires: {expires}}}\n"
        f"- {{identifier: PM006, object: Deployment app0/app0, reason: moving, expires: {expires}}}\n"
    )
    return file


def test_an_agreed_exception_counts_until_its_day(folder: Path) -> None:
    status, out, _ = run("--manifests", str(folder), "--suppressions", str(suppressed(folder, "2999-12-31")))
    assert (status, "suppressed PM028-empty-rule" in out) == (0, True)
    status, out, _ = run("--manifests", str(folder), "--suppressions", str(suppressed(folder, "2020-12-31")))
    assert (status, "PM090-suppression-expired" in out) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "name one of STACK"),
        (("dev", "--format", "yaml"), "'yaml' is not one of 'text', 'json', 'markdown', 'html', 'sarif'"),
        (("dev", "--fail-on", "never"), "'never' is not one of 'error', 'warning'"),
        (("--manifests", "/nowhere"), "no such file"),
        (("dev", "--suppressions", "/nowhere"), "no such file"),
        (("--certificates", "/nowhere"), "no such folder"),
        (("--live", "host:port"), "write HOST or HOST:PORT"),
        (("--live", "127.0.0.1:1"), "--live 127.0.0.1:1"),
    ],
)
def test_what_cannot_be_judged_is_status_2_and_one_sentence(arguments: tuple[str, ...], said: str) -> None:
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert said in err
    assert "Traceback" not in err


def test_certificates_of_a_folder_are_judged_by_what_the_objects_do_with_them(folder: Path, tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    (secrets / "p0-server").mkdir(parents=True)
    now = datetime.now(UTC)
    days = (now - datetime(2026, 11, 1, tzinfo=UTC)).days + 400
    (secrets / "p0-server" / "tls.crt").write_bytes(Issuer("ours").leaf(KEY, "p1.partners.example.com", days=days))
    (secrets / "p0-server" / "tls.key").write_bytes(pem(KEY))
    out = run("--manifests", str(folder), "--certificates", str(secrets))[1]
    assert "PM041-certificate-host certificate p0-server" in out
    assert "is served for p0.partners.example.com and names p1.partners.example.com" in out
    assert run("--certificates", str(secrets))[0] == 0  # nobody says what it is for


@pytest.fixture
def endpoint(tmp_path: Path) -> Iterator[str]:
    """A TLS server on loopback whose certificate ends in three days."""
    days = (datetime.now(UTC) + timedelta(days=3) - datetime(2026, 11, 1, tzinfo=UTC)).days
    (tmp_path / "tls.crt").write_bytes(Issuer("ours").leaf(KEY, "localhost", days=days))
    (tmp_path / "tls.key").write_bytes(pem(KEY))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls.crt", tmp_path / "tls.key")
    with create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            try:
                connection, _ = listening.accept()
                with context.wrap_socket(connection, server_side=True) as secured:
                    secured.recv(1)
            except OSError:
                pass

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"localhost:{listening.getsockname()[1]}"
        thread.join(timeout=10)


def test_a_live_endpoint_is_judged_without_being_trusted(endpoint: str) -> None:
    status, out, _ = run("--live", endpoint)
    assert status == 1
    assert f"PM040-certificate-expiry certificate {endpoint}" in out
    assert "PM041" not in out
