"""A headless Chromium by the WebDriver protocol (https://www.w3.org/TR/webdriver2/): what the tests need of it."""

import base64
import json
import shutil
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

KEYS: Final = {"ArrowDown": "\ue015", "ArrowRight": "\ue014", "Enter": "\ue007", "Escape": "\ue00c", "Tab": "\ue004"}
FLAGS: Final = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--force-device-scale-factor=1",
)  # fmt: skip


def missing() -> str:
    """What is not on PATH, in words; "" where all is there."""
    absent = [each for each in ("chromium", "chromedriver") if shutil.which(each) is None]
    return f"{' and '.join(absent)} not installed: nothing was shown in a browser" if absent else ""


class Browser:
    """One window. Everything that its console says is kept in `complaints`."""

    def __init__(self, folder: Path, width: int = 1500, height: int = 900) -> None:
        self._folder, self._size = folder, (width, height)

    def __enter__(self) -> Self:
        self._driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, text=True)
        assert self._driver.stdout is not None
        port = next(
            line.rsplit(" ", 1)[-1].strip(".\n") for line in self._driver.stdout if "successfully on port" in line
        )
        self._root = f"http://127.0.0.1:{port}/session"
        width, height = self._size
        arguments = [*FLAGS, f"--user-data-dir={self._folder / 'profile'}", f"--window-size={width},{height}"]
        options = {"args": arguments, "binary": shutil.which("chromium")}
        wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"}}
        made = self._ask("POST", "", {"capabilities": {"alwaysMatch": wanted}})
        self._root += f"/{made['sessionId']}"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._ask("DELETE", "", None)
        finally:
            self._driver.terminate()
            self._driver.wait(10)

    def _ask(self, method: str, path: str, body: Any) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._root + path, data, {"Content-Type": "application/json"}, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"]) from None

    def open(self, page: str, fragment: str = "") -> None:
        """Show a page, written to a file of its own, at a view of it."""
        file = self._folder / "page.html"
        file.write_text(page, encoding="utf-8")
        self._ask("POST", "/url", {"url": "about:blank"})
        self._ask("POST", "/url", {"url": f"{file.as_uri()}{fragment}"})

    def run(self, script: str) -> Any:
        """The value of an expression in the page."""
        return self._ask("POST", "/execute/sync", {"script": f"return {script}", "args": []})

    def click(self, selector: str) -> None:
        """Click an element as a person would: it must be in sight."""
        self._ask("POST", f"/element/{self._find(selector)}/click", {})

    def type(self, selector: str, text: str) -> None:
        """Type into an element; names of KEYS in their private characters are keys."""
        self._ask("POST", f"/element/{self._find(selector)}/value", {"text": text})

    def press(self, *keys: str) -> None:
        """Press keys wherever the focus is."""
        actions = [{"type": kind, "value": KEYS[key]} for key in keys for kind in ("keyDown", "keyUp")]
        self._ask("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def settled(self) -> None:
        """Wait until typing has been taken in and two frames have been drawn."""
        wait = "setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(arguments[0])), 120)"
        self._ask("POST", "/execute/async", {"script": wait, "args": []})

    def dark(self) -> None:
        """Ask pages for their dark colours."""
        media = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
        self._ask("POST", "/goog/cdp/execute", {"cmd": "Emulation.setEmulatedMedia", "params": media})

    def picture(self) -> bytes:
        """The window as PNG."""
        return base64.b64decode(self._ask("GET", "/screenshot", None))

    def complaints(self) -> list[str]:
        """What the console has said since the last time."""
        return [each["message"] for each in self._ask("POST", "/se/log", {"type": "browser"})]

    def _find(self, selector: str) -> str:
        found = self._ask("POST", "/element", {"using": "css selector", "value": selector})
        return str(next(iter(found.values())))
