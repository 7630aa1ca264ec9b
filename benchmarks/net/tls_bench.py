#!/usr/bin/env python3
"""TLS: handshakes and bytes per second of CPU time of a server, beside openssl s_server and nginx.

    tls_bench.py BUILD/benchmarks [--rounds 5] [--seconds 2] [--megabytes 200]

Servers run on core 0, clients on core 1. `openssl s_time -new` makes one full handshake after the
other (TLS 1.3, P-256); curl fetches one large answer. Each round runs all servers one after the
other, every other round backwards; the table has the medians, and the least and the most.

SPDX-License-Identifier: MIT
"""

import argparse
import contextlib
import os
import pathlib
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from rounds import in_turned_order, pin  # pylint: disable=wrong-import-position

TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def cpu_seconds(pid):
    """Of a process and its children, which nginx has."""
    total = 0
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = path.read_text().rsplit(")", 1)[1].split()
            if int(path.parent.name) == pid or int(fields[1]) == pid:
                total += int(fields[11]) + int(fields[12])
    return total / TICKS


def make_certificate(directory):
    both = directory / "both.pem"
    key, certificate = directory / "key.pem", directory / "cert.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "1", "-subj", "/CN=localhost",
                    "-keyout", key, "-out", certificate], check=True, capture_output=True)
    both.write_text(certificate.read_text() + key.read_text())
    return both


NGINX = """
daemon off; master_process off; pid {directory}/pid; error_log /dev/null;
events {{ worker_connections 1000; }}
http {{
    access_log off; client_body_temp_path {directory}; proxy_temp_path {directory};
    fastcgi_temp_path {directory}; uwsgi_temp_path {directory}; scgi_temp_path {directory};
    ssl_session_cache off; sendfile off; output_buffers 2 256k;
    server {{
        listen 127.0.0.1:{port} ssl; root {directory};
        ssl_certificate {certificate}; ssl_certificate_key {certificate};
        ssl_protocols TLSv1.3;
    }}
}}
"""


def command(name, arguments, directory, certificate, port):
    if name == "asyncio":
        return [arguments.build / "tls_server", port, certificate, arguments.megabytes << 20]
    if name == "s_server":
        return ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", certificate,
                "-WWW", "-quiet"]
    configuration = directory / "nginx.conf"
    configuration.write_text(NGINX.format(directory=directory, port=port, certificate=certificate))
    return ["nginx", "-p", directory, "-c", configuration]


@contextlib.contextmanager
def running(name, arguments, directory, certificate):
    port = free_port()
    line = [str(part) for part in command(name, arguments, directory, certificate, port)]
    server = subprocess.Popen(line, cwd=directory, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL, preexec_fn=pin(0))
    try:
        for _ in range(500):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.01)
        yield server.pid, port
    finally:
        server.kill()
        server.wait()


def handshakes(pid, port, seconds):
    """Per second of the server's CPU time."""
    before = cpu_seconds(pid)
    result = subprocess.run(["openssl", "s_time", "-connect", f"127.0.0.1:{port}", "-new", "-time",
                             str(seconds), "-tls1_3"], capture_output=True, text=True,
                            preexec_fn=pin(1))
    count = int(re.search(r"(\d+) connections in \d+ real seconds", result.stdout)[1])
    return count / max(cpu_seconds(pid) - before, 1 / TICKS)


def megabytes(pid, port, size):
    """The same."""
    before = cpu_seconds(pid)
    result = subprocess.run(["curl", "-sk", "--http1.0", "-o", "/dev/null", "-w",
                             "%{size_download}", f"https://127.0.0.1:{port}/big"],
                            capture_output=True, text=True, preexec_fn=pin(1))
    if int(result.stdout) < size:
        raise RuntimeError(f"only {result.stdout} bytes came")
    return size / 1e6 / max(cpu_seconds(pid) - before, 1 / TICKS)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("build", type=lambda path: pathlib.Path(path).resolve())
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--megabytes", type=int, default=200)
    arguments = parser.parse_args()

    names = ["asyncio", "s_server", "nginx"]
    results = {name: ([], []) for name in names}
    with tempfile.TemporaryDirectory() as place:
        directory = pathlib.Path(place)
        directory.chmod(0o755)
        certificate = make_certificate(directory)
        size = arguments.megabytes << 20
        with open(directory / "big", "wb") as big:
            big.truncate(size)
        for number in range(arguments.rounds):
            for name in in_turned_order(names, number):
                with running(name, arguments, directory, certificate) as (pid, port):
                    results[name][0].append(handshakes(pid, port, arguments.seconds))
                    results[name][1].append(megabytes(pid, port, size))
    print(f"{'':10}  {'handshakes/CPU s':>24}  {'MB/CPU s':>24}")
    for name, measured in results.items():
        columns = [f"{statistics.median(values):8.0f} ({min(values):.0f}-{max(values):.0f})"
                   for values in measured]
        print(f"{name:10}  {columns[0]:>24}  {columns[1]:>24}")


if __name__ == "__main__":
    main()
