"""Headless Chromium, controlled by its DevTools protocol over the websockets package that viser depends on."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

from websockets.sync.client import connect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WAIT_S = 120.0  # software rendering on a busy machine
# No window, no GPU, no sandbox (not available to root in a container), and no background network traffic.
FLAGS = ("--headless=new", "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader")
FLAGS += ("--disable-background-networking", "--disable-component-update", "--no-first-run", "--hide-scrollbars")


class Browser:
    """A browser with one page; records the URLs that the page requests."""

    def __init__(self, profile: Path, width: int = 1280, height: int = 720) -> None:
        assert CHROMIUM is not None
        self.requests: list[str] = []
        self._number = 0
        self._process = subprocess.Popen(
            [CHROMIUM, *FLAGS, f"--user-data-dir={profile}", "--remote-debugging-port=0"] + ["about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        port_file = profile / "DevToolsActivePort"
        wait_until(lambda: port_file.is_file() and port_file.read_text().count("\n") >= 1)
        port = port_file.read_text().splitlines()[0]
        with urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
            pages = [page for page in json.load(answer) if page["type"] == "page"]
        self._socket = connect(pages[0]["webSocketDebuggerUrl"], max_size=None)
        self._call("Network.enable")
        self._call("Page.enable")
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self._call("Emulation.setDeviceMetricsOverride", **size)

    def __enter__(self) -> Browser:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait()

    def open(self, url: str) -> None:
        self._call("Page.navigate", url=url)

    def text(self) -> str:
        """Return the visible text of the page."""
        return str(self.evaluate("document.body.innerText"))

    def evaluate(self, expression: str) -> Any:
        return self._call("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")

    def screenshot(self, path: Path, **how: Any) -> None:
        path.write_bytes(base64.b64decode(self._call("Page.captureScreenshot", **how)["data"]))

    def hosts(self) -> set[str]:
        """Return the hosts that the page has contacted; URLs within the page (data:, blob:) have none."""
        return {host for url in self.requests if (host := urlsplit(url).hostname)}

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(timeout=WAIT_S))
            if message.get("method") == "Network.requestWillBeSent":
                self.requests.append(message["params"]["request"]["url"])
            if message.get("method") == "Network.webSocketCreated":
                self.requests.append(message["params"]["url"])
            if message.get("id") == self._number:
                assert "error" not in message, message
                return dict(message["result"])


def wait_until(reached: Callable[[], Any], timeout: float = WAIT_S) -> Any:
    """Wait until `reached()` is true, and return its value."""
    end = time.monotonic() + timeout
    while not (result := reached()):
        assert time.monotonic() < end, f"not reached within {timeout} s"
        time.sleep(0.1)
    return result
