"""A partner's first file: made from flags, tried against every rule, written whole or not at all."""

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
    configuration: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    answers = iter(["hooli-client", "/v1/pay", ""])

    def prompt(question: str, **_: object) -> str:
        asked.append(question)
        return next(answers)

    monkeypatch.setattr("typer.prompt", prompt)
    questions = _Answers(load_stack("dev", configuration), interactive=True)
    assert questions.maybe("Secret's name", None) == "hooli-client"
    assert questions.any("Path", None) == ["/v1/pay"]
    assert questions.any("Path", ["/given"]) == ["/given"]
    assert asked == ["Secret's name", "Path", "Path"]
