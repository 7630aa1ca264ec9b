#!/usr/bin/env python3
"""Python's asyncio and socat at the other end of UDP.

usage: datagrams_test.py PROACTORS DATAGRAM_ECHO
"""
# SPDX-License-Identifier: MIT
import asyncio
import os
import re
import subprocess
import sys

from support import SECONDS, PeerCase, main, program

ECHO = ""
COUNT = 300


class PythonEcho(asyncio.DatagramProtocol):
    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr) -> None:
        self.transport.sendto(data, addr)


class PythonClient(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.received: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr) -> None:
        self.received.put_nowait(data)


class Datagrams(PeerCase):
    def serve_echo(self) -> tuple[subprocess.Popen, int]:
        server = self.start(ECHO, "server", stdout=subprocess.PIPE, text=True)
        line = server.stdout.readline()
        match = re.search(r"127\.0\.0\.1\D+(\d+)\D*$", line)
        self.assertIsNotNone(match, line)
        return server, int(match[1])

    def test_our_client(self) -> None:
        async def against_server() -> None:
            loop = asyncio.get_running_loop()
            transport, _ = await loop.create_datagram_endpoint(PythonEcho, ("127.0.0.1", 0))
            port = transport.get_extra_info("sockname")[1]
            process = await asyncio.create_subprocess_exec(
                ECHO, "client", str(port), str(COUNT), stdout=subprocess.PIPE,
                env={**os.environ, "ASYNCIO_PROACTOR": self.proactor})
            try:
                output, _ = await process.communicate()
            finally:
                if process.returncode is None:
                    process.kill()
            transport.close()
            self.assertEqual((output.decode(), process.returncode),
                             (f"{COUNT} of {COUNT} came back\n", 0))

        asyncio.run(asyncio.wait_for(against_server(), SECONDS))

    def test_our_server(self) -> None:
        server, port = self.serve_echo()

        async def client() -> None:
            loop = asyncio.get_running_loop()
            transport, protocol = await loop.create_datagram_endpoint(
                PythonClient, remote_addr=("127.0.0.1", port))
            for number in range(COUNT):  # asyncio of Python 3.11 sends no empty ones
                data = os.urandom(1 + number * 7919 % 20_000)
                transport.sendto(data)
                self.assertEqual(await protocol.received.get(), data)
            transport.close()

        asyncio.run(asyncio.wait_for(client(), SECONDS))
        self.interrupt(server)

    def test_our_server_and_socat(self) -> None:
        server, port = self.serve_echo()
        for data in (b"hello", os.urandom(1000)):
            client = self.start(program("socat"), "-t", 1, "-", f"UDP:127.0.0.1:{port}",
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            output, _ = client.communicate(data, timeout=SECONDS)
            self.assertEqual(output, data)
        self.interrupt(server)


if __name__ == "__main__":
    ECHO = sys.argv[2]
    main(Datagrams, proactors=sys.argv[1].split(","))
