#!/usr/bin/env python3
"""Checks that no public header outside lowlevel/ pulls in a header of the operating system.

usage: check_headers.py COMPILER INCLUDE_DIRECTORY

The standard library itself includes some of them, so a list of forbidden names would not do. The
headers are preprocessed twice: as they are, and only the standard headers that they name. Whatever
the first has beyond the second came from the operating system.
"""
# SPDX-License-Identifier: MIT
import pathlib
import re
import subprocess
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^">]+)[">]', re.MULTILINE)
# Slow to compile, and never needed in a declaration: what uses them belongs into a source file.
HEAVY = {"iostream", "regex", "map"}


def included_files(compiler: str, include: pathlib.Path, names: list[str]) -> list[str]:
    """The files that a program made of `#include <name>` for each name consists of, in order."""
    program = "".join(f"#include <{name}>\n" for name in names)
    command = [compiler, "-std=c++20", "-M", "-MT", "x", "-x", "c++", "-I", str(include), "-"]
    result = subprocess.run(command, input=program, text=True, capture_output=True)
    if result.returncode != 0:
        sys.exit(f"{' '.join(command)} failed:\n{result.stderr}")
    words = re.split(r"(?<!\\)\s+", result.stdout.replace("\\\n", " "))
    return [word.replace("\\ ", " ") for word in words[1:] if word]


def main() -> int:
    compiler, include = sys.argv[1], pathlib.Path(sys.argv[2]).resolve()
    headers = [path.relative_to(include) for path in sorted(include.rglob("*.hpp"))]
    public = [header for header in headers if "lowlevel" not in header.parts]
    if not public:
        sys.exit(f"no headers in {include}")

    problems = []
    standard = set()
    for header in headers:
        names = INCLUDE.findall((include / header).read_text())
        standard |= {name for name in names if re.fullmatch(r"[a-z_]+", name)}
        if header not in public:
            continue
        for name in names:
            if not re.fullmatch(r"[a-z_]+|asyncio/.+", name):
                problems.append(f"{header}: includes <{name}>, which is not a standard header")
            if name in HEAVY:
                problems.append(f"{header}: includes <{name}>, which makes every program slow to compile")

    allowed = set(included_files(compiler, include, sorted(standard)))

    def foreign(names: list[str]) -> list[str]:
        return [file for file in included_files(compiler, include, names)
                if file not in allowed and not pathlib.Path(file).resolve().is_relative_to(include)]

    if foreign([str(header) for header in public]):
        for header in public:  # who is to blame?
            files = foreign([str(header)])
            if files:
                problems.append(f"{header}: pulls in {files[0]} and {len(files) - 1} more")

    print("\n".join(problems) if problems else f"{len(public)} headers, none pulls in the OS")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
