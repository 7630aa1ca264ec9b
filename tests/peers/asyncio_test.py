#!/usr/bin/env python3
"""Python's asyncio at the other end, over TCP and over Unix sockets.

usage: asyncio_test.py PROACTORS ECHO_CLIENT ECHO_SERVER UNIX_ECHO_SERVER
"""
# SPDX-License-Identifier: MIT
import asyncio
import os
import subprocess
import sys

from support import SECONDS, PeerCase, main

CLIENT = ""
SERVER = ""
UNIX_SERVER = ""
LARGE = 3_000_000


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()
    await writer.wait_closed()


async def comes_back(streams, data: bytes) -> bool:
    reader, writer = await streams

    async def send() -> None:
        for start in range(0, len(data), 50_021):
            writer.write(data[start:start + 50_021])
            await writer.drain()
        writer.write_eof()

    received, _ = await asyncio.gather(reader.read(), send())
    writer.close()
    await writer.wait_closed()
    return received == data


class Asyncio(PeerCase):
    def run_async(self, coroutine) -> None:
        asyncio.run(asyncio.wait_for(coroutine, SECONDS))

    async def client(self, where: str) -> None:
        """Our client, against a server in this process."""
        for connections, size in ((1, 0), (1, LARGE), (20, 100_000), (5, 1)):
            process = await asyncio.create_subprocess_exec(
                CLIENT, where, str(connections), str(size), stdout=subprocess.PIPE,
                env={**os.environ, "ASYNCIO_PROACTOR": self.proactor})
            try:
                output, _ = await process.communicate()
            finally:
                if process.returncode is None:
                    process.kill()
            self.assertEqual((output.decode(), process.returncode),
                             (f"{connections} of {connections} came back\n", 0))

    def test_our_client(self) -> None:
        async def against_server() -> None:
            server = await asyncio.start_server(echo, "127.0.0.1", 0)
            async with server:
                await self.client(f"127.0.0.1:{server.sockets[0].getsockname()[1]}")

        self.run_async(against_server())

    def test_our_client_on_a_unix_socket(self) -> None:
        async def against_server() -> None:
            path = str(self.directory / "socket")
            async with await asyncio.start_unix_server(echo, path):
                await self.client(path)

        self.run_async(against_server())

    async def clients(self, connect) -> None:
        """Clients in this process, against a server of ours."""
        data = os.urandom(LARGE)
        for count, size in ((1, 0), (1, LARGE), (20, 100_000), (5, 1)):
            right = await asyncio.gather(*(comes_back(connect(), data[:size])
                                           for _ in range(count)))
            self.assertEqual(right, [True] * count)

    def test_our_server(self) -> None:
        server, port = self.serve(SERVER, 0)
        self.run_async(self.clients(lambda: asyncio.open_connection("127.0.0.1", port)))
        self.interrupt(server)

    def test_our_server_on_a_unix_socket(self) -> None:
        path = self.directory / "socket"
        server = self.start(UNIX_SERVER, path, stdout=subprocess.PIPE, text=True)
        self.assertEqual(server.stdout.readline(), "serving\n")
        self.run_async(self.clients(lambda: asyncio.open_unix_connection(path)))
        self.interrupt(server)
        self.assertFalse(path.exists())


if __name__ == "__main__":
    CLIENT, SERVER, UNIX_SERVER = sys.argv[2:]
    main(Asyncio, proactors=sys.argv[1].split(","))
