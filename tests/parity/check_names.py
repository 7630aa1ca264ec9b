#!/usr/bin/env python3
"""Checks docs/parity.md against names.tsv and against the headers.

usage: check_names.py COMPILER INCLUDE_DIRECTORY [--update]

Every name of names.tsv has a row in docs/parity.md, whose status is one of

    there     its probe compiles, and nothing is said to differ
    differs   its probe compiles, and the last column says what differs
    not yet   its probe does not compile
    left out  the same, on purpose, and the last column says why

--update sets the statuses to what the compiler says.
"""
# SPDX-License-Identifier: MIT
import argparse
import pathlib
import re
import subprocess
import sys

FOLDER = pathlib.Path(__file__).resolve().parent
PAGE = FOLDER.parent.parent / "docs" / "parity.md"
STATUSES = ("there", "differs", "not yet", "left out")
ROW = re.compile(r"\| `([^`]+)` \| (.+?) \| ([^|]+?) \|(?: (.+?))? \|")

# What the probes use: an object of any type, and a coroutine or two.
PRELUDE = """
using namespace asyncio;
using namespace std::chrono_literals;
template <class T> T the();
Coroutine<int> work();
Coroutine<int> work_of(int);
Coroutine<> chores();
#if __has_include(<asyncio/streams.hpp>)
Coroutine<> handler(StreamReader, StreamWriter);
#endif
"""


def read_names() -> dict[str, str]:
    """The probe of each `module name`."""
    lines = (FOLDER / "names.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")][1:]
    return {f"{module} {name}": probe for module, name, _kind, probe in rows}


def read_page(problems: list[str]) -> dict[str, str]:
    """The status of each `module name` with a row in a table of docs/parity.md."""
    statuses: dict[str, str] = {}
    module = ""
    for line in PAGE.read_text().splitlines():
        if line.startswith("## "):
            module = line[3:]
        elif line.startswith("| `"):
            match = ROW.fullmatch(line)
            if not match:
                problems.append(f"not `| Python | C++ | status | what differs |`: {line}")
                continue
            name, _ours, status, difference = match.groups()
            key = f"{module} {name}"
            if key in statuses:
                problems.append(f"{key}: two rows")
            if status not in STATUSES:
                problems.append(f"{key}: `{status}` is not one of: {', '.join(STATUSES)}")
            if status == "differs" and not difference:
                problems.append(f"{key}: what differs?")
            if status == "left out" and not difference:
                problems.append(f"{key}: why is it left out?")
            if status == "there" and difference:
                problems.append(f"{key}: is there, but `{difference}` differs?")
            statuses[key] = status
    return statuses


def compile_probes(compiler: str, include: str, names: dict[str, str]) -> dict[str, str]:
    """The probes that do not compile, and the compiler's messages. All are one program, in which
    `#line` gives each a file of its own, so that a message tells whose it is."""
    headers = sorted(path.name for path in pathlib.Path(include, "asyncio").glob("*.hpp"))
    program = [f"#include <asyncio/{name}>" for name in headers]
    program.append(PRELUDE)
    for number, probe in enumerate(names.values()):
        statement = probe if probe.endswith(";") else f"static_cast<void>(({probe}));"
        program.append(f'#line 1 "probe/{number}"\nvoid probe_{number}() {{ {statement} }}')
    command = [compiler, "-std=c++20", "-fsyntax-only", "-w", "-I", include, "-x", "c++", "-"]
    command.append("-ferror-limit=0" if "clang" in compiler else "-fmax-errors=0")
    result = subprocess.run(command, text=True, capture_output=True, input="\n".join(program))

    failing: dict[str, str] = {}
    for number, key in enumerate(names):
        lines = [line for line in result.stderr.splitlines() if f"probe/{number}:" in line]
        if lines:
            failing[key] = "\n".join(f"    {line}" for line in lines)
    if result.returncode != 0 and not failing:
        sys.exit(f"the headers do not compile:\n{result.stderr}")
    return failing


def update(compiler: str, include: str, names: dict[str, str]) -> None:
    """Writes the status of each row anew."""
    failing = compile_probes(compiler, include, names)
    lines = PAGE.read_text().splitlines()
    module = ""
    for number, line in enumerate(lines):
        if line.startswith("## "):
            module = line[3:]
        elif match := ROW.fullmatch(line):
            works = "differs" if match[4] else "there"
            lacks = "left out" if match[3] == "left out" else "not yet"
            status = lacks if f"{module} {match[1]}" in failing else works
            lines[number] = line[: match.start(3)] + status + line[match.end(3) :]
    PAGE.write_text("\n".join(lines) + "\n")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("compiler")
    parser.add_argument("include")
    parser.add_argument("--update", action="store_true")
    arguments = parser.parse_args()
    compiler, include = arguments.compiler, arguments.include

    names = read_names()
    if arguments.update:
        update(compiler, include, names)
    problems: list[str] = []
    statuses = read_page(problems)
    problems += [f"{key}: no row in docs/parity.md" for key in names if key not in statuses]
    problems += [f"{key}: no name of asyncio" for key in statuses if key not in names]

    there = {key: probe for key, probe in names.items() if statuses.get(key) in STATUSES[:2]}
    for key, messages in compile_probes(compiler, include, there).items():
        problems.append(f"{key}: its probe does not compile: {names[key]}\n{messages}")
    absent = {key: probe for key, probe in names.items() if statuses.get(key) in STATUSES[2:]}
    failing = compile_probes(compiler, include, absent)
    for key in sorted(absent.keys() - failing.keys()):
        problems.append(f"{key}: is {statuses[key]}, but this compiles: {names[key]}")

    left_out = sum(statuses.get(key) == "left out" for key in absent)
    counts = f"{len(there)} names are there, {len(absent) - left_out} not yet, {left_out} left out"
    print("\n".join(problems) or counts)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
