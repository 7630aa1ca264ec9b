#!/usr/bin/env python3
"""Checks that every test of CPython's asyncio is accounted for.

usage: check_cases.py [--update]

cpython_tests.tsv lists the tests of CPython. For each of its files cpython_cases/FILE.md has a
table with a row for each test:

    | `Class.test` | `Suite.name`, pair `NN_name`, compile_fail `name` | why it cannot apply |

The second column names tests of this project, which must exist; where it is empty, the third must
say why. A first column with several names, comma between, is one test that CPython renamed.
cpython_cases.md has a line with counts for each file; --update writes these anew.
"""
# SPDX-License-Identifier: MIT
import pathlib
import re
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
TESTS = FOLDER.parent
PAGES = FOLDER / "cpython_cases"
INDEX = FOLDER / "cpython_cases.md"
ROW = re.compile(r"\| (`[^|]+`) \|([^|]*)\|([^|]*)\|")
NAME = re.compile(r"`(\w+\.\w+)`")
TEST = re.compile(r"(?:(pair|compile_fail) )?`([^`]+)`")
GOOGLE_TEST = re.compile(r"\b[A-Z_]*TEST(?:_[A-Z]+)?\(\s*(\w+),\s*(\w+)\)")
INDEX_ROW = re.compile(r"\| \[(\w+)\].*")


def read_names() -> dict[str, list[str]]:
    """The tests of CPython, by file."""
    lines = (FOLDER / "cpython_tests.tsv").read_text().splitlines()
    names: dict[str, list[str]] = {}
    for line in [line for line in lines if not line.startswith("#")][1:]:
        file, cls, test, *_versions = line.split("\t")
        names.setdefault(file, []).append(f"{cls}.{test}")
    return names


def find_tests() -> set[str]:
    """Every test of this project, as the pages name it."""
    tests = {f"pair {path.stem}" for path in (FOLDER / "pairs").glob("*.cpp")}
    tests |= {f"compile_fail {path.stem}" for path in (TESTS / "compile_fail").glob("*.cpp")}
    for path in TESTS.glob("*.cpp"):
        tests |= {".".join(match.groups()) for match in GOOGLE_TEST.finditer(path.read_text())}
    return tests


def check_page(page: str, names: list[str], tests: set[str]) -> tuple[list[str], int]:
    """What is wrong with a page, and how many of `names` it says are covered."""
    problems: list[str] = []
    found: list[str] = []
    covered = 0
    for line in page.splitlines():
        if not line.startswith("| `"):
            continue
        row = ROW.fullmatch(line)
        if not row:
            problems.append(f"not `| CPython | here | why not |`: {line}")
            continue
        here, reason = row[2].strip(), row[3].strip()
        row_names = NAME.findall(row[1])
        found += row_names
        if not row_names or ", ".join(f"`{name}`" for name in row_names) != row[1]:
            problems.append(f"not a list of `Class.test`: {row[1]}")
            continue
        if here:
            covered += len(row_names)
        elif not reason:
            problems.append(f"{row_names[0]}: neither a test nor a reason")
        for part in here.split(", ") if here else []:
            match = TEST.fullmatch(part)
            if not match:
                problems.append(f"{row_names[0]}: no name of a test: {part}")
            elif " ".join(filter(None, match.groups())) not in tests:
                problems.append(f"{row_names[0]}: there is no test {part}")

    problems += [f"{name}: no row" for name in names if name not in found]
    problems += [f"{name}: no test of CPython" for name in found if name not in names]
    problems += [f"{name}: two rows" for name in sorted(set(found)) if found.count(name) > 1]
    if not problems and found != names:
        problems.append("the rows are not in the order of cpython_tests.tsv")
    return problems, covered


def index_line(file: str, number: int, covered: int) -> str:
    return f"| [{file}](cpython_cases/{file}.md) | {number} | {covered} | {number - covered} |"


def check_index(lines: dict[str, str], update: bool) -> list[str]:
    """Compares the lines with counts, by file, with those of the index."""
    text = INDEX.read_text().splitlines()
    start = text.index("| --- | --- | --- | --- |") + 1
    there = [line for line in text[start:] if INDEX_ROW.fullmatch(line)]
    if update:
        text[start : start + len(there)] = list(lines.values())
        INDEX.write_text("\n".join(text) + "\n")
    elif there != list(lines.values()):
        return ["cpython_cases.md: the counts are not true; --update writes them"]
    return []


def self_test() -> list[str]:
    """That each mistake on a page is noticed, and a page without any is not."""
    good = "| `A.x` | `Suite.one`, pair `01_two` | |\n| `A.y`, `B.y` | | mocks |"
    cases = {
        good: "",
        good.replace("`A.y`, ", ""): "A.y: no row",
        good.replace("`A.x`", "`A.z`"): "A.z: no test of CPython",
        good + "\n| `A.x` | | mocks |": "A.x: two rows",
        good.replace("Suite.one", "Suite.gone"): "A.x: there is no test `Suite.gone`",
        good.replace("01_two", "02_two"): "A.x: there is no test pair `02_two`",
        good.replace(", pair", " and"): "A.x: no name of a test",
        good.replace("mocks", ""): "A.y: neither a test nor a reason",
        good.replace("`A.y`, ", "`A.y` and "): "not a list of `Class.test`",
        good.replace("| mocks |", "|"): "not `| CPython | here | why not |`",
        "\n".join(reversed(good.splitlines())): "not in the order",
    }
    problems = []
    for page, expected in cases.items():
        found, covered = check_page(page, ["A.x", "A.y", "B.y"], {"Suite.one", "pair 01_two"})
        if expected not in "\n".join(found) or bool(found) != bool(expected):
            problems.append(f"the self-test: for\n{page}\nexpected: {expected}\nfound: {found}")
        if not found and covered != 1:
            problems.append(f"the self-test: {covered} are covered, not one")
    return problems


def main() -> int:
    update = sys.argv[1:] == ["--update"]
    problems = self_test()
    names = read_names()
    tests = find_tests()
    lines: dict[str, str] = {}
    for file, file_names in names.items():
        path = PAGES / f"{file}.md"
        page = path.read_text() if path.exists() else ""
        found, covered = check_page(page, file_names, tests)
        problems += [f"{file} {problem}" for problem in found]
        lines[file] = index_line(file, len(file_names), covered)
    problems += [
        f"{path.name}: no file of cpython_tests.tsv"
        for path in sorted(PAGES.glob("*.md"))
        if path.stem not in names
    ]
    problems += check_index(lines, update)

    total = sum(len(file_names) for file_names in names.values())
    print("\n".join(problems) or f"{total} tests of CPython are accounted for")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
