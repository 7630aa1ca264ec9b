#!/usr/bin/env python3
"""nginx: before examples/http_server as a proxy, and as the server that http_fetch fetches from.

usage: nginx_test.py PROACTORS SERVER FETCH
"""
# SPDX-License-Identifier: MIT
import http.client
import sys

from support import SECONDS, PeerCase, accepts, free_port, main, program, wait_until

SERVER = ""
FETCH = ""
CONFIGURATION = """
daemon off;
master_process off;
pid {directory}/pid;
error_log {directory}/errors;
events {{ worker_connections 200; }}
http {{
    access_log off;
    client_body_temp_path {directory}/body;
    proxy_temp_path {directory}/proxy;
    fastcgi_temp_path {directory}/fastcgi;
    uwsgi_temp_path {directory}/uwsgi;
    scgi_temp_path {directory}/scgi;
    upstream ours {{ server 127.0.0.1:{upstream}; keepalive 8; }}
    server {{
        listen 127.0.0.1:{port};
        root {directory}/files;
        gzip_types text/plain;
        location /chunked/ {{ ssi on; ssi_types *; alias {directory}/files/; }}
        location /ours/ {{
            proxy_pass http://ours/;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
        }}
        location /unbuffered/ {{
            proxy_pass http://ours/;
            proxy_http_version 1.1;
            proxy_request_buffering off;
        }}
        location /old/ {{ proxy_pass http://ours/; }}
    }}
}}
"""


class Nginx(PeerCase):
    def setUp(self) -> None:
        super().setUp()
        files = self.directory / "files"
        files.mkdir()
        self.contents = {"small": b"hello\n", "empty": b"", "large": bytes(range(256)) * 40_000}
        for name, content in self.contents.items():
            (files / name).write_bytes(content)
        _, upstream = self.serve(SERVER, 0)
        self.port = free_port()
        configuration = self.directory / "configuration"
        configuration.write_text(CONFIGURATION.format(directory=self.directory, port=self.port,
                                                      upstream=upstream))
        self.start(program("nginx"), "-c", configuration, "-e", self.directory / "errors", "-p",
                   self.directory)
        wait_until(lambda: accepts(("127.0.0.1", self.port)), "nginx does not listen")

    def ask(self, method: str, path: str, body: bytes | None = None,
            chunked: bool = False) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        self.addCleanup(connection.close)
        pieces = (body[i:i + 7000] for i in range(0, len(body), 7000)) if chunked else body
        connection.request(method, path, pieces, encode_chunked=chunked,
                           headers={"Transfer-Encoding": "chunked"} if chunked else {})
        response = connection.getresponse()
        return response.status, response.read()

    def test_fetch_from_it(self) -> None:
        url = f"http://127.0.0.1:{self.port}"
        names = ["small", "empty", "large"] * 10
        expected = "".join(f"200 {len(self.contents[name])} {sum(self.contents[name])}\n"
                           for name in names)
        for place in ("", "chunked/"):
            self.assertEqual(self.call(FETCH, *(f"{url}/{place}{name}" for name in names)),
                             expected)
        self.assertRegex(self.call(FETCH, url + "/nothing"), r"^404 \d+ \d+\n$")

    def test_serve_behind_it(self) -> None:
        large = bytes(range(256)) * 4000
        for place in ("ours", "unbuffered", "old"):
            with self.subTest(place):
                for _ in range(3):
                    self.assertEqual(self.ask("GET", f"/{place}/"), (200, b"Hello, world!\n"))
                self.assertEqual(self.ask("HEAD", f"/{place}/"), (200, b""))
                self.assertEqual(self.ask("GET", f"/{place}/nothing")[0], 404)
                self.assertEqual(self.ask("POST", f"/{place}/echo", large), (200, large))
                self.assertEqual(self.ask("POST", f"/{place}/echo", large, chunked=True),
                                 (200, large))
                self.assertEqual(self.ask("GET", f"/{place}/slow"), (200, b"That took a second.\n"))

    def test_load_through_it(self) -> None:
        output = self.call(program("wrk"), "-t1", "-c32", "-d1",
                           f"http://127.0.0.1:{self.port}/ours/")
        self.assertNotRegex(output, "Socket errors|Non-2xx")


if __name__ == "__main__":
    SERVER, FETCH = sys.argv[2:]
    main(Nginx, proactors=sys.argv[1].split(","))
