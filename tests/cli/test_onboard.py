"""A partner's first file: made from flags, tried against every rule, written whole or not at all."""

import shlex
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from partner_mesh.cli.main import app
from partner_mesh.cli.onboard import _Answers, rendered
from partner_mesh.config.loader import load_stack
from partner_mesh.specs.handover import sheet

ROOT = Path(__file__).parents[2]
FLAGS = [
    "--name", "hooli", "--owner", "a@example.com",
    "--inbound-host", "hooli.partners.dev.example.com", "--client-ca", "hooli-ca", "--client-name", "c.hooli.example",
    "--source", "192.0.2.200/32", "--route", "POST,PUT /v1/hooks/{*} charging:http",
    "--outbound-host", "api.hooli.example", "--caller", "charging", "--path", "/v1/pay",
    "--certificate", "hooli-client",
]  # fmt: skip


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "partners" / "dev", tmp_path / "partners" / "dev")
    for file in ROOT.glob("Pulumi*.yaml"):
        shutil.copyfile(file, tmp_path / file.name)
    return tmp_path


def onboard(folder: Path, *flags: str) -> Result:
    return CliRunner().invoke(app, ["onboard", "dev", "--config-dir", str(folder), *flags])


def test_flags_make_a_file_that_passes_every_rule_and_a_sheet(configuration: Path) -> None:
    result = onboard(configuration, *FLAGS, "--sheets", str(configuration / "sheets"), "--addresses", "192.0.2.7")
    assert result.exit_code == 0, result.output
    partner = next(p for p in load_stack("dev", configuration).partners if p.name == "hooli")
    assert partner.inbound[0].routes[0].methods == ("POST", "PUT")
    assert partner.outbound[0].tls.certificate == "hooli-client"
    for kind in ("md", "html"):
        text = (configuration / "sheets" / f"hooli.{kind}").read_text()
        for fact in (
            "hooli.partners.dev.example.com",
            "c.hooli.example",
            "192.0.2.200/32",
            "192.0.2.7",
            "hooli-ca",
            "TLS 1.2",
        ):
            assert fact in text
        assert "https://hooli.partners.dev.example.com/v1/hooks/example" in text


@pytest.mark.parametrize(
    ("flag", "value", "reason"),
    [
        ("--inbound-host", "acme.partners.dev.example.com", "acme-mobile"),  # somebody else's
        ("--inbound-host", "*.example.com", "wildcard"),
        ("--source", "0.0.0.0/0", "0.0.0.0/0"),
        ("--route", "POST /v1 nobody:http", "nobody"),
        ("--caller", "nobody", "nobody"),
        ("--route", "POST /v1", "METHOD"),
        ("--name", "../x", "not a name"),
        ("--name", "Hooli\n", "name"),
        ("--name", "", "not a name"),
        ("--owner", "nobody", "owner"),
        ("--inbound-host", "hooli example.com", "host"),
        ("--inbound-host", "https://hooli.example.com", "host"),
        ("--outbound-host", "127.0.0.1", "host"),
        ("--source", "192.0.2.200", "192.0.2.200"),
        ("--source", "192.0.2.1/24", "192.0.2.1/24"),
        ("--client-name", "*.hooli.example", "wildcard"),
        ("--client-ca", "../ca", "ca"),
        ("--certificate", "a b", "certificate"),
        ("--route", "POST v1 charging:http", "path"),
    ],
)
def test_a_mistake_is_told_and_nothing_is_written(configuration: Path, flag: str, value: str, reason: str) -> None:
    flags = list(FLAGS)
    flags[flags.index(flag) + 1] = value
    before = sorted(configuration.rglob("*"))
    result = onboard(configuration, *flags)
    assert result.exit_code == 2
    assert reason in result.output
    assert "Traceback" not in result.output
    assert sorted(configuration.rglob("*")) == before


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--addresses", "192.0.2.7|x"], "is no address"),
        (["--sheets", "Pulumi.yaml/deeper"], "cannot be written"),
        (["--sheet-only", "--name", "nobody"], "there is no partner 'nobody'; there are: acme-mobile"),
    ],
)
def test_what_the_sheet_cannot_hold_or_cannot_be_written_to_is_said(
    configuration: Path, monkeypatch: pytest.MonkeyPatch, flags: list[str], says: str
) -> None:
    monkeypatch.chdir(configuration)
    result = onboard(configuration, *FLAGS, *flags)
    assert (result.exit_code, says in result.output) == (2, True), result.output
    assert "Traceback" not in result.output


def test_a_partner_that_is_there_gets_its_sheet_and_its_file_stays(configuration: Path) -> None:
    file = configuration / "partners/dev/globex-telecom.yaml"
    before = file.read_bytes()
    sheets = configuration / "sheets"
    result = onboard(configuration, "--sheet-only", "--name", "globex-telecom", "--sheets", str(sheets))
    assert result.exit_code == 0, result.output
    assert "give --addresses" in result.output
    assert file.read_bytes() == before
    assert "smpp.globex.example" in (sheets / "globex-telecom.md").read_text()


def test_a_sheet_says_which_authority_signs_what_and_has_a_line_to_try_for_each_protocol() -> None:
    stack = load_stack("dev", ROOT)
    by_name = {partner.name: partner for partner in stack.partners}
    lines = rendered(sheet(stack, by_name["northwind-sms"]), "md")
    assert "openssl s_client -quiet -verify_return_error -connect smpp-northwind.partners.dev.example.com:443" in lines
    assert "403 or 404" not in lines
    out = rendered(sheet(stack, by_name["globex-telecom"]), "md")
    assert (
        "signed by the authority that you give us, with one of these as subject alternative name, exactly: dcb.globex"
        in out
    )
    public = rendered(sheet(stack, by_name["google-apis"]), "md")
    assert "signed by a public authority, with one of these as subject alternative name, exactly: andro" in public
    assert out.count("What we call") == 1  # of two hosts: a TCP entry has neither methods nor paths
    assert "--cacert our-authority.pem --cert client.pem --key client.key -X POST -H 'x-api-version: 1'" in out


def test_a_missing_flag_is_named_where_nobody_can_be_asked(configuration: Path) -> None:
    result = onboard(configuration, "--name", "hooli", "--owner", "a@example.com", "--source", "192.0.2.200/32")
    assert result.exit_code == 2
    assert "--inbound-host" in result.output


def test_a_file_that_is_there_is_not_replaced_unasked(configuration: Path) -> None:
    assert onboard(configuration, *FLAGS).exit_code == 0
    again = onboard(configuration, *FLAGS)
    assert again.exit_code == 2
    assert "--force" in again.output
    assert onboard(configuration, *FLAGS, "--force").exit_code == 0


def test_text_from_configuration_cannot_become_markup() -> None:
    stack = load_stack("dev", ROOT)
    partner = stack.partners[0].model_copy(update={"test_window": "<script>alert(1)</script>"})
    assert "<script>" not in rendered(sheet(stack, partner), "html")
    assert "<script>" not in rendered(sheet(stack, partner), "md")


def test_text_from_configuration_cannot_leave_its_cell_nor_its_word_in_a_shell() -> None:
    stack = load_stack("dev", ROOT)
    partner = next(p for p in stack.partners if p.name == "globex-telecom")
    inbound = partner.inbound[0]
    route = inbound.routes[0].model_copy(update={"headers": {"x-a": "1 | 2'; reboot #"}})
    hostile = partner.model_copy(update={"inbound": (inbound.model_copy(update={"routes": (route,)}),)})
    text = rendered(sheet(stack, hostile), "md")
    row = next(line for line in text.splitlines() if line.startswith("| POST"))
    assert row.replace("\\|", "").count("|") == 4
    (line,) = [line for line in text.splitlines() if line.startswith("curl")]
    assert "x-a: 1 | 2'; reboot #" in shlex.split(line)


def test_every_partner_of_both_stacks_has_a_sheet() -> None:
    for name in ("dev", "prod"):
        stack = load_stack(name, ROOT)
        for partner in stack.partners:
            for kind in ("md", "html"):
                text = rendered(sheet(stack, partner), kind)
                hosts = [entry.host for entry in partner.inbound] + [entry.host for entry in partner.outbound]
                assert all(host in text for host in hosts)


def test_mistakes_are_told_at_the_file_that_would_be_written(configuration: Path) -> None:
    flags = [*FLAGS]
    flags[flags.index("192.0.2.200/32")] = "0.0.0.0/0"
    result = onboard(configuration, *flags)
    assert result.exit_code == 2
    assert f"{configuration / 'partners/dev/hooli.yaml'}:" in result.output
    assert not (configuration / "partners/dev/hooli.yaml").exists()


def test_on_a_terminal_paths_and_a_client_certificate_are_asked_for_and_may_be_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []
    answers = iter(["hooli-client", "/v1/pay", ""])

    def prompt(question: str, **_: object) -> str:
        asked.append(question)
        return next(answers)

    monkeypatch.setattr("typer.prompt", prompt)
    questions = _Answers(interactive=True)
    assert questions.maybe("Secret's name", None) == "hooli-client"
    assert questions.any("Path", None) == ["/v1/pay"]
    assert questions.any("Path", ["/given"]) == ["/given"]
    assert asked == ["Secret's name", "Path", "Path"]
