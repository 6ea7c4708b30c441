"""A headless Chromium, driven over the DevTools protocol on a pair of pipes: no port, no driver."""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from pathlib import Path

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)
_ANSWER_SECONDS = 30.0


def find_browser() -> str | None:
    """Return the browser to use: the one that NYMPROXY_BROWSER names, or the first on PATH."""
    if named := os.environ.get("NYMPROXY_BROWSER"):
        return shutil.which(named)
    return next((found for name in _NAMES if (found := shutil.which(name))), None)


class BrowserError(Exception):
    """The browser ended, did not answer in time, or refused a command."""


class Browser:
    """One browser with one page; leaving the context ends it."""

    def __init__(self, program: str, directory: Path) -> None:
        """Take the program, and a new directory for everything that it writes."""
        self._program = program
        self._directory = directory
        self._buffer = b""
        self._last_id = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        commands_read, self._commands = os.pipe()
        self._answers, answers_write = os.pipe()
        home = {name: str(self._directory) for name in ("HOME", "XDG_CONFIG_HOME")}
        home["XDG_CACHE_HOME"] = str(self._directory)
        # The browser reads commands from descriptor 3 and answers on 4; the shell puts them there.
        place = f'exec "$@" 3<&{commands_read} 4>&{answers_write}'
        arguments = [self._program, *_FLAGS, f"--user-data-dir={self._directory}", "about:blank"]
        self._log = (self._directory / "stderr.txt").open("wb")
        self._process = subprocess.Popen(
            ["bash", "-c", place, "bash", *arguments],
            pass_fds=(commands_read, answers_write),
            env=os.environ | home,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,
        )
        os.close(commands_read)
        os.close(answers_write)
        try:
            self._attach()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._session = None
            self.call("Browser.close")
            self._process.wait(10)
        except (BrowserError, OSError, subprocess.TimeoutExpired):
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        os.close(self._commands)
        os.close(self._answers)
        self._log.close()

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result; events meanwhile go to `events`."""
        self._last_id += 1
        command: dict[str, Any] = {"id": self._last_id, "method": method, "params": parameters}
        if self._session:
            command["sessionId"] = self._session
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        while True:
            message = self._next()
            if message.get("id") != self._last_id:
                self.events.append(message)
            elif "error" in message:
                raise BrowserError(f"{method}: {message['error']}")
            else:
                result: dict[str, Any] = message["result"]
                return result

    def emulate(self, *, width: int, height: int, scheme: str) -> None:
        """Make the page exactly this wide and set the colour scheme that it is asked to have."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        wanted = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=wanted)

    def open(self, url: str) -> None:
        """Go to a page and wait until it has loaded."""
        self.events.clear()
        answer = self.call("Page.navigate", url=url)
        if "errorText" in answer:
            raise BrowserError(f"{url}: {answer['errorText']}")
        while not any(event["method"] == "Page.loadEventFired" for event in self.events):
            self.events.append(self._next())

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in result:
            raise BrowserError(f"{expression}: {result['exceptionDetails']}")
        return result["result"].get("value")

    def screenshot(self, *, whole: bool = False) -> bytes:
        """Return a PNG of the window, or of the whole page."""
        answer = self.call("Page.captureScreenshot", captureBeyondViewport=whole)
        return base64.b64decode(answer["data"])

    def _attach(self) -> None:
        targets = self.call("Target.getTargets")["targetInfos"]
        page = next(target for target in targets if target["type"] == "page")
        attached = self.call("Target.attachToTarget", targetId=page["targetId"], flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self.call(f"{domain}.enable")

    def _next(self) -> dict[str, Any]:
        deadline = time.monotonic() + _ANSWER_SECONDS
        while b"\0" not in self._buffer:
            left = max(0.0, deadline - time.monotonic())
            ready, _, _ = select.select([self._answers], [], [], left)
            if not ready:
                raise BrowserError(f"the browser did not answer in {_ANSWER_SECONDS:.0f} s")
            read = os.read(self._answers, 1 << 16)
            if not read:
                said = (self._directory / "stderr.txt").read_text(errors="replace")
                raise BrowserError(f"the browser ended: {said[-2000:]}")
            self._buffer += read
        message, _, self._buffer = self._buffer.partition(b"\0")
        parsed: dict[str, Any] = json.loads(message)
        return parsed
