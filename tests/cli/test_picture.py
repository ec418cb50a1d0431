"""`partner-mesh picture` as a person meets it."""

from typer.testing import CliRunner

from partner_mesh.cli.main import app


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["picture", *arguments])
    return result.exit_code, result.output


def test_svg_is_what_comes_without_asking() -> None:
    code, output = run("dev", "acme-mobile")
    assert (code, output[:4]) == (0, "<svg")
    assert "AuthorizationPolicy charging/acme-mobile.charging" in output


def test_every_way_names_its_gateway_and_the_port_it_ends_at() -> None:
    code, output = run("dev", "acme-mobile", "--format", "mermaid")
    assert code == 0
    assert output.count("gateway istio-partners") == 2
    assert output.count("gateway istio-egress") == 2
    assert "charging/charging-v1[Deployment]<br>charging/charging-v2[Deployment]<br>  TCP 8080" in output


def test_an_unknown_partner_is_told_who_there_is() -> None:
    code, output = run("dev", "acme")
    assert code == 2
    assert "no such partner in dev; there is acme-mobile, globex-telecom" in output


def test_a_format_that_does_not_exist_is_refused() -> None:
    assert run("dev", "acme-mobile", "--format", "gif")[0] == 2
