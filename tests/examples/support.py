"""What the tests of the tour run it against: servers on loopback, good ones and bad ones."""
# SPDX-License-Identifier: MIT
import contextlib
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Iterator

SECONDS = 20  # for whatever must not take long


class _Handler(socketserver.BaseRequestHandler):
    """Reads a request, then lets the server's function answer."""

    def handle(self) -> None:
        self.request.settimeout(SECONDS)
        request = b""
        while b"\r\n\r\n" not in request:
            part = self.request.recv(1 << 16)
            if not part:
                return
            request += part
        self.server.requests.append(request)
        with contextlib.suppress(OSError):  # the client may have had enough
            self.server.answer(self.request)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    request_queue_size = 100


@contextlib.contextmanager
def serving(answer: Callable[[socket.socket], None]) -> Iterator[tuple[str, list[bytes]]]:
    """A server; its URL, and the requests that it gets."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.answer = answer
        server.requests = []
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/data?x=1", server.requests
        finally:
            server.shutdown()
            thread.join()


def whole(text: bytes) -> Callable[[socket.socket], None]:
    """Answers `text` at once, then closes."""
    return lambda connection: connection.sendall(text)


def byte_by_byte(text: bytes) -> Callable[[socket.socket], None]:
    """Answers `text` in as many packets as it has bytes."""

    def answer(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in text:
            connection.sendall(bytes([byte]))
            time.sleep(0.0001)

    return answer


def and_stays_open(text: bytes) -> Callable[[socket.socket], None]:
    """Answers `text` and keeps the connection, as servers that know nothing of `close` do."""

    def answer(connection: socket.socket) -> None:
        connection.sendall(text)
        connection.recv(1)

    return answer


def never() -> Callable[[socket.socket], None]:
    """Takes the request and says nothing until the client has gone."""
    return lambda connection: connection.recv(1)


def unused_port() -> int:
    """A port of loopback where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
