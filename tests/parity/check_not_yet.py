#!/usr/bin/env python3
"""Checks not_yet.txt: a pair listed there must not compile, for want of the names given.

usage: check_not_yet.py COMPILER INCLUDE_DIRECTORY

A pair that compiles has to be taken off the list, which builds and runs it.
"""
# SPDX-License-Identifier: MIT
import concurrent.futures
import pathlib
import re
import subprocess
import sys

FOLDER = pathlib.Path(__file__).resolve().parent


def check(compiler: str, include: str, line: str) -> str | None:
    """What is wrong with this line of the list, if anything."""
    match = re.fullmatch(r"(\w+): (\S.*)", line)
    if not match:
        return f"not `PAIR: NAMES`: {line}"
    pair, names = match[1], match[2].split()
    program = FOLDER / "pairs" / f"{pair}.cpp"
    if not program.exists():
        return f"{pair}: there is no such pair"
    command = [compiler, "-std=c++20", "-fsyntax-only", "-I", include, str(program)]
    result = subprocess.run(command, text=True, capture_output=True)
    if result.returncode == 0:
        return f"{pair}: compiles by now; take it off the list"
    messages = "\n".join(re.findall(r"error: (.*)", result.stderr))
    for name in names:
        if not re.search(rf"\b{re.escape(name)}\b", messages):
            return f"{pair}: {name} is not what is missing:\n{messages}"
    return None


def main() -> int:
    compiler, include = sys.argv[1:]
    lines = (FOLDER / "not_yet.txt").read_text().splitlines()
    lines = [line for line in lines if line.strip() and not line.startswith("#")]
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        problems = list(filter(None, pool.map(lambda line: check(compiler, include, line), lines)))
    print("\n".join(problems) or f"{len(lines)} pairs wait for names that are missing")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
