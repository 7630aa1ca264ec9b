#!/usr/bin/env python3
"""Measures what including the library costs: CPU seconds to compile, and lines after preprocessing.

    compile_time.py [--rounds 5] [--compilers g++,clang++-19] [--json FILE] [PROGRAM.cpp...]
    compile_time.py --check lines.json       fails if something has grown by more than 10 %
    compile_time.py --store lines.json       writes the numbers that --check compares with

The programs, by default examples/hello.cpp and examples/echo_server.cpp, are compiled (not linked)
at -O0 and -O2 beside one that includes only standard headers, in interleaved rounds. Seconds depend
on the machine and are reported; lines depend only on the compiler and are checked. `--check` and
`--store` use the first compiler.

SPDX-License-Identifier: MIT
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
INCLUDE = ROOT / "include"
BASELINE = HERE / "std_headers.cpp"
PROGRAMS = [ROOT / "examples" / "hello.cpp", ROOT / "examples" / "echo_server.cpp"]
LEVELS = ["-O0", "-O2"]
ALLOWED_GROWTH = 1.10


def flags(extra):
    return ["-std=c++20", f"-I{INCLUDE}", *extra]


def compile_seconds(compiler, level, source, extra):
    """CPU seconds, user and system, of one compilation with everything it starts."""
    with tempfile.TemporaryDirectory() as directory:
        child = subprocess.Popen([compiler, level, *flags(extra), "-c", str(source),
                                  "-o", f"{directory}/out.o"])
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        sys.exit(f"{compiler} {level} {source} failed")
    return usage.ru_utime + usage.ru_stime


def preprocessed_lines(compiler, source, extra, text=None):
    """Lines of code that the compiler sees: without blank lines and line markers."""
    command = [compiler, *flags(extra), "-E", "-x", "c++", str(source)]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, input=text, text=True)
    return sum(1 for line in output.stdout.splitlines()
               if line.strip() and not line.startswith("#"))


def public_headers():
    """Every header a program may include by name, as it would write it."""
    headers = sorted(header.relative_to(INCLUDE) for header in INCLUDE.rglob("*.hpp"))
    return [str(header) for header in headers if "detail" not in header.parts]


def count_lines(compiler, sources, extra):
    """{"asyncio/locks.hpp": lines, ..., "hello.cpp": lines, ...}"""
    lines = {source.name: preprocessed_lines(compiler, source, extra) for source in sources}
    for header in public_headers():
        lines[header] = preprocessed_lines(compiler, "-", extra, f"#include <{header}>\n")
    return lines


def time_all(compilers, sources, rounds, extra):
    """One row per program, compiler and level."""
    cases = [(compiler, level, source)
             for compiler in compilers for level in LEVELS for source in sources]
    seconds = {case: [] for case in cases}
    for number in range(rounds):
        for case in cases:
            seconds[case].append(compile_seconds(*case, extra))
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    rows = []
    for compiler, level, source in cases:
        mine = seconds[compiler, level, source]
        base = seconds[compiler, level, BASELINE]
        rows.append({
            "program": source.name, "compiler": compiler, "level": level,
            "median": statistics.median(mine), "best": min(mine), "rounds": rounds,
            "ratio": statistics.median(own / other for own, other in zip(mine, base)),
        })
    return rows


def print_report(rows, lines):
    if rows:
        print("| program | compiler | CPU seconds, median (best) | times the standard headers |")
        print("| --- | --- | ---: | ---: |")
        for row in rows:
            print(f"| {row['program']} | {row['compiler']} {row['level']} "
                  f"| {row['median']:.2f} ({row['best']:.2f}) | {row['ratio']:.2f} |")
        print()
    print("| file | lines after preprocessing |")
    print("| --- | ---: |")
    for name, count in lines.items():
        print(f"| {name} | {count} |")


def check(lines, file):
    """Prints what differs too much from the stored lines; true if nothing does."""
    stored = json.loads(pathlib.Path(file).read_text(encoding="utf-8"))
    problems = []
    for name, count in lines.items():
        if name not in stored:
            problems.append(f"{name}: {count} lines, and no number is stored")
        elif count > stored[name] * ALLOWED_GROWTH:
            problems.append(f"{name}: {count} lines, stored are {stored[name]}")
    problems += [f"{name}: stored, but there is no such file" for name in stored.keys() - lines]
    for problem in sorted(problems):
        print(problem)
    if problems:
        print(f"If that is meant, store the new numbers: {sys.argv[0]} --store {file}")
    else:
        print(f"{len(lines)} files, none has grown by more than {ALLOWED_GROWTH - 1:.0%}")
    return not problems


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("programs", nargs="*", type=pathlib.Path,
                        help="default: examples/hello.cpp and examples/echo_server.cpp")
    parser.add_argument("--rounds", type=int, default=5, help="0: only lines")
    parser.add_argument("--compilers", default="g++,clang++-19", help="default: %(default)s")
    parser.add_argument("--flag", action="append", default=[], metavar="FLAG",
                        help="one more compiler flag, as in --flag=-DX; may be repeated")
    parser.add_argument("--json", metavar="FILE", help="also write the numbers there")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--check", metavar="FILE")
    action.add_argument("--store", metavar="FILE")
    arguments = parser.parse_args()

    compilers = arguments.compilers.split(",")
    sources = [BASELINE, *(arguments.programs or PROGRAMS)]
    lines = count_lines(compilers[0], sources, arguments.flag)
    if arguments.check:
        sys.exit(0 if check(lines, arguments.check) else 1)
    if arguments.store:
        pathlib.Path(arguments.store).write_text(json.dumps(lines, indent=1) + "\n",
                                                 encoding="utf-8")
        return
    rows = []
    if arguments.rounds:
        rows = time_all(compilers, sources, arguments.rounds, arguments.flag)
    print_report(rows, lines)
    if arguments.json:
        pathlib.Path(arguments.json).write_text(
            json.dumps({"seconds": rows, "lines": lines}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
