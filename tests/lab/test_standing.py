"""What `lab request` makes of a person's words, where labs live, what a comparison looks like on paper."""

from dataclasses import replace
from pathlib import Path

import pytest

from lab import LabError, home, netns
from lab.fidelity import Outcome
from lab.fidelity_report import Run
from lab.inside import Balancer
from lab.judge import Expected
from lab.players import players
from lab.probe import Observation, Probe
from lab.questions import Question
from lab.standing import Request, _probe
from lab.traffic import balancers
from lab.world import world
from partner_mesh.analysis.layers import Because, Verdict
from tests.lab import dev

HOST = "acme.partners.dev.example.com"


def told(request: Request) -> Probe:
    documents = dev.objects()
    cast = world(documents)
    return _probe(request, players(documents, cast), cast, balancers(documents, cast).values())


def test_a_partner_calls_its_host_from_its_address_with_its_certificate() -> None:
    probe = told(Request("POST", "/v1/callbacks/1", partner="acme-mobile"))
    assert (probe.to, probe.host, probe.server_name, probe.port) == (HOST, HOST, HOST, 443)
    assert probe.address == "198.51.100.1"
    assert probe.certificate is not None
    assert probe.certificate.names == ("callbacks.acme-mobile.example",)


@pytest.mark.parametrize(
    ("certificate", "authority", "expired"),
    [
        ("none", None, False),
        ("stranger", "a stranger", False),
        ("expired", "istio-partners/acme-mobile-acme", True),
        ("payline", "istio-partners/payline-payline", False),
    ],
)
def test_a_certificate_can_be_another(certificate: str, authority: str | None, expired: bool) -> None:
    shown = told(Request("GET", "/", partner="acme-mobile", certificate=certificate)).certificate
    assert (shown and shown.authority) == authority
    assert bool(shown and shown.expired) is expired


def test_a_workload_calls_in_plain_http() -> None:
    probe = told(Request("GET", "/x", source="checkout/checkout", to="charging.charging", port=8080))
    assert (probe.source, probe.server_name, probe.host) == ("checkout/checkout", None, "charging.charging")


def test_a_web_user_comes_by_the_load_balancer() -> None:
    probe = told(Request("GET", "/", source="192.0.2.9", to="pay.dev.example.com", headers=("X-A: b",)))
    assert probe.to == "istio-web/web"
    assert probe.headers["x-forwarded-for"] == "192.0.2.9"
    assert probe.headers["x-a"] == "b"
    assert isinstance(next(iter(balancers(dev.objects(), world(dev.objects())).values())), Balancer)


@pytest.mark.parametrize(
    ("request_", "says"),
    [
        (Request("GET", "/", partner="nobody"), "no partner called nobody calls us; there are acme-mobile"),
        (Request("GET", "/", source="a/b"), "say where to with --to"),
        (Request("GET", "/"), "say who calls with --partner"),
        (Request("GET", "/", partner="acme-mobile", certificate="x"), "--certificate is own, none"),
        (Request("GET", "/", partner="acme-mobile", headers=("x",)), "name: value"),
    ],
)
def test_what_cannot_be_told_is_said(request_: Request, says: str) -> None:
    with pytest.raises(LabError, match=says):
        told(request_)


def test_a_lab_that_does_not_run_is_not_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(LabError, match="no lab is running; start one with: partner-mesh lab up STACK"):
        home.the_one(None)
    holds = [home.Hold.of_stack(name) for name in ("one", "two", "dead")]
    for hold in holds:
        (hold.folder / "control.sock").touch()
    holds.pop().release()
    assert home.running() == ["one", "two"]
    assert home.the_one("two").name == "two"
    with pytest.raises(LabError, match=r"several labs are running \(one, two\)"):
        home.the_one(None)
    with pytest.raises(LabError, match="the lab of dead is not running"):
        home.the_one("dead")


@pytest.mark.parametrize(
    ("user", "missing", "packages"),
    [
        (0, {"nft", "nsenter"}, "nftables util-linux"),
        (0, {"newgidmap", "ip"}, "iproute2"),
        (1000, {"newgidmap", "ip"}, "iproute2 uidmap"),
    ],
)
def test_missing_programs_are_named_with_the_line_that_installs_them(
    monkeypatch: pytest.MonkeyPatch, user: int, missing: set[str], packages: str
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    monkeypatch.setattr("shutil.which", lambda program, **_: None if program in missing else f"/bin/{program}")
    assert netns.refusal() == f"programs are missing; install them: apt-get install -y {packages}"
    with pytest.raises(LabError, match="the data plane cannot run"):
        netns.require()


@pytest.mark.parametrize(
    ("user", "remedy"), [(0, "--cap-add SYS_ADMIN --cap-add NET_ADMIN"), (1000, "usermod --add-subuids")]
)
def test_a_kernel_that_says_no_is_quoted_with_what_whoever_asks_can_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, user: int, remedy: str
) -> None:
    unshare = tmp_path / "unshare"
    unshare.write_text("#!/bin/sh\necho 'unshare failed: Operation not permitted' >&2; exit 1\n")
    unshare.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr("os.geteuid", lambda: user)
    monkeypatch.setattr("shutil.which", lambda program, **_: f"/bin/{program}")
    said = netns.refusal() or ""
    assert "unshare failed: Operation not permitted" in said
    assert remedy in said
    assert "lab test --tier apply" in said


@pytest.mark.parametrize(("user", "joined"), [(0, False), (1000, True)])
def test_who_is_not_root_opens_and_enters_a_user_namespace_with_more_than_one_group(
    monkeypatch: pytest.MonkeyPatch, user: int, joined: bool
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: user)
    assert ("--map-auto" in netns.isolated(["true"])) is joined
    assert ("--user" in netns.entered("7")) is joined


def test_a_report_shows_the_table_and_every_difference_and_how_to_make_it_again() -> None:
    question = Question("partner", Probe("outside", "a", 1, "a", address="192.0.2.1"), enforced=True)
    allowed = Expected(Verdict.ALLOWED, ("x/y",), (Because("route", "VirtualService a/b"),))
    same = Outcome(question, allowed, Observation("answered", 200, {"server": "x/y"}))
    different = replace(same, seen=Observation("answered", 403))
    unknown = replace(same, expected=replace(allowed, verdict=Verdict.UNKNOWN))
    run = Run("dev", 7, (same, different, unknown))
    assert run.different == [different]
    for text in (run.text(), run.markdown("docs/x.md")):
        assert "partner-mesh lab fidelity dev --probes 3 --seed 7" in text
        assert "expected: allowed to x/y" in text
        assert "observed: 403" in text
        assert "1 times unknown" in text
    assert "--seed 7 --write docs/x.md`" in run.markdown("docs/x.md")
    assert "| partner | 3 | 1 | 0 | 1 | 1 |" in run.markdown("docs/x.md")
