"""From files and from the engine's values to a Stack."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from partner_mesh.config.base import ENCRYPTED
from partner_mesh.config.loader import load_stack, load_values
from partner_mesh.config.problems import ConfigurationError, Problem
from tests.strategies import Section

VALID = Path(__file__).parent / "valid"
ROOT = Path(__file__).parents[2]


def problems(stack: str, directory: Path) -> tuple[Problem, ...]:
    with pytest.raises(ConfigurationError) as raised:
        load_stack(stack, directory)
    return raised.value.problems


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The valid configuration, to be changed."""
    shutil.copytree(VALID, tmp_path, dirs_exist_ok=True)
    return tmp_path


def change(directory: Path, old: str, new: str, file: str = "Pulumi.dev.yaml") -> None:
    text = (directory / file).read_text()
    assert old in text
    (directory / file).write_text(text.replace(old, new))


def values(directory: Path = VALID) -> Section:
    """What the engine hands to the program: everything decrypted."""
    config = yaml.safe_load((directory / "Pulumi.dev.yaml").read_text())["config"]
    names = ("platform", "applications", "partners")
    config["partner-mesh:platform"]["observability"]["prometheus"]["remoteWrite"]["url"] = ENCRYPTED
    return {"region": config["aws:region"], **{name: config[f"partner-mesh:{name}"] for name in names}}


def test_a_stack_holds_what_the_files_say() -> None:
    stack = load_stack("dev", VALID)

    assert (stack.name, stack.region) == ("dev", "eu-central-1")
    assert list(stack.applications) == ["charging", "checkout"]
    assert [partner.name for partner in stack.partners] == ["acme-mobile", "google-apis"]
    [inbound] = stack.partners[0].inbound
    assert inbound.routes[0].retries is not None
    assert inbound.routes[0].retries.attempts == 2
    assert stack.partners[0].outbound[0].retries is not None
    assert stack.partners[0].outbound[0].retries.on == ("connect-failure",)


def test_the_environments_of_this_repository_are_valid() -> None:
    stacks = [load_stack(name, ROOT) for name in ("dev", "prod")]

    assert [stack.platform.environment for stack in stacks] == ["dev", "prod"]


def test_a_file_s_place_in_the_folder_means_nothing(copy: Path) -> None:
    before = load_stack("dev", copy)
    (copy / "partners" / "dev" / "acme-mobile.yaml").rename(copy / "partners" / "dev" / "zzz.yml")

    assert load_stack("dev", copy) == before


def test_other_files_in_the_folder_are_left_alone(copy: Path) -> None:
    (copy / "partners" / "dev" / "README.md").write_text("# Partners")
    (copy / "partners" / "dev" / ".draft.yaml").write_text("name: [")

    assert len(load_stack("dev", copy).partners) == 2


@pytest.mark.parametrize("inline", ["list", "mapping"])
def test_partners_may_stand_in_the_stack_s_file(copy: Path, inline: str) -> None:
    before = load_stack("dev", copy)
    partners = [yaml.safe_load(path.read_text()) for path in sorted((copy / "partners" / "dev").glob("*.yaml"))]
    for partner in partners:
        for fact in partner.get("certificates", ()):
            fact["notAfter"] = str(fact["notAfter"])
    whole = yaml.safe_load((copy / "Pulumi.dev.yaml").read_text())
    by_name = {partner["name"]: {k: v for k, v in partner.items() if k != "name"} for partner in partners}
    whole["config"]["partner-mesh:partners"] = partners if inline == "list" else by_name
    text = yaml.safe_dump(whole).replace("true:", '"on":')  # PyYAML's 1.1 reads the key `on` as a boolean
    (copy / "Pulumi.dev.yaml").write_text(text)

    assert load_stack("dev", copy) == before


def test_encrypted_values_are_neither_read_nor_in_the_way() -> None:
    remote = load_stack("dev", VALID).platform.observability.prometheus.remote_write

    assert remote is not None
    assert remote.url == ENCRYPTED


def test_encrypted_values_may_stand_in_lists_and_names_of_secrets(copy: Path) -> None:
    change(copy, "admins: [arn:aws:iam::111122223333:role/platform-admin]", "admins: [{secure: v1:abc:def}]")
    change(copy, "certificate: web-server", "certificate: {secure: v1:abc:def}")

    stack = load_stack("dev", copy)

    assert stack.platform.gateways["web"].certificate == ENCRYPTED
    assert "v1:abc" not in repr(stack)


def test_what_exists_but_is_mistaken_causes_no_second_error(copy: Path) -> None:
    change(copy, "    charging:\n      namespace: charging", "    charging:\n      namespace: Charging")

    [problem] = problems("dev", copy)

    assert problem.key == "partner-mesh:applications.charging.namespace"


def test_mistakes_of_all_files_come_at_once(copy: Path) -> None:
    change(copy, "zones: 3", "zones: 9")
    change(copy, "namespace: checkout", "namespace: Checkout")
    change(copy, "owner: integrations@example.com", "owner: nobody", "partners/dev/acme-mobile.yaml")
    change(copy, "from: [checkout], tls: {mode: simple}", "from: [chekout]", "partners/dev/google-apis.yaml")

    found = {(Path(problem.file).name, problem.key) for problem in problems("dev", copy)}

    assert found == {
        ("Pulumi.dev.yaml", "partner-mesh:platform.network.zones"),
        ("Pulumi.dev.yaml", "partner-mesh:applications.checkout.namespace"),
        ("acme-mobile.yaml", "owner"),
        ("google-apis.yaml", "outbound[0].from[0]"),
        ("google-apis.yaml", "outbound[1].from[0]"),
    }


def test_a_link_out_of_the_folder_is_refused_and_one_inside_is_not(copy: Path, tmp_path_factory: Any) -> None:
    outside = tmp_path_factory.mktemp("outside") / "x.yaml"
    outside.write_text("name: x\n")
    folder = copy / "partners" / "dev"
    (folder / "link.yaml").symlink_to(outside)
    (folder / "dangling.yaml").symlink_to(folder / "nowhere")
    (folder / "folder.yaml").mkdir()
    (folder / "loop.yaml").symlink_to(folder / "loop.yaml")
    (folder / "zinside.yaml").symlink_to(folder / "google-apis.yaml")

    found = {Path(problem.file).name: problem for problem in problems("dev", copy)}

    assert found["link.yaml"].reason == "is a link out of the folder"
    assert found["dangling.yaml"].reason == "is a link to nowhere"
    assert found["folder.yaml"].reason == "is a folder"
    assert "loop.yaml" in found
    assert found["zinside.yaml"].rule in ("unique-partner", "unique-entry", "outbound-host-owner")


def test_a_file_without_bounds_is_not_read(copy: Path) -> None:
    (copy / "partners" / "dev" / "huge.yaml").write_bytes(b"#" * (4 * 1024 * 1024 + 1))

    [problem] = problems("dev", copy)

    assert "is larger than" in problem.reason


@pytest.mark.parametrize("stack", ["nope", "../dev", "", "a b", "x" * 500])
def test_a_stack_that_is_not_there_is_one_problem(stack: str) -> None:
    [problem] = problems(stack, VALID)

    assert problem.reason


def test_values_of_the_engine_make_the_same_stack() -> None:
    assert load_values("dev", values(), VALID) == load_stack("dev", VALID)


def test_values_may_be_json_text() -> None:
    given = values()
    text = json.dumps({name: {"namespace": name, "ports": {"http": 8080}} for name in ("charging", "checkout")})

    stack = load_values("dev", {**given, "applications": text, "partners": "partners/dev"}, VALID)

    assert list(stack.applications) == ["charging", "checkout"]


def test_mistakes_in_values_are_placed_in_the_file_they_come_from() -> None:
    given = values()
    given["platform"]["network"]["zones"] = 9

    with pytest.raises(ConfigurationError) as raised:
        load_values("dev", given, VALID)

    [problem] = raised.value.problems
    assert problem.line == 8
    assert problem.key == "partner-mesh:platform.network.zones"


def test_mistakes_in_values_without_a_file_keep_their_key() -> None:
    given = values()
    given["platform"]["mesh"]["upgrade"] = {"to": "1-31-1"}

    with pytest.raises(ConfigurationError) as raised:
        load_values("other", {**given, "partners": []}, VALID)

    [problem] = raised.value.problems
    assert str(problem).startswith("Pulumi.other.yaml: partner-mesh:platform.mesh.upgrade.to: ")


def test_a_secret_in_values_is_refused_and_not_repeated() -> None:
    given = values()
    given["platform"]["tags"] = {"key": "AKIAIOSFODNN7EXAMPLE"}

    with pytest.raises(ConfigurationError) as raised:
        load_values("dev", given, VALID)

    assert [problem.rule for problem in raised.value.problems] == ["secret"]
    assert "AKIA" not in str(raised.value)


def test_a_secret_in_json_text_is_refused_and_not_repeated() -> None:
    text = json.dumps({**values()["platform"], "tags": {"key": "Bearer abcdefghijklmnop"}})

    with pytest.raises(ConfigurationError) as raised:
        load_values("dev", {**values(), "platform": text}, VALID)

    assert [problem.key for problem in raised.value.problems] == ["partner-mesh:platform.tags.key"]
    assert "Bearer" not in str(raised.value)


def test_an_unknown_section_hides_no_other_mistake() -> None:
    with pytest.raises(ConfigurationError) as raised:
        load_values("other", {**values(), "partners": [], "aplications": {}, "region": "Frankfurt"}, VALID)

    assert [problem.key for problem in raised.value.problems] == ["aws:region", "partner-mesh:aplications"]


def test_values_nested_without_end_are_a_problem() -> None:
    nested: Any = []
    for _ in range(100_000):
        nested = [nested]

    with pytest.raises(ConfigurationError):
        load_values("dev", {"platform": nested}, VALID)
