#!/usr/bin/env python3
"""Checks that a program is refused by the compiler, for the reason that its first line gives.

usage: check_compile_fail.py COMPILER INCLUDE_DIRECTORY PROGRAM
"""
# SPDX-License-Identifier: MIT
import pathlib
import re
import subprocess
import sys


def main() -> int:
    compiler, include, program = sys.argv[1:]
    # -S, not -fsyntax-only: some errors are found only when code is made.
    command = [compiler, "-std=c++20", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I", include]
    command += ["-S", "-o", "/dev/null", program]
    result = subprocess.run(command, text=True, capture_output=True)

    if pathlib.Path(program).name == "control.cpp":
        print(result.stderr)
        return result.returncode

    first_line = pathlib.Path(program).read_text().split("\n", 1)[0]
    expectation = re.fullmatch(r"// expect: (.+)", first_line)
    if not expectation:
        print(f"{program}: the first line must be `// expect: REGEX`, it is: {first_line}")
        return 1
    if result.returncode == 0:
        print(f"{program}: compiles, but should not")
        return 1
    # Only the compiler's own words: it also quotes the program.
    messages = re.findall(r"(?:error|warning|note): .*", result.stderr)
    if not any(re.search(expectation[1], message) for message in messages):
        print(f"{program}: no message of the compiler matches: {expectation[1]}\n{result.stderr}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
