#!/usr/bin/env python3
"""examples/http_server and its clients: those that are well-behaved, and those that are not.

usage: http_server_test.py PROACTORS SERVER
"""
# SPDX-License-Identifier: MIT
import re
import signal
import socket
import struct
import sys
import time

from support import SECONDS, PeerCase, main, program

SERVER = ""
PATIENCE = 1  # seconds that the server gives its clients for each step
HOST = b"Host: x\r\n"
GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST /echo HTTP/1.1\r\n" + HOST


class Answers:
    """Reads the answers on a connection."""

    def __init__(self, client: socket.socket) -> None:
        self.file = client.makefile("rb")

    def next(self, body: bool = True) -> tuple[int, dict[str, str], bytes]:
        line = self.file.readline()
        match = re.fullmatch(rb"HTTP/1\.1 (\d{3}) [A-Za-z ]+\r\n", line)
        assert match, line
        headers = {}
        while (line := self.file.readline()) != b"\r\n":
            assert line.endswith(b"\r\n"), line
            name, value = line.decode().split(":", 1)
            headers[name.lower()] = value.strip()
        length = int(headers["content-length"])
        return int(match[1]), headers, self.file.read(length) if body else b""

    def at_end(self) -> bool:
        return self.file.read() == b""


class ServerCase(PeerCase):
    def setUp(self) -> None:
        super().setUp()
        self.server, self.port = self.serve(SERVER, 0, PATIENCE)
        self.url = f"http://127.0.0.1:{self.port}"

    def open(self, data: bytes = b"") -> tuple[socket.socket, Answers]:
        client = self.connect(self.port)
        client.sendall(data)
        answers = Answers(client)
        self.addCleanup(answers.file.close)
        return client, answers


class Protocol(ServerCase):
    """What the server makes of requests, good ones and bad ones."""

    def test_connection_is_kept(self) -> None:
        client, answers = self.open()
        for _ in range(3):
            client.sendall(GET)
            status, headers, body = answers.next()
            self.assertEqual((status, body), (200, b"Hello, world!\n"))
            self.assertNotIn("connection", headers)
            self.assertRegex(headers["date"], r"^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$")
        self.interrupt(self.server)

    def test_requests_sent_ahead_are_answered_in_order(self) -> None:
        bodies = [b"%d" % number for number in range(200)]
        requests = [POST + b"Content-Length: %d\r\n\r\n%s" % (len(body), body) for body in bodies]
        client, answers = self.open(b"".join(requests))
        self.assertEqual([answers.next()[2] for _ in bodies], bodies)
        client.shutdown(socket.SHUT_WR)
        self.assertTrue(answers.at_end())

    def test_request_in_as_many_packets_as_bytes(self) -> None:
        client, answers = self.open()
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\n0\r\nT: 1\r\n\r\n"
        for byte in GET + chunked + GET:
            client.sendall(bytes([byte]))
        self.assertEqual([answers.next()[2] for _ in range(3)],
                         [b"Hello, world!\n", b"hello", b"Hello, world!\n"])

    def test_connection_is_closed_where_the_client_says_so(self) -> None:
        for request, kept in (
                (b"GET / HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n", False),
                (b"GET / HTTP/1.1\r\n" + HOST + b"Connection: x, CLOSE\r\n\r\n", False),
                (b"GET / HTTP/1.0\r\n\r\n", False),
                (b"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", True)):
            with self.subTest(request):
                client, answers = self.open(request + GET)
                status, headers, _ = answers.next()
                self.assertEqual((status, headers.get("connection")),
                                 (200, None if kept else "close"))
                if kept:
                    self.assertEqual(answers.next()[0], 200)
                else:
                    self.assertTrue(answers.at_end())
                client.close()

    def test_methods_and_paths(self) -> None:
        for method, path, status in ((b"GET", b"/", 200), (b"GET", b"/?q=1", 200),
                                     (b"GET", b"http://x/", 200), (b"GET", b"http://x?q", 200),
                                     (b"GET", b"/nothing", 404), (b"OPTIONS", b"*", 404),
                                     (b"GET", b"/echo", 405), (b"DELETE", b"/", 405)):
            with self.subTest(path):
                _, answers = self.open(b"%s %s HTTP/1.1\r\n" % (method, path) + HOST + b"\r\n" + GET)
                answer = answers.next()
                self.assertEqual(answer[0], status)
                self.assertEqual("allow" in answer[1], status == 405)
                self.assertEqual(answers.next()[0], 200)  # none of it ends the connection
        _, answers = self.open(b"HEAD / HTTP/1.1\r\n" + HOST + b"\r\n" + GET)
        self.assertEqual(answers.next(body=False)[1]["content-length"], "14")
        self.assertEqual(answers.next()[2], b"Hello, world!\n")

    def test_bodies(self) -> None:
        large = bytes(range(256)) * 4096
        chunked = POST + b"Transfer-Encoding: Chunked\r\n\r\n"
        for request, body in (
                (POST + b"\r\n", b""),
                (POST + b"Content-Length: 0\r\n\r\n", b""),
                (POST + b"Content-Length: 5\r\n\r\nhello", b"hello"),
                (POST + b"Content-Length: %d\r\n\r\n" % len(large) + large, large),
                (chunked + b"0\r\n\r\n", b""),
                (chunked + b"5\r\nhello\r\n0A ; a=b\r\n, 10 bytes\r\n0\r\nA: 1\r\nB: 2\r\n\r\n",
                 b"hello, 10 bytes"),
                (chunked + b"%X\r\n" % len(large) + large + b"\r\n0\r\n\r\n", large)):
            with self.subTest(request[:100]):
                _, answers = self.open(request + GET)
                status, _, echoed = answers.next()
                self.assertEqual((status, echoed == body), (200, True))
                self.assertEqual(answers.next()[0], 200)

    def test_body_that_waits_to_be_asked_for(self) -> None:
        client, answers = self.open(POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n")
        self.assertEqual(answers.file.readline(), b"HTTP/1.1 100 Continue\r\n")
        self.assertEqual(answers.file.readline(), b"\r\n")
        client.sendall(b"hello")
        self.assertEqual(answers.next()[2], b"hello")

    def test_requests_that_are_refused(self) -> None:
        get = b"GET / HTTP/1.1\r\n"
        chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n"
        large = b"x" * (1 << 20)
        for request, status in (
                # What may be read in two ways.
                (get + b"Host : x\r\n\r\n", 400),
                (get + HOST + b"X: 1\r\n folded\r\n\r\n", 400),
                (get + HOST + b" X: 1\r\n\r\n", 400),
                (POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
                (POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400),
                (POST + b"Content-Length: 5, 5\r\n\r\nhello", 400),
                (POST + b"Content-Length: +5\r\n\r\nhello", 400),
                (POST + b"Content-Length: 0x5\r\n\r\nhello", 400),
                (POST + b"Content-Length:\r\n\r\n", 400),
                (POST + b"Content-Length: -1\r\n\r\n", 400),
                (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n", 501),
                (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
                (b"POST /echo HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
                (get + b"Host: x\n\r\n", 400), (b"GET / HTTP/1.1\nHost: x\n\n", 400),
                (get + HOST + b"X: a\rb\r\n\r\n", 400), (get + HOST + b"X: a\0b\r\n\r\n", 400),
                (get + HOST + b"Host: y\r\n\r\n", 400), (get + b"\r\n", 400),
                (b"\r\n\r\n" + get + HOST + b"\r\n", 400),
                # What is no request.
                (b"hello\r\n\r\n", 400), (b"GET /\r\n\r\n", 400), (b"GET  / HTTP/1.1\r\n\r\n", 400),
                (b"GET / HTTP/1.1 \r\n\r\n", 400), (b"GET /a b HTTP/1.1\r\n\r\n", 400),
                (b"G(T / HTTP/1.1\r\n\r\n", 400), (b"GET x HTTP/1.1\r\n\r\n", 400),
                (b"GET / HTTP/2.0\r\n\r\n", 505), (b"GET / HTTX/1.1\r\n\r\n", 400),
                (get + HOST + b"no colon\r\n\r\n", 400), (get + HOST + b": x\r\n\r\n", 400),
                (POST + b"Expect: wonders\r\n\r\n", 417),
                (chunked + b"\r\nhello\r\n", 400), (chunked + b"g\r\nhello\r\n", 400),
                (chunked + b"-1\r\nhello\r\n", 400), (chunked + b"5\nhello\r\n", 400),
                (chunked + b"5\r\nhello\n0\r\n\r\n", 400), (chunked + b"3\r\nhello\r\n", 400),
                # What is too much.
                (b"GET /" + b"x" * 5000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
                (b"GET /" + b"x" * 20_000, 431),
                (get + HOST + b"X: " + b"x" * 20_000 + b"\r\n\r\n", 431),
                (get + HOST + b"X: y\r\n" * 100 + b"\r\n", 431),
                (POST + b"Content-Length: 1048577\r\n\r\n", 413),
                (POST + b"Content-Length: 99999999999999999999999999\r\n\r\n", 413),
                (POST + b"Content-Length: 1048577\r\n\r\n" + large + b"x", 413),
                (chunked + b"100000\r\n" + large + b"\r\n1\r\n", 413),
                (chunked + b"ffffffffffffffff\r\n", 413), (chunked + b"5;" + b"x" * 20_000, 400),
                (chunked + (b"1;" + b"x" * 8000 + b"\r\nx\r\n") * 3, 400),
                (chunked + b"0\r\n" + b"X: y\r\n" * 4000, 400),
                # What ends too soon.
                (b"GET / HTTP/1.1\r\nHo", 400), (POST + b"Content-Length: 5\r\n\r\nhell", 400),
                (chunked + b"5\r\nhello\r\n0\r\n", 400)):
            with self.subTest(request[:100]):
                client, answers = self.open(request)
                client.shutdown(socket.SHUT_WR)
                answer = answers.next()
                self.assertEqual((answer[0], answer[1].get("connection")), (status, "close"))
                self.assertTrue(answers.at_end())
        _, answers = self.open(GET)
        self.assertEqual(answers.next()[0], 200)

    def test_last_answer_is_not_lost_on_who_still_sends(self) -> None:
        """A connection that is closed with bytes unread is reset, and so the answer would be."""
        client, answers = self.open(POST + b"Content-Length: 9999999\r\n\r\n" + b"x" * 500_000)
        time.sleep(0.1)  # the refusal is here now; what follows must not make it go away
        client.sendall(b"x" * 500_000)
        self.assertEqual(answers.next()[0], 413)
        self.assertTrue(answers.at_end())

    def check_end(self, number: signal.Signals) -> None:
        slow, slow_answers = self.open(b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\n")
        idle, idle_answers = self.open(GET)
        self.assertEqual(idle_answers.next()[0], 200)
        begun, begun_answers = self.open(GET[:10])
        for _ in range(2):  # what came before these is read when they are answered
            _, answers = self.open(GET)
            self.assertEqual(answers.next()[0], 200)
        self.server.send_signal(number)
        self.assertTrue(idle_answers.at_end())
        self.assertEqual(begun_answers.next()[0], 503)
        for client in (idle, begun):
            client.close()
        status, headers, body = slow_answers.next()
        self.assertEqual((status, headers["connection"], body),
                         (200, "close", b"That took a second.\n"))
        slow.close()
        output, _ = self.server.communicate(timeout=SECONDS)
        self.assertEqual((output, self.server.returncode), ("bye\n", 0))

    def test_ctrl_c_answers_who_waits(self) -> None:
        self.check_end(signal.SIGINT)

    def test_sigterm_answers_who_waits(self) -> None:
        self.check_end(signal.SIGTERM)


class Abuse(ServerCase):
    """Clients that take their time, or more than their share."""

    def served_within(self, client: socket.socket, answers: Answers, status: int,
                      started: float) -> None:
        self.assertEqual(answers.next()[0], status)
        self.assertTrue(answers.at_end())
        self.assertGreater(time.monotonic() - started, 0.9 * PATIENCE)
        self.assertLess(time.monotonic() - started, PATIENCE + 3)
        client.close()

    def trickle(self, client: socket.socket, byte: bytes) -> None:
        """Sends a byte now and then until the server has had enough."""
        client.settimeout(0.05)
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            client.sendall(byte)
            try:
                client.recv(1, socket.MSG_PEEK)
            except TimeoutError:
                continue
            client.settimeout(SECONDS)
            return
        self.fail("the server is too patient")

    def test_head_that_trickles(self) -> None:
        started = time.monotonic()
        client, answers = self.open(b"GET / HTTP/1.1\r\nX: ")
        self.trickle(client, b"x")
        self.served_within(client, answers, 408, started)

    def test_body_that_trickles(self) -> None:
        for framing in (b"Content-Length: 1000\r\n\r\n",
                        b"Transfer-Encoding: chunked\r\n\r\n3e8\r\n"):
            started = time.monotonic()
            client, answers = self.open(POST + framing)
            self.trickle(client, b"x")
            self.served_within(client, answers, 408, started)

    def test_silence(self) -> None:
        """The end of a connection on which nothing was asked is no answer to anything."""
        started = time.monotonic()
        silent, silent_answers = self.open()
        idle, idle_answers = self.open(GET)
        self.assertEqual(idle_answers.next()[0], 200)
        self.assertTrue(silent_answers.at_end())
        self.assertTrue(idle_answers.at_end())
        self.assertGreater(time.monotonic() - started, 0.9 * PATIENCE)
        self.assertLess(time.monotonic() - started, PATIENCE + 3)

    def test_slow_clients_keep_nobody_waiting(self) -> None:
        for _ in range(200):
            self.open(b"GET / HTTP/1.1\r\n")
        _, answers = self.open(GET)
        started = time.monotonic()
        self.assertEqual(answers.next()[0], 200)
        self.assertLess(time.monotonic() - started, PATIENCE)

    def flood(self, request: bytes) -> int:
        """Sends as much as goes, without reading, until the server drops us; how many bytes."""
        client, _ = self.open()
        sent = 0
        try:
            while True:
                sent += client.send(request)
        except (ConnectionResetError, BrokenPipeError):
            return sent

    def memory(self) -> int:
        with open(f"/proc/{self.server.pid}/status", encoding="ascii") as status:
            return int(re.search(r"VmHWM:\s+(\d+) kB", status.read())[1]) << 10

    def test_requests_without_end_from_who_does_not_read(self) -> None:
        """They wait in the system's buffers, and then at the client; and then it is dropped."""
        before = self.memory()
        sent = self.flood(GET * 1000)
        self.assertLess(sent, 100 << 20)
        self.assertLess(self.memory() - before, 8 << 20)

    def test_answers_that_are_not_taken(self) -> None:
        before = self.memory()
        self.flood(POST + b"Content-Length: 1000000\r\n\r\n" + b"x" * 1_000_000)
        self.assertLess(self.memory() - before, 16 << 20)

    def test_resets_at_any_time(self) -> None:
        for request in (b"", b"GET", GET, POST + b"Content-Length: 5\r\n\r\n",
                        b"GET /slow HTTP/1.1\r\n" + HOST + b"\r\n", b"bad\r\n\r\n"):
            client, _ = self.open(request)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
        _, answers = self.open(GET)
        self.assertEqual(answers.next()[0], 200)
        self.interrupt(self.server)


class Curl(ServerCase):
    def curl(self, *arguments: str, **options) -> str:
        return self.call(program("curl"), "--silent", "--show-error", "--max-time", SECONDS,
                         *arguments, **options)

    def test_get_and_head(self) -> None:
        self.assertEqual(self.curl(self.url), "Hello, world!\n")
        self.assertRegex(self.curl("--head", self.url), r"(?s)\AHTTP/1.1 200 OK\n.*Content-Length: 14\n")
        self.assertEqual(self.curl("--http1.0", self.url), "Hello, world!\n")

    def test_connection_is_used_again(self) -> None:
        output = self.curl("--write-out", "%{http_code} %{num_connects}\n", "--output", "/dev/null",
                           "--output", "/dev/null", "--output", "/dev/null", self.url,
                           self.url + "/nothing", self.url)
        self.assertEqual(output, "200 1\n404 0\n200 0\n")

    def test_upload(self) -> None:
        body = self.directory / "body"
        body.write_bytes(bytes(range(256)) * 4096)
        for options in ([], ["--header", "Transfer-Encoding: chunked"],
                        ["--header", "Expect: 100-continue"]):
            echoed = self.directory / "echoed"
            self.curl(*options, "--fail", "--data-binary", f"@{body}", "--output", str(echoed),
                      self.url + "/echo")
            self.assertEqual(echoed.read_bytes(), body.read_bytes())

    def test_upload_that_is_too_large(self) -> None:
        body = self.directory / "body"
        body.write_bytes(b"x" * 5_000_000)
        status = self.curl("--data-binary", f"@{body}", "--output", "/dev/null", "--write-out",
                           "%{http_code}", self.url + "/echo")
        self.assertEqual(status, "413")

    def test_many_at_once(self) -> None:
        started = time.monotonic()
        output = self.curl("--parallel", "--parallel-immediate", "--parallel-max", "50",
                           f"{self.url}/slow?[1-50]")
        self.assertEqual(output, "That took a second.\n" * 50)
        self.assertLess(time.monotonic() - started, 25)


class Wrk(ServerCase):
    def load(self, path: str, *options: str) -> None:
        output = self.call(program("wrk"), "-t1", "-c64", "-d1", *options, self.url + path)
        self.assertNotRegex(output, "Socket errors|Non-2xx")
        self.assertGreater(int(re.search(r"(\d+) requests in", output)[1]), 100, output)

    def test_load(self) -> None:
        self.load("/")
        self.interrupt(self.server)

    def test_load_with_bodies_and_requests_sent_ahead(self) -> None:
        script = self.directory / "requests.lua"
        script.write_text("""
            init = function()
                local all = {}
                for i = 1, 8 do
                    all[i] = wrk.format("POST", "/echo", nil, string.rep("x", 1000 * i))
                end
                requests = table.concat(all)
            end
            request = function() return requests end
            """)
        self.load("/echo", "-s", str(script))


if __name__ == "__main__":
    SERVER = sys.argv[2]
    main(Protocol, Abuse, Curl, Wrk, proactors=sys.argv[1].split(","))
