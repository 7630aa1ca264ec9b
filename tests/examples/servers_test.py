#!/usr/bin/env python3
"""Drives examples/echo_server and examples/chat_server over loopback.

usage: servers_test.py echo|chat COMMAND...

COMMAND starts the server; a port is added to it. The Python twins pass, too, unless CPython is one
of those (3.13.0, for example) where a cancelled serve_forever() waits until all clients have gone.
"""
# SPDX-License-Identifier: MIT
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import unittest

SECONDS = 20  # for whatever must not take long

COMMAND: list[str] = []


class ServerCase(unittest.TestCase):
    """Each test has a server of its own, which ends well on Ctrl-C."""

    def setUp(self) -> None:
        self.server = subprocess.Popen([*COMMAND, "0"], stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.server.stdout.close)
        self.addCleanup(self.server.kill)
        line = self.server.stdout.readline()
        match = re.fullmatch(r"serving on 127\.0\.0\.1:(\d+)\n", line)
        self.assertIsNotNone(match, line)
        self.port = int(match[1])

    def connect(self) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port), SECONDS)
        self.addCleanup(client.close)
        return client

    def end(self) -> None:
        self.server.send_signal(signal.SIGINT)
        rest, _ = self.server.communicate(timeout=SECONDS)
        self.assertEqual((rest, self.server.returncode), ("bye\n", 0))

    def test_port_that_is_taken(self) -> None:
        """One line, and no crash."""
        result = subprocess.run([*COMMAND, str(self.port)], capture_output=True, text=True,
                                timeout=SECONDS)
        self.assertEqual((result.returncode, result.stdout), (1, ""), result.stderr)
        if not COMMAND[-1].endswith(".py"):  # which shows where
            self.assertRegex(result.stderr, r"(?i)\A[a-z]+_server: .*address already in use\n\Z")
        self.end()


def reset(client: socket.socket) -> None:
    """Closes a connection the hard way: the peer gets ECONNRESET."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def read_all(client: socket.socket) -> bytes:
    parts = []
    while part := client.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


class Echo(ServerCase):
    def test_clients_at_the_same_time(self) -> None:
        clients = [self.connect() for _ in range(20)]
        for number, client in enumerate(clients):
            client.sendall(b"hello %d\n" % number)
        for number, client in reversed(list(enumerate(clients))):
            self.assertEqual(client.makefile("rb").readline(), b"hello %d\n" % number)
        self.end()

    def test_more_than_all_buffers_hold_and_half_close(self) -> None:
        client = self.connect()
        data = bytes(range(256)) * 40_000

        def send() -> None:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        self.assertEqual(read_all(client), data)
        sender.join()
        self.end()

    def test_goes_on_after_a_reset(self) -> None:
        for _ in range(3):
            client = self.connect()
            client.sendall(b"x" * 100_000)
            reset(client)
        client = self.connect()
        client.sendall(b"still there?\n")
        self.assertEqual(client.makefile("rb").readline(), b"still there?\n")
        self.end()


class Chat(ServerCase):
    def join(self, name: str):
        """A guest: the socket, and its lines as a file."""
        client = self.connect()
        lines = client.makefile("r", newline="\n")
        self.addCleanup(lines.close)
        self.assertEqual(lines.readline(), "Who are you?\n")
        client.sendall(f"{name}\r\n".encode())
        return client, lines

    def hear(self, line: str, *guests) -> None:
        for guest in guests:
            self.assertEqual(guest.readline(), line + "\n")

    def test_everybody_hears_everybody(self) -> None:
        ann_socket, ann = self.join("Ann")
        self.hear("Ann has come", ann)
        ben_socket, ben = self.join("Ben")
        self.hear("Ben has come", ann, ben)
        cleo_socket, cleo = self.join("Cleo")
        self.hear("Cleo has come", ann, ben, cleo)

        ann_socket.sendall(b"hi\nhow are ")
        self.hear("Ann: hi", ann, ben, cleo)
        ann_socket.sendall(b"you?\n")
        self.hear("Ann: how are you?", ann, ben, cleo)

        ben_socket.shutdown(socket.SHUT_WR)
        self.hear("Ben has left", ann, cleo)
        self.assertEqual(ben.readline(), "")
        reset(cleo_socket)
        cleo.close()
        self.hear("Cleo has left", ann)
        self.end()

    def test_nobody_waits_for_who_does_not_listen(self) -> None:
        self.join("Deaf")
        ann_socket, ann = self.join("Ann")
        self.hear("Ann has come", ann)
        for number in range(100):
            text = f"{number} " + 60_000 * "x"
            ann_socket.sendall(text.encode() + b"\n")
            self.hear("Ann: " + text, ann)
        self.end()

    def test_who_says_no_name_is_not_let_in(self) -> None:
        client = self.connect()
        client.shutdown(socket.SHUT_WR)
        self.assertEqual(read_all(client), b"Who are you?\n")
        self.end()


if __name__ == "__main__":
    case = {"echo": Echo, "chat": Chat}[sys.argv[1]]
    COMMAND = sys.argv[2:]
    suite = unittest.defaultTestLoader.loadTestsFromTestCase(case)
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    sys.exit(0 if result.wasSuccessful() and result.testsRun > 0 else 1)
