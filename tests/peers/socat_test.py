#!/usr/bin/env python3
"""socat at the other end: Unix sockets, also abstract ones, and a pseudo-terminal.

usage: socat_test.py PROACTORS ECHO_CLIENT UNIX_ECHO_SERVER TTY_CLIENT
"""
# SPDX-License-Identifier: MIT
import os
import subprocess
import sys

from support import SECONDS, PeerCase, accepts, free_port, main, program, wait_until

CLIENT = ""
UNIX_SERVER = ""
TTY_CLIENT = ""


class Socat(PeerCase):
    def socat(self, *arguments, **options) -> subprocess.Popen:
        return self.start(program("socat"), "-b", 65536, *arguments, **options)

    def check_client(self, where: str) -> None:
        for count, size in ((1, 0), (1, 2_000_000), (10, 50_000)):
            self.assertEqual(self.call(CLIENT, where, count, size),
                             f"{count} of {count} came back\n")

    def test_our_client(self) -> None:
        port = free_port()
        self.socat(f"TCP-LISTEN:{port},bind=127.0.0.1,fork,reuseaddr,backlog=64", "EXEC:cat")
        wait_until(lambda: accepts(("127.0.0.1", port)), "socat does not listen")
        self.check_client(f"127.0.0.1:{port}")

    def test_our_client_on_a_unix_socket(self) -> None:
        path = str(self.directory / "socket")
        self.socat(f"UNIX-LISTEN:{path},fork,backlog=64", "EXEC:cat")
        wait_until(lambda: accepts(path), "socat does not listen")
        self.check_client(path)

    def check_server(self, path: str, address: str) -> None:
        server = self.start(UNIX_SERVER, path, stdout=subprocess.PIPE, text=True)
        self.assertEqual(server.stdout.readline(), "serving\n")
        for data in (b"", b"hello\n", os.urandom(2_000_000)):
            client = self.socat("-t", SECONDS, "-", address, stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE)
            output, _ = client.communicate(data, timeout=SECONDS)
            self.assertEqual((output == data, client.returncode), (True, 0))
        self.interrupt(server)

    def test_our_server_on_a_unix_socket(self) -> None:
        path = self.directory / "socket"
        self.check_server(str(path), f"UNIX-CONNECT:{path}")
        self.assertFalse(path.exists())

    def test_our_server_on_an_abstract_name(self) -> None:
        name = f"asyncio-peers-{os.getpid()}"
        self.check_server("@" + name, f"ABSTRACT-CONNECT:{name}")

    def test_our_client_on_a_terminal(self) -> None:
        path = self.directory / "terminal"
        self.socat(f"PTY,link={path},raw,echo=0,wait-slave", "EXEC:cat")
        wait_until(path.exists, "socat makes no terminal")
        self.assertEqual(self.call(TTY_CLIENT, path, 1000), "1000 of 1000 came back\n")


if __name__ == "__main__":
    CLIENT, UNIX_SERVER, TTY_CLIENT = sys.argv[2:]
    main(Socat, proactors=sys.argv[1].split(","))
