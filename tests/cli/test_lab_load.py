"""`lab load` and `lab scale` refuse what they cannot do, before anything is started."""

import pytest
from typer.testing import CliRunner

from partner_mesh.cli.lab import lab


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["load", "dev", "--case", "earthquake"], "there is no case earthquake; there are steady, added"),
        (["load", "nowhere"], "Pulumi.nowhere.yaml"),
        (["load", "dev", "--requests", "5"], "--requests"),
        (["load", "dev", "--enforce-at", "moon"], "--enforce-at"),
        (["scale", "dev", "--partners", "7"], "lab scale: no row is so; there are 10 sidecar"),
        (["scale", "nowhere"], "Pulumi.nowhere.yaml"),
    ],
)
def test_what_cannot_be_played_is_refused_with_status_2(arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(lab, arguments, env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert said in result.output
