#!/usr/bin/env python3
"""TLS with others at the other end: openssl's s_client and s_server, curl, Python's ssl.

usage: tls_test.py PROACTORS TLS_SERVER TLS_CLIENT
"""
# SPDX-License-Identifier: MIT
import asyncio
import contextlib
import os
import select
import ssl
import subprocess
import sys
import threading

from support import SECONDS, PeerCase, accepts, free_port, main, program, wait_until

SERVER = ""
CLIENT = ""


class TLS(PeerCase):
    def setUp(self) -> None:
        super().setUp()
        self.authority = self.make_authority()
        self.certificate = self.make_certificate("server", "subjectAltName=DNS:localhost")

    def openssl(self, *arguments) -> None:
        self.call(program("openssl"), *arguments)

    def make_authority(self) -> str:
        key, certificate = self.directory / "ca.key", self.directory / "ca.pem"
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
                     "-nodes", "-keyout", key, "-out", certificate, "-days", 1,
                     "-subj", "/CN=test authority",
                     "-addext", "keyUsage=critical,keyCertSign,cRLSign")
        return str(certificate)

    def make_certificate(self, name: str, extension: str) -> str:
        """A certificate with its key, in one file."""
        key, request, signed, both, extensions = (
            self.directory / f"{name}.{ending}" for ending in ("key", "csr", "crt", "pem", "ext"))
        extensions.write_text(f"basicConstraints=critical,CA:FALSE\nauthorityKeyIdentifier=keyid\n"
                              f"keyUsage=critical,digitalSignature\n{extension}\n")
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                     "-keyout", key, "-out", request, "-subj", f"/CN={name}")
        self.openssl("x509", "-req", "-in", request, "-CA", self.authority, "-CAkey",
                     self.directory / "ca.key", "-CAcreateserial", "-days", 1,
                     "-extfile", extensions, "-out", signed)
        both.write_text(signed.read_text() + key.read_text())
        return str(both)

    # ------------------------------------------------------------------ others at our server

    def s_client(self, port: int, *arguments, steps: list[tuple[str, str]]) -> str:
        """Types each text in turn, and waits for the answer; all that it printed."""
        client = self.start(program("openssl"), "s_client", "-connect", f"127.0.0.1:{port}",
                            "-CAfile", self.authority, "-verify_return_error", "-verify_hostname",
                            "localhost", *arguments, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        output = ""
        for text, answer in steps:
            client.stdin.write(text)
            client.stdin.flush()
            while answer not in (line := client.stdout.readline()):
                self.assertTrue(line, output)
                output += line
            output += line
        client.stdin.close()
        output += client.stdout.read()
        client.wait(SECONDS)
        return output

    def test_s_client_of_both_versions(self) -> None:
        server, port = self.serve(SERVER, self.certificate)
        for option, version in (("-tls1_2", "TLSv1.2"), ("-tls1_3", "TLSv1.3")):
            output = self.s_client(port, option, "-alpn", "echo/1",
                                   steps=[("hello\nworld\n", "world\n")])
            self.assertIn("world\n", output)
            self.assertIn(f"New, {version}", output)
            self.assertIn("ALPN protocol: echo/1", output)
            self.assertIn("Verify return code: 0 (ok)", output)
        self.interrupt(server)

    def test_s_client_may_update_keys_but_not_renegotiate(self) -> None:
        server, port = self.serve(SERVER, self.certificate)
        self.s_client(port, "-tls1_3", steps=[("before\n", "before\n"), ("K\n", "KEYUPDATE"),
                                              ("after\n", "after\n")])
        output = self.s_client(port, "-tls1_2", steps=[("before\n", "before\n"),
                                                       ("R\n", "RENEGOTIATING")])
        self.assertIn("no renegotiation", output)
        self.interrupt(server)

    def test_old_versions_and_plain_text_are_refused(self) -> None:
        server, port = self.serve(SERVER, self.certificate)
        context = self.python_client()
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        with self.assertRaises(ssl.SSLError):
            context.wrap_socket(self.connect(port), server_hostname="localhost")
        plain = self.connect(port)
        plain.sendall(b"GET / HTTP/1.0\r\n\r\n")
        self.assertEqual(plain.recv(100), b"")
        self.interrupt(server)

    def test_curl(self) -> None:
        # An echo is no HTTP, but curl tells what it thinks of the certificate first.
        server, port = self.serve(SERVER, self.certificate)
        curl = [program("curl"), "--silent", "--show-error", "--http0.9", "--max-time", SECONDS,
                "--cacert", self.authority]
        at = f"https://localhost:{port}/"
        process = self.start(*curl, "--resolve", f"localhost:{port}:127.0.0.1", "--max-time", 2, at,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        output, _ = process.communicate(timeout=SECONDS)
        self.assertIn("GET / HTTP/1.1", output)
        self.call(*curl, f"https://127.0.0.1:{port}/", status=60)
        self.interrupt(server)

    def python_client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.authority)

    def exchange(self, client: ssl.SSLSocket, data: bytes) -> bytes:
        """Sends all of `data` and receives as many bytes, whichever is possible.

        In one thread: OpenSSL's connections cannot be used from two at once, and Python before
        3.13 does not forbid it.
        """
        client.setblocking(False)
        unsent, received = memoryview(data), bytearray()
        while len(received) < len(data):
            with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):
                unsent = unsent[client.send(unsent):] if unsent else unsent
            try:
                block = client.recv(65536)
                self.assertTrue(block, f"end of stream after {len(received)} bytes")
                received += block
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                ready = select.select([client], [client] if unsent else [], [], SECONDS)
                self.assertTrue(any(ready), f"nothing more after {len(received)} bytes")
        client.settimeout(SECONDS)
        return bytes(received)

    def test_python(self) -> None:
        server, port = self.serve(SERVER, self.certificate)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.python_client()
            context.maximum_version = version
            context.set_alpn_protocols(["other", "echo/1"])
            session = None
            for size in (1, 100_000, 3_000_000):
                data = os.urandom(size)
                client = context.wrap_socket(self.connect(port), server_hostname="localhost",
                                             session=session)
                self.assertEqual(client.selected_alpn_protocol(), "echo/1")
                received = self.exchange(client, data)
                self.assertTrue(received == data)
                self.assertEqual(client.session_reused, session is not None)
                session = client.session
                client.unwrap().close()  # our close_notify was answered
        self.interrupt(server)

    def test_client_certificates(self) -> None:
        mine = self.make_certificate("client", "subjectAltName=DNS:client")
        server, port = self.serve(SERVER, self.certificate, self.authority)
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            without = self.python_client().wrap_socket(self.connect(port),
                                                       server_hostname="localhost")
            without.sendall(b"x")
            without.recv(1)
        context = self.python_client()
        context.load_cert_chain(mine)
        client = context.wrap_socket(self.connect(port), server_hostname="localhost")
        client.sendall(b"me")
        self.assertEqual(client.recv(2), b"me")
        client.close()
        self.interrupt(server)

    # ------------------------------------------------------------------ our client at others

    def ask(self, port: int, name: str, *more, data: bytes, status: int = 0) -> tuple[bytes, str]:
        client = self.start(CLIENT, port, self.authority, name, *more, stdin=subprocess.PIPE,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        output, errors = client.communicate(data, timeout=SECONDS)
        self.assertEqual(client.returncode, status, errors)
        return output, errors.decode().splitlines()[-1]

    def test_our_client_at_s_server(self) -> None:
        port = free_port()
        self.start(program("openssl"), "s_server", "-accept", f"127.0.0.1:{port}", "-cert",
                   self.certificate, "-rev", "-quiet", stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
        wait_until(lambda: accepts(("127.0.0.1", port)), "s_server does not listen")
        for version in ("1.2", "1.3"):
            output, end = self.ask(port, "localhost", version, data=b"abc\n")
            self.assertEqual((output, end), (b"cba\n", f"TLSv{version} - closed"))
        _, end = self.ask(port, "example.org", data=b"", status=1)
        self.assertEqual(end, 'SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] '
                              "certificate verify failed: Hostname mismatch, certificate is not "
                              "valid for 'example.org'.\")")

    def test_our_client_at_python(self) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificate)
        context.set_alpn_protocols(["echo/1"])

        async def echo(reader, writer):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            writer.close()

        async def serve(started):
            server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=context)
            started(server.sockets[0].getsockname()[1])
            await asyncio.Event().wait()

        loop = asyncio.new_event_loop()
        ports: list[int] = []
        thread = threading.Thread(target=lambda: asyncio.set_event_loop(loop) or
                                  loop.run_until_complete(self.until_cancelled(serve, ports)))
        thread.start()
        try:
            port = wait_until(lambda: ports and ports[0], "Python does not listen")
            for version in ("1.2", "1.3"):
                data = os.urandom(2_000_000)
                output, end = self.ask(port, "localhost", version, data=data)
                self.assertTrue(output == data)
                self.assertEqual(end, f"TLSv{version} echo/1 closed")
        finally:
            loop.call_soon_threadsafe(self.serving.cancel)
            thread.join()
            loop.close()

    async def until_cancelled(self, serve, ports: list[int]) -> None:
        self.serving = asyncio.ensure_future(serve(ports.append))
        await asyncio.wait([self.serving])


if __name__ == "__main__":
    SERVER, CLIENT = sys.argv[2:]
    main(TLS, proactors=sys.argv[1].split(","))
