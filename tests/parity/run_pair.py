#!/usr/bin/env python3
"""Runs the C++ half of a trace pair and compares its standard output with that of the Python half.

usage: run_pair.py EXECUTABLE EXPECTED [--attempts N]

In real time a busy machine may wake a program too late for its trace. It gets N attempts; that it
needed more than one is reported. In virtual time one is enough.
"""
# SPDX-License-Identifier: MIT
import argparse
import difflib
import pathlib
import subprocess
import sys


def run(executable: str, expected: bytes) -> bool:
    result = subprocess.run([executable], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    if result.returncode != 0:
        print(f"exit status {result.returncode}")
    if result.stdout != expected:
        lines = [text.decode(errors="replace").splitlines() for text in (expected, result.stdout)]
        difference = difflib.unified_diff(*lines, "Python", "C++", lineterm="", n=100)
        print("\n".join(difference) or "the ends of the lines differ")
    return result.returncode == 0 and result.stdout == expected


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("executable")
    parser.add_argument("expected", type=pathlib.Path)
    parser.add_argument("--attempts", type=int, default=1)
    arguments = parser.parse_args()

    expected = arguments.expected.read_bytes()
    for attempt in range(1, arguments.attempts + 1):
        if run(arguments.executable, expected):
            return 0
        print(f"attempt {attempt} of {arguments.attempts} failed", flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
