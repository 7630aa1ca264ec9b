"""A browser that tests tell what to do: Chromium, over its pipe for debuggers."""
# SPDX-License-Identifier: MIT
import base64
import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator

SECONDS = 60  # for whatever must not take long


def find() -> str | None:
    """The path of Chromium; None if it is not installed."""
    return shutil.which("chromium")


class Page:
    """A page, and everything that it complains of."""

    def __init__(self, commands: int, events: int) -> None:
        self._commands = commands
        self._events = events
        self._received = b""
        self._number = 0
        self._session = None
        self.complaints = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        attached = self.call("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters) -> dict:
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._commands, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._receive()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)
        while self.evaluate("document.readyState") != "complete":
            time.sleep(0.05)

    def evaluate(self, expression: str):
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"])
        return result["result"].get("value")

    def screenshot(self) -> bytes:
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        return base64.b64decode(shot["data"])

    def _receive(self) -> dict:
        deadline = time.monotonic() + SECONDS
        while b"\0" not in self._received:
            if not select.select([self._events], [], [], deadline - time.monotonic())[0]:
                raise TimeoutError("the browser says nothing")
            part = os.read(self._events, 1 << 20)
            if not part:
                raise EOFError("the browser has ended")
            self._received += part
        text, _, self._received = self._received.partition(b"\0")
        message = json.loads(text)
        if message.get("method") in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown",
                                     "Log.entryAdded", "Network.loadingFailed"):
            self.complaints.append(message)
        return message


@contextlib.contextmanager
def page(width: int, height: int) -> Iterator[Page]:
    """A page in a browser that is started for it, without a network."""
    to_browser, commands = os.pipe()
    events, from_browser = os.pipe()

    def move_pipes() -> None:  # the browser's are 3 and 4
        os.dup2(to_browser, 100)
        os.dup2(from_browser, 101)
        os.dup2(100, 3)
        os.dup2(101, 4)

    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as directory:
        browser = subprocess.Popen(
            [find(), "--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe",
             "--disable-dev-shm-usage", "--no-first-run", "--disable-background-networking",
             "--host-resolver-rules=MAP * ~NOTFOUND", f"--window-size={width},{height}",
             f"--user-data-dir={directory}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            preexec_fn=move_pipes, close_fds=False)
        os.close(to_browser)
        os.close(from_browser)
        try:
            yield Page(commands, events)
        finally:
            os.close(commands)
            os.close(events)
            browser.terminate()
            browser.wait(SECONDS)
