#!/usr/bin/env python3
"""Checks that each test that docs/reliability.md names exists, and that no line of it is empty."""
# SPDX-License-Identifier: MIT
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TEST = re.compile(r"\b[A-Z_]*TEST[A-Z_]*\(\s*(\w+),\s*(\w+)\s*[,)]")
PROMISE = re.compile(r'\{"(\w+)",\s*&ProactorContract::\1\}')  # tested by name in proactor_test
LINE = re.compile(r"^\| ([A-Z]\d+) \| ([^|]+) \| ([^|]*) \| (.*) \|$", re.M)
NAMED = re.compile(r"(\w+_test): (\w+)\.(\w+)")


def tests() -> set[tuple[str, str, str]]:
    written = {(path.stem, *match.groups())
               for path in (ROOT / "tests").glob("*_test.cpp")
               for match in TEST.finditer(path.read_text())}
    promised = {("proactor_test", "ProactorContract", match.group(1))
                for path in (ROOT / "src/testing").glob("proactor_contract_*.cpp")
                for match in PROMISE.finditer(path.read_text())}
    return written | promised


def main() -> int:
    there, problems, count = tests(), [], 0
    lines = LINE.findall((ROOT / "docs/reliability.md").read_text())
    for line, _, _, cell in lines:
        named = NAMED.findall(cell)
        count += len(named)
        problems += [f"{line}: there is no {'.'.join(name[1:])} in tests/{name[0]}.cpp"
                     for name in named if name not in there]
        if not named and "not apply" not in cell and "not yet" not in cell:
            problems.append(f"{line}: neither a test nor a reason")
    if not lines or not count:
        problems.append("docs/reliability.md has no table")
    print("\n".join(problems) if problems else f"{len(lines)} lines, {count} tests")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
