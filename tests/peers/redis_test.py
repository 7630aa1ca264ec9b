#!/usr/bin/env python3
"""redis_client against redis-server, over TCP and over a Unix socket.

usage: redis_test.py PROACTORS CLIENT
"""
# SPDX-License-Identifier: MIT
import sys

from support import PeerCase, accepts, free_port, main, program, wait_until

CLIENT = ""
EXPECTED = """\
PING: PONG
SET: OK
GET is what was set: yes
GET of nothing: (nil)
INCR of a text: Exception('ERR value is not an integer or out of range')
SET of 3 MB: OK
GET of 3 MB is what was set: yes
INCR, 10000 sent ahead: 10000
BLPOP: TimeoutError()
RPUSH: 1
BLPOP then: list element
SUBSCRIBE: subscribe news 1
PUBLISH: 1
message: message news hello
QUIT: OK
after QUIT: IncompleteReadError
"""


class Redis(PeerCase):
    def setUp(self) -> None:
        super().setUp()
        self.port = free_port()
        self.path = str(self.directory / "redis.sock")
        log = self.directory / "log"
        self.start(program("redis-server"), "--bind", "127.0.0.1", "--port", self.port,
                   "--unixsocket", self.path, "--dir", self.directory, "--save", "",
                   "--appendonly", "no", "--logfile", log)
        wait_until(lambda: accepts(("127.0.0.1", self.port)) and accepts(self.path),
                   "redis-server does not listen")

    def test_tcp(self) -> None:
        self.assertEqual(self.call(CLIENT, f"127.0.0.1:{self.port}"), EXPECTED)

    def test_unix_socket(self) -> None:
        self.assertEqual(self.call(CLIENT, self.path), EXPECTED)


if __name__ == "__main__":
    CLIENT = sys.argv[2]
    main(Redis, proactors=sys.argv[1].split(","))
