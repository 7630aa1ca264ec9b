#!/usr/bin/env python3
"""Compares echo servers with a limit: CPU time per request, and memory per connection.

    echo_bench.py BUILD/benchmarks [--rounds 15] [--seconds 1] [--conns 1,50,1000]
                  [--sizes 64,16384,16384/64] [--idle 10000] [--json FILE]
                  [--io-uring] [--limit COMMAND] [--server NAME=COMMAND]...

A size of 16384/64 is a stream of 64-byte pieces, as many as make 16384 bytes.
--io-uring compares the server on io_uring with the same on epoll, which is its limit, and beside
them what is written by hand, on epoll and on io_uring in all of its ways.

A server is a command that prints the port it listens on as its first line. Each round runs every
case for the limit and for each server, one directly after the other, in turned order every other
round; every run has a fresh server. Servers run on core 0, the client on core 1. The ratio is taken
within a round, the table has the median of these ratios and the quartiles around it.

SPDX-License-Identifier: MIT
"""

import argparse
import contextlib
import json
import os
import pathlib
import resource
import select
import shlex
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
from rounds import in_turned_order, pin, quartiles  # pylint: disable=wrong-import-position

SERVER_CORE = 0
CLIENT_CORE = 1


def read_line(process, seconds):
    """The next line of a child's output; an error if none comes in time."""
    if not select.select([process.stdout], [], [], seconds)[0]:
        raise RuntimeError(f"{process.args[0]} printed nothing within {seconds} s")
    return process.stdout.readline().strip()


@contextlib.contextmanager
def running_server(command):
    """(process id, port) of a fresh server, which is killed at the end."""
    server = subprocess.Popen(shlex.split(command), stdout=subprocess.PIPE, text=True,
                              preexec_fn=pin(SERVER_CORE))
    try:
        yield server.pid, int(read_line(server, 10))
    finally:
        server.kill()
        server.wait()
        server.stdout.close()


def measure_requests(load, command, connections, size, seconds):
    """What the client measured in one run, as numbers by name."""
    size, _, piece = size.partition("/")
    piece = piece or "0"
    with running_server(command) as (pid, port):
        client = subprocess.run(
            [load, "-p", str(port), "-c", str(connections), "-s", size, "-d", str(seconds),
             "-P", str(pid), "-f", str(piece)],
            check=True, stdout=subprocess.PIPE, text=True, timeout=seconds + 60,
            preexec_fn=pin(CLIENT_CORE))
    return {name: float(value)
            for name, value in (field.split("=") for field in client.stdout.split())}


def user_memory(pid):
    """Anonymous resident memory and private dirty memory of a process, in bytes."""
    def field(file, name):
        for line in pathlib.Path(f"/proc/{pid}/{file}").read_text(encoding="ascii").splitlines():
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
        raise RuntimeError(f"no {name} in /proc/{pid}/{file}")
    return {"rss_anon": field("status", "RssAnon"),
            "private_dirty": field("smaps_rollup", "Private_Dirty")}


@contextlib.contextmanager
def idle_connections(load, port, count):
    """Holds `count` connections on which one message was echoed."""
    client = subprocess.Popen([load, "idle", str(count), "-p", str(port)], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, text=True, preexec_fn=pin(CLIENT_CORE))
    try:
        if read_line(client, 120) != "ready":
            raise RuntimeError(f"{count} idle connections could not be made")
        yield
    finally:
        client.stdin.close()
        client.wait()
        client.stdout.close()


def measure_memory(load, command, count):
    """Bytes that one more idle connection costs the server.

    The difference to a server that already has one, so that what it allocates once for all is not
    counted.
    """
    with running_server(command) as (pid, port), idle_connections(load, port, 1):
        before = user_memory(pid)
        with idle_connections(load, port, count):
            after = user_memory(pid)
    return {name: (after[name] - before[name]) / count for name in after}


def run_rounds(arguments, servers):
    """{(connections, size): {server: [measured values per round]}}"""
    cases = [(connections, size) for size in arguments.sizes for connections in arguments.conns]
    results = {case: {name: [] for name in servers} for case in cases}
    for number in range(arguments.rounds):
        for case in cases:
            for name in in_turned_order(servers, number):
                results[case][name].append(measure_requests(
                    arguments.load, servers[name], *case, arguments.seconds))
        print(f"round {number + 1} of {arguments.rounds}", file=sys.stderr)
    return results


def summarize(results):
    """One row per case and server; the first server is the limit."""
    rows = []
    for (connections, size), by_server in results.items():
        limit = [run["server_us"] for run in next(iter(by_server.values()))]
        for name, runs in by_server.items():
            ratios = [run["server_us"] / base for run, base in zip(runs, limit)]
            low, middle, high = quartiles(ratios)
            rows.append({
                "connections": connections, "size": size, "server": name,
                "server_us": statistics.median(run["server_us"] for run in runs),
                "requests_per_second": statistics.median(
                    run["requests_per_second"] for run in runs),
                "ratio": middle, "ratio_q1": low, "ratio_q3": high, "rounds": len(runs),
            })
    return rows


def print_requests(rows):
    print("| connections | bytes | server | CPU us/request | ratio (quartiles) | requests/s |")
    print("| ---: | ---: | --- | ---: | ---: | ---: |")
    for row in rows:
        print(f"| {row['connections']} | {row['size']} | {row['server']} "
              f"| {row['server_us']:.2f} "
              f"| {row['ratio']:.2f} ({row['ratio_q1']:.2f} to {row['ratio_q3']:.2f}) "
              f"| {row['requests_per_second']:.0f} |")


def print_memory(rows, count):
    print(f"\n| server, {count} idle connections | anonymous bytes each "
          "| private dirty bytes each |")
    print("| --- | ---: | ---: |")
    for row in rows:
        print(f"| {row['server']} | {row['rss_anon']:.1f} | {row['private_dirty']:.1f} |")


def integers(text):
    return [int(number) for number in text.split(",")]


def servers_of(arguments):
    """{name: command}; the first one is what the others are compared with."""
    programs = arguments.programs
    if arguments.io_uring:
        by_hand = {f"{mode} by hand": f"{programs / 'echo_io_uring'} 0 {mode}"
                   for mode in ("poll", "single", "linked", "buffers")}
        on = {name: f"env ASYNCIO_PROACTOR={name} {programs / 'echo_server'} 0"
              for name in ("epoll", "io_uring")}
        servers = {**on, "epoll by hand": f"{programs / 'echo_epoll'} 0 et", **by_hand}
    else:
        servers = {"limit": arguments.limit or f"{programs / 'echo_epoll'} 0 lt"}
        if not arguments.server:
            servers["asyncio"] = f"{programs / 'echo_server'} 0"
    return {**servers, **dict(server.split("=", 1) for server in arguments.server)}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("programs", type=pathlib.Path,
                        help="directory of the built programs: load, echo_epoll, echo_server")
    parser.add_argument("--rounds", type=int, default=15, help="0: only --idle")
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--conns", type=integers, default=[1, 50, 1000], metavar="N,N")
    parser.add_argument("--sizes", type=lambda text: text.split(","), default=["64", "16384"],
                        metavar="BYTES,BYTES/PIECE")
    parser.add_argument("--io-uring", action="store_true")
    parser.add_argument("--idle", type=int, default=0, metavar="N",
                        help="also measure memory per connection with N idle connections")
    parser.add_argument("--limit", metavar="COMMAND", help="default: echo_epoll 0 lt")
    parser.add_argument("--server", action="append", default=[], metavar="NAME=COMMAND",
                        help="default: asyncio=echo_server 0; may be repeated")
    parser.add_argument("--json", metavar="FILE", help="also write the rows there")
    arguments = parser.parse_args()
    arguments.load = str(arguments.programs / "load")
    return arguments


def main():
    arguments = parse_arguments()
    # Both ends of an idle connection take a descriptor, in different processes; children inherit.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    servers = servers_of(arguments)

    report = {"requests": [], "idle": []}
    if arguments.rounds:
        report["requests"] = summarize(run_rounds(arguments, servers))
        print_requests(report["requests"])
    if arguments.idle:
        report["idle"] = [{"server": name, "connections": arguments.idle,
                           **measure_memory(arguments.load, command, arguments.idle)}
                          for name, command in servers.items()]
        print_memory(report["idle"], arguments.idle)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(report, file, indent=1)


if __name__ == "__main__":
    main()
