"""What every verb begins with."""

import shutil
from pathlib import Path

import pytest
import typer

from partner_mesh.cli.stack import documents, read

ROOT = Path(__file__).parents[2]


def test_documents_are_what_is_deployed_what_runs_beside_it_and_group_rules() -> None:
    kinds = {document["kind"] for document in documents("dev", ROOT)}

    assert {"VirtualService", "Deployment", "ConfigMap", "SecurityGroup"} <= kinds


def test_mistakes_end_the_program_with_status_2_and_are_all_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(ROOT / "Pulumi.dev.yaml", tmp_path)
    text = (tmp_path / "Pulumi.dev.yaml").read_text()
    (tmp_path / "Pulumi.dev.yaml").write_text(text.replace("zones: 3", "zones: 9").replace("m6i.large", "t3.large", 1))

    with pytest.raises(typer.Exit) as ended:
        read("dev", tmp_path)

    assert ended.value.exit_code == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert "network.zones: is above 6; write 6 or less" in output.err
    assert "partner-mesh:partners: is not a folder that can be read" in output.err
    assert output.err.endswith("2 mistakes in the configuration\n")
