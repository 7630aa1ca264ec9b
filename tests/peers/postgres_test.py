#!/usr/bin/env python3
"""postgres_client against a PostgreSQL server, over TCP and over a Unix socket.

usage: postgres_test.py PROACTORS CLIENT
"""
# SPDX-License-Identifier: MIT
import glob
import os
import pwd
import sys

from support import PeerCase, accepts, free_port, main, program, wait_until

CLIENT = ""
EXPECTED = """\
SELECT 6 * 7, NULL, 'two words': 42 (null) two words
SELECT 1 / 0: Exception('22012')
CREATE TABLE t (i int); INSERT INTO t VALUES (1), (2):
SELECT sum(i) FROM t: 3
20000 rows: right
in time: TimeoutError()
cancelled: Exception('57014')
SELECT 'still here': still here
at the same time: 0 1 2 3 4 5 6 7 8 9
end: 0 more bytes
"""
PLACES = sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)


def unprivileged() -> list[str]:
    """What runs a command as somebody else: the server refuses to run as root."""
    if os.geteuid() != 0:
        return []
    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    return [program("setpriv"), f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}",
            "--clear-groups"]


class Postgres(PeerCase):
    def setUp(self) -> None:
        super().setUp()
        self.port = free_port()
        as_user = unprivileged()
        if as_user:
            self.directory.chmod(0o777)
        data = self.directory / "data"
        self.call(*as_user, program("initdb", *PLACES), "--auth=trust", "--username=peer",
                  "--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C", "-D", data,
                  cwd="/")
        with open(self.directory / "log", "wb") as log:
            self.start(*as_user, program("postgres", *PLACES), "-D", data, "-h", "127.0.0.1",
                       "-p", self.port, "-k", self.directory, "-F", stdout=log, stderr=log,
                       cwd="/")
        self.path = str(self.directory / f".s.PGSQL.{self.port}")
        ready = data / "postmaster.pid"
        wait_until(lambda: accepts(self.path) and "ready" in ready.read_text(),
                   "the PostgreSQL server is not ready")

    def test_tcp_and_unix_socket(self) -> None:
        self.assertEqual(self.call(CLIENT, f"127.0.0.1:{self.port}"), EXPECTED)
        expected = EXPECTED.replace("VALUES (1), (2):", "VALUES (1), (2): Exception('42P07')")
        self.assertEqual(self.call(CLIENT, self.path), expected)


if __name__ == "__main__":
    CLIENT = sys.argv[2]
    main(Postgres, proactors=sys.argv[1].split(","))
