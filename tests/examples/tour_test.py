#!/usr/bin/env python3
"""Runs examples/tour against real files, servers and databases, good ones and bad ones.

usage: tour_test.py EXECUTABLE [TestCase...]
"""
# SPDX-License-Identifier: MIT
import contextlib
import fcntl
import functools
import http.server
import os
import pathlib
import pty
import re
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from support import (SECONDS, and_stays_open, byte_by_byte, never, serving, unused_port, whole)

TOUR = ""

OK = b"HTTP/1.1 200 OK\r\n"


class Outcome:
    """What a run has printed: the table by rows, and the lines about failures."""

    def __init__(self, status: int, output: str, errors: str) -> None:
        self.status = status
        self.output = output
        self.errors = errors
        self.rows = {}
        for line in output.splitlines():
            title, *cells = re.split(r" {3,}", line)
            self.rows[title] = cells
        self.failures = [line for line in errors.splitlines() if line.startswith("tour: ")]

    def __str__(self) -> str:
        return f"status {self.status}\n{self.output}{self.errors}"


class TourCase(unittest.TestCase):
    maxDiff = None

    def setUp(self) -> None:
        self.directory = pathlib.Path(self.enterContext(tempfile.TemporaryDirectory()))

    def tour(self, *arguments: str) -> Outcome:
        result = subprocess.run([TOUR, *arguments], capture_output=True, text=True,
                                timeout=SECONDS, stdin=subprocess.DEVNULL)
        return Outcome(result.returncode, result.stdout, result.stderr)

    def small(self, *arguments: str) -> Outcome:
        """Eight of each, soon done."""
        counts = ["--max-files=8", "--requests=8", "--queries=8", "--workers=4", "--delay=0.01"]
        return self.tour(*counts, *arguments)

    def check(self, outcome: Outcome, status: int, failures: list[str], **done: str) -> None:
        """The failures are the beginnings of the lines; `done` is checked in both rounds."""
        self.assertEqual(outcome.status, status, outcome)
        self.assertEqual(len(outcome.failures), len(failures), outcome)
        for line, expected in zip(sorted(outcome.failures), sorted(failures)):
            self.assertEqual(line[:len(expected)], expected)
        for kind, cell in done.items():
            self.assertEqual(outcome.rows.get(kind), [cell, cell], outcome)


class Work(TourCase):
    """What the tour does, and that a part that fails leaves the rest alone."""

    def test_default(self) -> None:
        outcome = self.small("--delay=0.05")
        self.check(outcome, 0, [], files="8 of 8", requests="8 of 8", queries="8 of 8",
                   failed="0")
        self.assertEqual(list(outcome.rows), ["", "files", "requests", "queries", "failed",
                                              "elapsed", "sum of waits", "speed-up",
                                              "context switches", "peak memory", "threads"])
        first, second = (float(cell.split()[0]) for cell in outcome.rows["elapsed"])
        self.assertGreaterEqual(first, 8 * 0.05)
        waited = float(outcome.rows["sum of waits"][0].split()[0])
        self.assertAlmostEqual(waited, first, delta=0.3 * first)
        speed_up = float(outcome.rows["speed-up"][1].split()[0])
        self.assertAlmostEqual(speed_up, first / second, delta=0.1)
        self.assertGreater(speed_up, 1.5, outcome)
        for row in ("context switches", "threads"):
            self.assertGreater(min(int(cell) for cell in outcome.rows[row]), 1)

    def test_plain_lines_where_there_is_no_terminal(self) -> None:
        outcome = self.small("--requests=4", "--delay=0.3")
        self.assertNotRegex(outcome.errors, r"[\r\x1b]")
        self.assertRegex(outcome.errors, r"(?m)^one after another: \d+ of 20, 1\.\d s$")
        self.assertRegex(outcome.errors, r"(?m)^one after another: 20 of 20, \d\.\d s$")
        self.assertRegex(outcome.errors, r"(?m)^4 at a time: 20 of 20, \d\.\d s$")

    def test_one_line_on_a_terminal(self) -> None:
        terminal, end = pty.openpty()
        process = subprocess.Popen([TOUR, "--requests=3", "--delay=0.15", "--max-files=1",
                                    "--queries=1"], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=end)
        os.close(end)
        written = b""
        try:
            while part := os.read(terminal, 4096):
                written += part
        except OSError:
            pass  # what a terminal says whose other end is closed
        os.close(terminal)
        self.assertEqual(process.wait(SECONDS), 0)
        self.assertGreaterEqual(written.count(b"\r\x1b[Kone after another: "), 4, written)
        self.assertEqual(written.count(b"\n"), 2, written)

    def test_files_of_a_directory(self) -> None:
        (self.directory / "below").mkdir()
        for number in range(5):
            (self.directory / "below" / str(number)).write_bytes(os.urandom(100_000))
        (self.directory / "empty").write_text("")
        (self.directory / ".hidden").write_text("")
        os.mkfifo(self.directory / "pipe")  # reading it would take for ever
        outcome = self.tour(f"--files={self.directory}", "--requests=0", "--queries=0")
        self.check(outcome, 0, [], files="6 of 6")
        outcome = self.tour(f"--files={self.directory}", "--requests=0", "--queries=0",
                            "--max-files=2")
        self.check(outcome, 0, [], files="2 of 2")

    def test_files_that_cannot_be_read(self) -> None:
        for number in range(3):
            (self.directory / str(number)).write_text("text")
        (self.directory / "nowhere").symlink_to("nothing")
        (self.directory / "unreadable").symlink_to("/proc/self/mem")
        outcome = self.small(f"--files={self.directory}")
        self.check(outcome, 1, [
            f"tour: files: {self.directory}/nowhere: cannot be read: No such file or directory",
            f"tour: files: {self.directory}/unreadable: cannot be read: Input/output error",
        ], files="3 of 5", requests="8 of 8", queries="8 of 8", failed="2")

    def test_directory_that_is_not_there(self) -> None:
        path = self.directory / "none"
        outcome = self.small(f"--files={path}")
        self.check(outcome, 1,
                   [f"tour: files: {path}: cannot be listed: No such file or directory"],
                   requests="8 of 8", queries="8 of 8")

    def test_database_of_the_user(self) -> None:
        path = self.directory / "user.db"
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE t AS SELECT 1 AS x")
        database.close()
        self.check(self.small(f"--db={path}", "--sql=SELECT x FROM t"), 0, [], queries="8 of 8")
        self.check(self.small(f"--db={path}"), 0, [], queries="8 of 8")
        outcome = self.small(f"--db={path}", "--sql", "DELETE FROM t")
        self.check(outcome, 1, ["tour: queries: DELETE FROM t: attempt to write a readonly"],
                   files="8 of 8", requests="8 of 8", queries="0 of 8")

    def test_bad_sql(self) -> None:
        outcome = self.small("--sql", "SELEC\n1")
        self.check(outcome, 1, ['tour: queries: SELEC 1: near "SELEC": syntax error'],
                   files="8 of 8", requests="8 of 8", queries="0 of 8")

    def test_database_that_is_not_there(self) -> None:
        outcome = self.small(f"--db={self.directory}/none", "--sql=SELECT 1")
        self.check(outcome, 1, [f"tour: queries: SELECT 1: {self.directory}/none: unable to open"],
                   files="8 of 8", requests="8 of 8", queries="0 of 8")

    def test_query_without_end(self) -> None:
        endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
        started = time.monotonic()
        outcome = self.small("--sql", endless, "--deadline=0.2")
        self.check(outcome, 1, [f"tour: queries: {endless}: no answer within 0.2 s"],
                   files="8 of 8", requests="8 of 8", queries="0 of 8")
        self.assertLess(time.monotonic() - started, 5)

    def test_server_of_the_user(self) -> None:
        seen = []

        class Handler(http.server.SimpleHTTPRequestHandler):
            def log_request(self, *_: object) -> None:
                seen.append(self.path)

        (self.directory / "data").write_bytes(os.urandom(200_000))
        handler = functools.partial(Handler, directory=str(self.directory))
        with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            outcome = self.small(f"--url=http://127.0.0.1:{server.server_address[1]}/data")
            server.shutdown()
            thread.join()
        self.check(outcome, 0, [], files="8 of 8", requests="8 of 8", queries="8 of 8")
        self.assertEqual(seen, ["/data"] * 16)

    def test_server_that_is_not_there(self) -> None:
        url = f"http://127.0.0.1:{unused_port()}/"
        outcome = self.small("--url", url)
        self.check(outcome, 1, [f"tour: requests: {url}: "], files="8 of 8", requests="0 of 8",
                   queries="8 of 8")
        self.assertRegex(outcome.failures[0], "(?i)refused|connect call failed")

    def test_server_that_hangs(self) -> None:
        started = time.monotonic()
        with serving(never()) as (url, requests):
            outcome = self.small("--url", url, "--deadline=0.2")
        self.check(outcome, 1, [f"tour: requests: {url}: no answer within 0.2 s"],
                   files="8 of 8", requests="0 of 8", queries="8 of 8")
        # After three it is given up; in the second round four may have been begun by then.
        self.assertEqual((outcome.rows["failed"][0], outcome.rows["given up"][0]), ("3", "5"))
        self.assertLess(len(requests), 16)
        self.assertLess(time.monotonic() - started, 5)

    def test_messages(self) -> None:
        """One line of UTF-8 each, in which nothing speaks to the terminal, cut where it may be."""
        for sql, shown in (("\x1b[31m\u009b31m\x7f\t", " [31m 31m  "),
                           ("\u00e9\u20ac\U0001f600", "\u00e9\u20ac\U0001f600"),
                           ("\udc9b31m \udcc3", "?31m ?"),  # bytes that are not UTF-8
                           ("\udce0\udc82\udc9b", "???"),  # U+009B, longer than allowed
                           ("x" + "\u20ac" * 200, "x" + "\u20ac" * 96 + "\n")):
            with self.subTest(sql):
                outcome = self.tour("--max-files=0", "--requests=0", "--queries=1", "--sql", sql)
                self.check(outcome, 1, [f"tour: queries: {shown}".rstrip("\n")])
                self.assertIn(f"tour: queries: {shown}", outcome.errors)

    def test_short_deadline(self) -> None:
        with serving(never()) as (url, _):
            outcome = self.tour("--max-files=0", "--queries=0", "--requests=1",
                                "--deadline=0.005", "--url", url)
        self.check(outcome, 1, [f"tour: requests: {url}: no answer within 0.005 s"],
                   requests="0 of 1")

    def test_what_cannot_be_begun(self) -> None:
        result = subprocess.run([TOUR, "--max-files=2", "--requests=2", "--queries=2"],
                                capture_output=True, text=True, timeout=SECONDS,
                                env={**os.environ, "TMPDIR": str(self.directory / "none")})
        outcome = Outcome(result.returncode, result.stdout, result.stderr)
        self.check(outcome, 1, ["tour: queries: "], files="2 of 2", requests="2 of 2")

    def test_table_that_cannot_be_written(self) -> None:
        with open("/dev/full", "w") as full:
            result = subprocess.run([TOUR, "--max-files=1", "--requests=0", "--queries=0"],
                                    stdout=full, stderr=subprocess.PIPE, text=True,
                                    timeout=SECONDS)
        self.assertEqual(result.returncode, 1)
        self.assertIn("tour: the table cannot be written: No space left on device\n",
                      result.stderr)

    def test_https(self) -> None:
        outcome = self.small("--url", "https://127.0.0.1/")
        self.check(outcome, 1, ["tour: requests: https://127.0.0.1/: https needs TLS"],
                   files="8 of 8", requests="0 of 8", queries="8 of 8")


class Hanging(TourCase):
    """Threads that hang: nothing waits for them, neither what is well nor the end."""

    def setUp(self) -> None:
        super().setUp()
        self.pipe = self.directory / "pipe"  # opening it takes until somebody writes into it
        os.mkfifo(self.pipe)

    def hanging_file(self, path: pathlib.Path) -> None:
        """A file that takes lease-break-time (45 s) to be opened: this process has a lease."""
        path.write_text("text")
        file = os.open(path, os.O_RDWR)
        self.addCleanup(os.close, file)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_WRLCK)

    def test_database(self) -> None:
        output = self.directory / "output"
        started = time.monotonic()
        with open(output, "w") as file:
            result = subprocess.run([TOUR, "--max-files=8", "--requests=8", "--queries=8",
                                     f"--db={self.pipe}", "--deadline=0.3"], stdout=file,
                                    stderr=subprocess.PIPE, text=True, timeout=SECONDS)
        self.assertLess(time.monotonic() - started, 8)
        outcome = Outcome(result.returncode, output.read_text(), result.stderr)
        self.check(outcome, 1, [
            "tour: queries: SELECT name, type FROM sqlite_master: no answer within 0.3 s",
            "tour: threads that hang and are left behind: ",
        ], files="8 of 8", requests="8 of 8", queries="0 of 8")
        self.assertRegex(outcome.failures[-1], rf": \d+, in {self.pipe}$")

    def test_files(self) -> None:
        signal.signal(signal.SIGIO, signal.SIG_IGN)  # somebody wants what the lease is for
        files = self.directory / "files"
        files.mkdir()
        for number in range(8):
            self.hanging_file(files / f"bad{number}")
            (files / f"good{number}").write_text("text")
        outcome = self.small(f"--files={files}", "--max-files=16", "--deadline=0.3")
        self.check(outcome, 1, [
            *[f"tour: files: {files}/bad{number}: no answer within 0.3 s" for number in range(8)],
            f"tour: threads that hang and are left behind: 16, in {files}/bad0, {files}/bad1, "
            f"{files}/bad2, ...",
        ], files="8 of 16", requests="8 of 8", queries="8 of 8", failed="8")

    def test_interrupt(self) -> None:
        process = subprocess.Popen([TOUR, "--max-files=1", "--requests=0", "--queries=2",
                                    f"--db={self.pipe}", "--deadline=60"],
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        with contextlib.closing(process.stdout), contextlib.closing(process.stderr):
            line = process.stderr.readline()
            process.send_signal(signal.SIGINT)
            started = time.monotonic()
            output, errors = process.communicate(timeout=SECONDS)
        self.assertLess(time.monotonic() - started, 5)
        outcome = Outcome(process.returncode, output, line + errors)
        self.assertEqual(outcome.status, 130, outcome)
        self.assertEqual(outcome.failures, [
            "tour: interrupted",
            f"tour: threads that hang and are left behind: 1, in {self.pipe}"], outcome)
        self.assertEqual(outcome.rows["files"], ["1 of 1", "-"], outcome)


class CommandLine(TourCase):
    def test_help(self) -> None:
        outcome = self.tour("--help")
        self.assertEqual((outcome.status, outcome.errors), (0, ""))
        for option in ("--files DIR", "--url URL", "--db FILE", "--sql QUERY", "--workers N",
                       "--deadline SECONDS"):
            self.assertIn(option, outcome.output)

    def test_mistakes(self) -> None:
        for arguments, message in ((["--nonsense"], "there is no option --nonsense"),
                                   (["file"], "there is no option file"),
                                   (["--url"], "--url needs a value"),
                                   (["--workers=0"], "--workers: '0' is not a number"),
                                   (["--requests", "1x"], "--requests: '1x' is not a number"),
                                   (["--deadline=nan"], "--deadline: 'nan' is not a number")):
            with self.subTest(arguments):
                outcome = self.tour(*arguments)
                self.assertEqual((outcome.status, outcome.output), (2, ""))
                self.assertRegex(outcome.errors, "^tour: " + re.escape(message))


class Interrupt(TourCase):
    """Ctrl-C: what was done until then is shown."""

    def interrupted(self, *arguments: str, during: str = "one after another") -> Outcome:
        """Sends SIGINT when a round has been under way for a second."""
        process = subprocess.Popen([TOUR, "--max-files=3", "--requests=4", "--queries=5",
                                    *arguments], stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.kill)
        lines = ""
        for line in process.stderr:
            lines += line
            if line.startswith(during):
                break
        process.send_signal(signal.SIGINT)
        started = time.monotonic()
        output, errors = process.communicate(timeout=SECONDS)
        self.assertLess(time.monotonic() - started, 5)
        return Outcome(process.returncode, output, lines + errors)

    def check_end(self, outcome: Outcome) -> None:
        self.assertEqual(outcome.status, 130, outcome)
        self.assertEqual(outcome.failures, ["tour: interrupted"], outcome)

    def test_in_the_first_round(self) -> None:
        outcome = self.interrupted("--delay=60", "--deadline=60")
        self.check_end(outcome)
        self.assertEqual(outcome.rows["files"], ["1 of 3", "-"], outcome)
        self.assertEqual(outcome.rows["requests"], ["0 of 4", "-"])
        self.assertEqual(outcome.rows["speed-up"], ["-", "-"])

    def test_while_a_thread_is_busy(self) -> None:
        endless = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT max(i) FROM n"
        outcome = self.interrupted("--requests=0", "--deadline=60", "--sql", endless)
        self.check_end(outcome)
        self.assertEqual(outcome.rows["queries"], ["0 of 5", "-"], outcome)

    def test_in_the_second_round(self) -> None:
        outcome = self.interrupted("--max-files=0", "--queries=0", "--requests=15",
                                   "--delay=0.08", "--workers=1", during="1 at a time")
        self.check_end(outcome)
        first, second = outcome.rows["requests"]
        self.assertEqual(first, "15 of 15", outcome)
        self.assertRegex(second, r"^([1-9]|1[0-4]) of 15$", outcome)
        self.assertEqual(outcome.rows["speed-up"], ["1.0 x", "-"])


class Http(TourCase):
    """The HTTP client: what servers send, in all its forms, and what is no answer at all."""

    def get(self, answer, requests: int = 2) -> Outcome:
        with serving(answer) as (self.url, self.requests):
            return self.tour("--max-files=0", "--queries=0", f"--requests={requests}",
                             "--url", self.url)

    def good(self, text: bytes) -> None:
        self.check(self.get(whole(text)), 0, [], requests="2 of 2")
        self.check(self.get(byte_by_byte(text), 1), 0, [], requests="1 of 1")

    def bad(self, text: bytes, message: str) -> None:
        for answer in (whole(text), byte_by_byte(text)):
            outcome = self.get(answer, 1)
            self.check(outcome, 1, [f"tour: requests: {self.url}: {message}"], requests="0 of 1")

    def test_request(self) -> None:
        self.get(whole(OK + b"Content-Length: 0\r\n\r\n"))
        host = self.url.split("/")[2]
        self.assertEqual(len(self.requests), 4)
        lines = self.requests[0].decode().split("\r\n")
        self.assertEqual(lines[0], "GET /data?x=1 HTTP/1.1")
        self.assertIn(f"Host: {host}", lines)
        self.assertIn("Connection: close", lines)

    def test_content_length(self) -> None:
        text = OK + b"content-LENGTH:  5 \r\nContent-Length: 5\r\n\r\nhello"
        self.good(text)
        self.check(self.get(and_stays_open(text)), 0, [], requests="2 of 2")

    def test_chunked(self) -> None:
        text = (OK + b"Transfer-Encoding: chunked\r\n\r\n"
                b"5\r\nhello\r\n"
                b'0A;name=value;other="x;y"\r\n, 10 bytes\r\n'
                b"0\r\nTrailer: 1\r\nAnother: 2\r\n\r\n")
        self.good(text)
        self.check(self.get(and_stays_open(text)), 0, [], requests="2 of 2")

    def test_names_of_codings_in_any_case(self) -> None:
        self.good(OK + b"Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")

    def test_until_the_end(self) -> None:
        self.good(OK + b"\r\nall of this")
        self.good(b"HTTP/1.0 200\r\n\r\n")

    def test_lines_that_end_in_newline_only(self) -> None:
        self.good(b"HTTP/1.1 200 OK\nContent-Length: 5\n\nhello")

    def test_interim_answers(self) -> None:
        self.good(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK +
                  b"Content-Length: 2\r\n\r\nok")

    def test_another_protocol(self) -> None:
        self.bad(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n" + OK + b"\r\n",
                 "the server wants to speak another protocol, which it was not asked")

    def test_no_content(self) -> None:
        self.check(self.get(and_stays_open(b"HTTP/1.1 204 No Content\r\n\r\n")), 0, [],
                   requests="2 of 2")

    def test_large(self) -> None:
        body = os.urandom(3_000_000)
        answer = whole(OK + b"Content-Length: %d\r\n\r\n" % len(body) + body)
        self.check(self.get(answer), 0, [], requests="2 of 2")

    def test_cut_off(self) -> None:
        self.bad(OK + b"Content-Length: 10\r\n\r\nhello", "the connection was closed after 5 of 10 bytes")
        chunked = OK + b"Transfer-Encoding: chunked\r\n\r\n"
        self.bad(chunked + b"A\r\nhello", "the connection was closed after 5 of 10 bytes")
        for end in (b"5\r\nhello\r\n", b"5\r\nhello", b"5", b"0\r\n", b"0\r\nTrailer: 1\r\n"):
            with self.subTest(end):
                self.bad(chunked + end, "the connection was closed before the message was complete")
        for text in (b"HTTP/1.1 200", OK, OK + b"Content-Length: 0\r\n", b""):
            with self.subTest(text):
                self.bad(text, "the connection was closed before the message was complete")

    def test_not_http(self) -> None:
        for text in (b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/2 200\r\n\r\n", b"HTTP/1.1 20\r\n\r\n",
                     b"HTTP/1.1 2000 OK\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n", b"\r\n\r\n",
                     b"HTTP/1.1 000 OK\r\n\r\n", b"HTTP/1.1 099 OK\r\n\r\n" + OK + b"\r\n"):
            with self.subTest(text):
                self.bad(text, "the answer does not begin as HTTP/1.1")

    def test_bad_headers(self) -> None:
        for line in (b"no colon", b"Name : value", b" folded: line", b": nothing"):
            with self.subTest(line):
                self.bad(OK + line + b"\r\n\r\n", "the header has a line that is none: ")

    def test_bad_lengths(self) -> None:
        for length in (b"-1", b"+5", b"5x", b"0x5", b"", b"5, 5"):
            with self.subTest(length):
                self.bad(OK + b"Content-Length: " + length + b"\r\n\r\nhello",
                         "a length is not a number: ")
        for size in (b"", b"g", b"-1", b"0x5", b";x"):
            with self.subTest(size):
                self.bad(OK + b"Transfer-Encoding: chunked\r\n\r\n" + size + b"\r\nhello\r\n0\r\n\r\n",
                         "a length is not a number: ")
        self.bad(OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n",
                 "a chunk of the body is longer than its size says")

    def test_contradictions(self) -> None:
        self.bad(OK + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
                 "the answer contradicts itself: two values of content-length")
        self.bad(OK + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                 "the answer contradicts itself: it is chunked and has a length")
        self.bad(OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
                 "the transfer encoding is not understood: gzip, chunked")

    def test_limits(self) -> None:
        too_large = "the body is larger than the 67108864 bytes allowed"
        self.bad(OK + b"Content-Length: 67108865\r\n\r\n", too_large)
        self.bad(OK + b"Content-Length: 99999999999999999999999999\r\n\r\n", too_large)
        self.bad(OK + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", too_large)
        self.check(self.get(whole(OK + b"X: " + b"x" * 70_000 + b"\r\n\r\n"), 1), 1,
                   [f"tour: requests: {self.url}: a line of the message is too long"])
        self.check(self.get(whole(OK + b"X: y\r\n" * 20_000 + b"\r\n"), 1), 1,
                   [f"tour: requests: {self.url}: the header of the message is too long"])
        self.check(self.get(whole(b"HTTP/1.1 100 Continue\r\n\r\n" * 10_000), 1), 1,
                   [f"tour: requests: {self.url}: the header of the message is too long"])

    def test_status_that_is_no_success(self) -> None:
        self.bad(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
                 "the server answered 404 Not Found")
        self.bad(b"HTTP/1.1 500 \x1b[31mred\r\nContent-Length: 0\r\n\r\n",
                 "the server answered 500  [31mred")

    def test_reset(self) -> None:
        def answer(connection) -> None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(OK + b"Content-Length: 10\r\n\r\nhello")
            connection.close()

        outcome = self.get(answer)
        self.assertEqual((outcome.status, outcome.rows["requests"]), (1, ["0 of 2"] * 2), outcome)

    def test_urls(self) -> None:
        for url, message in (("ftp://host/", "only URLs that begin with http://"),
                             ("http://", "the host of the URL is missing"),
                             ("http://user@host/", "the host of the URL is missing"),
                             ("http://host:0/", "the port of the URL"),
                             ("http://host:65536/", "the port of the URL"),
                             ("http://[::1]x/", "the host of the URL is missing"),
                             ("http://host/a b", "there is a space or a control character"),
                             ("http://host/\r\nX: y", "there is a space or a control character")):
            with self.subTest(url):
                outcome = self.tour("--max-files=0", "--queries=0", "--requests=1", "--url", url)
                shown = re.sub(r"[\r\n]", " ", url)
                self.check(outcome, 1, [f"tour: requests: {shown}: {message}"])


if __name__ == "__main__":
    TOUR = sys.argv.pop(1)
    unittest.main()
