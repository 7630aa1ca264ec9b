"""What the tests against other programs share: starting these, and ending them whatever happens."""
# SPDX-License-Identifier: MIT
import contextlib
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

SECONDS = 20  # for whatever must not take long

# Where servers are that are not in the path of everybody.
PLACES = ["/usr/sbin", "/usr/local/sbin"]


def program(name: str, *places: str) -> str:
    """The path of a program of the system; ./test installs them all (scripts/setup.sh)."""
    path = os.pathsep.join([os.environ.get("PATH", ""), *PLACES, *places])
    found = shutil.which(name, path=path)
    if found is None:
        raise FileNotFoundError(f"{name} is not installed: scripts/setup.sh, peer_packages")
    return found


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    """A port of loopback that is free now."""
    with socket.socket(type=kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, what: str):
    """What `condition` gives as soon as it is true. Only for what other programs do not tell."""
    end = time.monotonic() + SECONDS
    while not (value := condition()):
        if time.monotonic() > end:
            raise TimeoutError(what)
        time.sleep(0.01)
    return value


def accepts(address) -> bool:
    """Does anybody listen there?"""
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    with socket.socket(family) as probe:
        return probe.connect_ex(address) == 0


class PeerCase(unittest.TestCase):
    """A test with processes and a directory of its own, which end with it.

    Our programs run on each proactor: ASYNCIO_PROACTOR is in their environment.
    """

    proactor = "epoll"

    def setUp(self) -> None:
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="asyncio-peers-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def start(self, *command, **options) -> subprocess.Popen:
        """Starts a process, in a group of its own that is killed at the end of the test."""
        environment = {**os.environ, "ASYNCIO_PROACTOR": self.proactor, "LC_ALL": "C.UTF-8"}
        options.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen([str(part) for part in command], env=environment,
                                   start_new_session=True, **options)
        self.addCleanup(self.end_group, process)
        return process

    @staticmethod
    def end_group(process: subprocess.Popen) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()
        process.wait(SECONDS)

    def call(self, *command, status: int = 0, **options) -> str:
        """Runs a process to its end; what it printed."""
        process = self.start(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                             **options)
        output, errors = process.communicate(timeout=SECONDS)
        self.assertEqual(process.returncode, status, output + errors)
        return output

    def serve(self, *command) -> tuple[subprocess.Popen, int]:
        """Starts a server of ours; it, and its port."""
        server = self.start(*command, stdout=subprocess.PIPE, text=True)
        line = server.stdout.readline()
        match = re.fullmatch(r"serving on 127\.0\.0\.1:(\d+)\n", line)
        self.assertIsNotNone(match, line)
        return server, int(match[1])

    def interrupt(self, server: subprocess.Popen) -> None:
        """Ctrl-C: it ends well."""
        server.send_signal(signal.SIGINT)
        output, _ = server.communicate(timeout=SECONDS)
        self.assertEqual((output, server.returncode), ("bye\n", 0))

    def connect(self, port: int) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", port), SECONDS)
        self.addCleanup(client.close)
        return client


def main(*cases: type[PeerCase], proactors: list[str]) -> None:
    """Runs the cases on each proactor."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # what must be cleaned up, is
    suite = unittest.TestSuite()
    for proactor in proactors:
        for case in cases:
            on_proactor = type(f"{case.__name__}On_{proactor}", (case,), {"proactor": proactor})
            suite.addTests(unittest.defaultTestLoader.loadTestsFromTestCase(on_proactor))
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    sys.exit(0 if result.wasSuccessful() and result.testsRun > 0 else 1)
