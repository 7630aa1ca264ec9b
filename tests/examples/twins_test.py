#!/usr/bin/env python3
"""The Python halves of the tutorial's programs print what the C++ halves have to print.

usage: twins_test.py DIRECTORY

A twin whose docstring says "Needs Python 3.13" is left out if this Python is older. They run in real
time, so on a busy machine one gets several attempts.
"""
# SPDX-License-Identifier: MIT
import pathlib
import re
import subprocess
import sys

ATTEMPTS = 5


def needed_version(source: str) -> tuple[int, int]:
    match = re.search(r"Needs Python (\d+)\.(\d+)", source)
    return (int(match[1]), int(match[2])) if match else (3, 11)


def prints(twin: pathlib.Path, expected: bytes) -> bool:
    return any(subprocess.run([sys.executable, "-W", "error", twin], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, timeout=20).stdout == expected
               for _ in range(ATTEMPTS))


def main() -> int:
    twins = sorted(pathlib.Path(sys.argv[1]).glob("*.py"))
    left_out = [twin for twin in twins if needed_version(twin.read_text()) > sys.version_info[:2]]
    wrong = [twin for twin in twins if twin not in left_out
             and not prints(twin, twin.with_suffix(".expected").read_bytes())]
    for twin in left_out:
        print(f"{twin.name}: left out, this is Python {sys.version_info[0]}.{sys.version_info[1]}")
    for twin in wrong:
        print(f"{twin.name}: does not print {twin.stem}.expected")
    print(f"{len(twins) - len(left_out)} twins were run")
    return 1 if wrong or len(left_out) == len(twins) else 0


if __name__ == "__main__":
    sys.exit(main())
