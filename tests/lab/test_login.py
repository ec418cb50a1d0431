"""A web UI behind a login: the gateway, oauth2-proxy as it is released, an issuer, a browser played by hand."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from lab import netns, oauth2_proxy
from lab.control import Lab
from lab.inside import Balancer
from lab.oauth2_proxy import Proxy
from lab.probe import Observation, Probe, Token
from lab.tools import Tools
from tests.lab import web

pytestmark = pytest.mark.lab

ISSUER = "https://login.example.com"
USERS = {
    "issuer": ISSUER,
    "jwksUri": f"{ISSUER}/jwks",
    "audiences": ["pay"],
    "require": {"group": ["buyers"]},
    "claimToHeaders": {"x-user": "sub"},
    "login": {"clientId": "pay", "clientSecret": "pay-login", "scopes": ["openid", "email", "groups"]},
}
APPLICATIONS = {
    "checkout": {
        "namespace": "checkout",
        "ports": {"http": 8080},
        "web": [{"path": "/{**}"}, {"path": "/static/{**}", "public": True}],
        "endUsers": USERS,
    }
}
ONE_COOKIE = re.compile(r",(?=[^ ,;]+=)")  # the lab joins repeated headers by a comma; dates have one with a space
SECRET = {"client-secret": "s3cret/with+signs=", "cookie-secret": "0123456789abcdef0123456789abcdef"}


class Browser:
    """Keeps cookies of our host, follows nothing by itself."""

    def __init__(self, lab: Lab, balancer: Balancer) -> None:
        self.lab = lab
        self.balancer = balancer
        self.address = str(lab.status()["stranger"])
        self.cookies: dict[str, str] = {}

    def probe(self, path: str, **changes: Any) -> Probe:
        probe = self.balancer.carries(web.HOST, "GET", path, self.address)
        carried = {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        return replace(probe, headers={**probe.headers, **(carried if self.cookies else {})}, **changes)

    def get(self, path: str, **changes: Any) -> Observation:
        seen = self.lab.probe(self.probe(path, **changes))
        for cookie in filter(None, ONE_COOKIE.split(seen.headers.get("set-cookie", ""))):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
            if not value:
                del self.cookies[name]
        return seen

    def signs_in(self, user: str, path: str = "/") -> Observation:
        """Is sent to the issuer, signs in there, comes back with the code; the answer to that."""
        there = urlsplit(self.get(path).headers["location"])
        assert f"{there.scheme}://{there.netloc}" == ISSUER
        asked = Probe("outside", there.netloc, 443, there.netloc, path=f"{there.path}?{there.query}&login_hint={user}",
                      server_name=there.netloc)  # fmt: skip
        back = urlsplit(self.lab.probe(asked).headers["location"])
        assert (back.netloc, back.path) == (web.HOST, "/oauth2/callback")
        return self.get(f"{back.path}?{back.query}")


@pytest.fixture(scope="module")
def running(lab_tools: Tools, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lab, Balancer, Proxy]]:
    if (reason := netns.refusal()) is not None:
        pytest.skip(f"no data plane here: {reason}")
    if not oauth2_proxy.program().is_file():
        pytest.skip("oauth2-proxy is not built: run python -m lab.oauth2_proxy")
    compiled = web.compiled(APPLICATIONS)
    listed = web.documents(lab_tools, compiled, without=["login-checkout"])
    [release] = [chart for chart in compiled.charts if chart.name == "login-checkout"]
    with Lab.start(listed, directory=Path(tmp_path_factory.mktemp("login"))) as lab:
        users = {"alice": {"group": "buyers"}, "bob": {"group": "visitors"}}
        client = {"client": "pay", "secret": SECRET["client-secret"]}
        lab.operate("sign_users_in", {"issuer": ISSUER, "users": users, **client})
        with Proxy.start(lab, release, SECRET) as proxy:
            found = web.balancer(listed)
            browser = Browser(lab, found)
            seen, _ = lab.until(browser.probe("/"), lambda seen: seen.status == 302, seconds=60)
            assert seen.status == 302, (
                seen.sentence(),
                (lab.directory / "logs/login-checkout.log").read_text()[-2000:],
            )
            yield lab, found, proxy


@pytest.fixture
def browser(running: tuple[Lab, Balancer, Proxy]) -> Browser:
    return Browser(*running[:2])


def test_who_has_no_session_is_sent_to_the_issuer_and_reaches_nothing(browser: Browser) -> None:
    seen = browser.get("/basket/7")
    assert seen.status == 302
    assert not seen.permitted
    assert seen.headers["location"].startswith(f"{ISSUER}/authorize?")
    assert "code_challenge_method=S256" in seen.headers["location"]


def test_what_is_public_needs_no_session(browser: Browser) -> None:
    assert browser.get("/static/a.css").reached == "checkout/checkout"


def test_after_the_login_the_request_reaches_the_application_with_who_asks(browser: Browser) -> None:
    assert browser.signs_in("alice", "/basket/7").headers["location"] == "/basket/7"
    seen = browser.get("/basket/7")
    assert seen.reached == "checkout/checkout", seen.sentence()
    assert seen.seen is not None
    assert seen.seen["headers"]["x-user"] == "alice"  # read by the sidecar from the token that the login passed on


def test_who_lacks_the_group_signs_in_and_is_refused_by_the_application_s_sidecar(browser: Browser) -> None:
    browser.signs_in("bob")
    seen = browser.get("/")
    assert (seen.status, seen.text) == (403, "RBAC: access denied")


@pytest.mark.parametrize(
    ("token", "reached"),
    [
        (Token(ISSUER, ("pay",), {"group": "buyers", "email": "a@example.com"}), True),
        (Token(ISSUER, ("pay",), {"group": "visitors", "email": "a@example.com"}), False),
        (Token(ISSUER, ("pay",), {"group": "buyers", "email": "a@example.com"}, forged=True), False),
        (Token(ISSUER, ("pay",), {"group": "buyers", "email": "a@example.com"}, expired=True), False),
        (Token(ISSUER, ("else",), {"group": "buyers", "email": "a@example.com"}), False),
    ],
)
def test_a_program_brings_its_own_token(browser: Browser, token: Token, reached: bool) -> None:
    seen = browser.get("/", token=token)
    assert seen.permitted is reached, seen.sentence()


def test_a_session_of_somebody_s_own_making_is_none(browser: Browser) -> None:
    browser.signs_in("alice")
    [name] = [name for name in browser.cookies if not name.endswith("csrf")]
    browser.cookies[name] = browser.cookies[name][:-4] + "AAAA"
    assert browser.get("/").status == 302


def test_nobody_reaches_the_login_but_its_gateway(running: tuple[Lab, Balancer, Proxy]) -> None:
    lab = running[0]
    seen = lab.probe(Probe("checkout/checkout", "istio-web/login-checkout", 4180, "x", timeout=2, unproxied=True))
    assert seen.outcome == "filtered"


def test_without_the_login_there_is_no_access(running: tuple[Lab, Balancer, Proxy], browser: Browser) -> None:
    """The last test: the program ends here."""
    browser.signs_in("alice")
    assert browser.get("/").permitted
    running[2].stop()
    for again in (browser, Browser(*running[:2])):
        seen, _ = running[0].until(again.probe("/"), lambda seen: seen.status == 403)
        assert (seen.status, seen.permitted) == (403, False)
    assert browser.get("/static/a.css").permitted
