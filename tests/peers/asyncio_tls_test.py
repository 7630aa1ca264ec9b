#!/usr/bin/env python3
"""Python's asyncio at the other end of TLS.

usage: asyncio_tls_test.py PROACTORS TLS_ECHO
"""
# SPDX-License-Identifier: MIT
import asyncio
import os
import ssl
import subprocess
import sys

from support import SECONDS, PeerCase, main, program

TLS_ECHO = ""
SIZES = ((1, 1), (1, 3_000_000), (10, 100_000))


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1 << 16):
        writer.write(data)
        await writer.drain()
    writer.close()


class AsyncioTLS(PeerCase):
    def setUp(self) -> None:
        super().setUp()
        self.certificate = self.directory / "certificate"
        self.key = self.directory / "key"
        self.call(program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt",
                  "ec_paramgen_curve:prime256v1", "-nodes", "-days", 2, "-subj", "/CN=localhost",
                  "-addext", "subjectAltName=DNS:localhost", "-keyout", self.key, "-out",
                  self.certificate)

    def test_our_client(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)

        async def against_server() -> None:
            server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=context)
            port = server.sockets[0].getsockname()[1]
            for count, size in SIZES:
                process = await asyncio.create_subprocess_exec(
                    TLS_ECHO, "client", str(port), self.certificate, str(count), str(size),
                    stdout=subprocess.PIPE, env={**os.environ, "ASYNCIO_PROACTOR": self.proactor})
                try:
                    output, _ = await process.communicate()
                finally:
                    if process.returncode is None:
                        process.kill()
                self.assertEqual((output.decode(), process.returncode),
                                 (f"{count} of {count} came back\n", 0))
            server.close()

        asyncio.run(asyncio.wait_for(against_server(), SECONDS))

    async def comes_back(self, port: int, data: bytes) -> bool:
        context = ssl.create_default_context(cafile=self.certificate)
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context,
                                                       server_hostname="localhost")

        async def send() -> None:
            for start in range(0, len(data), 50_021):
                writer.write(data[start:start + 50_021])
                await writer.drain()

        received, _ = await asyncio.gather(reader.readexactly(len(data)), send())
        writer.close()
        await writer.wait_closed()
        return received == data

    def test_our_server(self) -> None:
        server, port = self.serve(TLS_ECHO, "server", self.certificate, self.key)
        data = os.urandom(3_000_000)

        async def clients() -> None:
            for count, size in SIZES:
                right = await asyncio.gather(*(self.comes_back(port, data[:size])
                                               for _ in range(count)))
                self.assertEqual(right, [True] * count)

        asyncio.run(asyncio.wait_for(clients(), SECONDS))
        self.interrupt(server)


if __name__ == "__main__":
    TLS_ECHO = sys.argv[2]
    main(AsyncioTLS, proactors=sys.argv[1].split(","))
