#!/usr/bin/env python3
"""Builds the canaries with one compiler, runs them, and compares with expectations.tsv.

usage: run_canaries.py COMPILER INCLUDE_DIRECTORY LIBRARY [--launcher CCACHE] [--flag FLAG]...

A difference either way is a failure: a compiler that was mended is to be noticed too. Every program
is built at -O0 and at -O2; what is miscompiled at either is. A compiler without a column in
expectations.tsv is skipped, with exit status 77.
"""
# SPDX-License-Identifier: MIT
import argparse
import concurrent.futures
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

FOLDER = pathlib.Path(__file__).resolve().parent
SKIPPED = 77
# What a trap is built with; the leaks of a program that was stopped in its middle do not matter.
SANITIZER = ["-O1", "-g", "-fsanitize=address", "-fno-omit-frame-pointer"]
ENVIRONMENT = {"ASAN_OPTIONS": "detect_leaks=0"}


class Build:
    """Compiles and links with one compiler against the library."""

    def __init__(self, arguments: argparse.Namespace, directory: pathlib.Path) -> None:
        self.compile = [*arguments.launcher, arguments.compiler, "-std=c++20", "-w"]
        self.compile += ["-I", arguments.include]
        library = pathlib.Path(arguments.library)
        self.link = [arguments.compiler]
        self.libraries = [str(library), f"-Wl,-rpath,{library.parent}", *arguments.flag]
        self.directory = directory

    def program(self, name: str, flags: list[str]) -> pathlib.Path | str:
        """The executable, or what the compiler says if it rejects the program."""
        executable = self.directory / (name + "".join(flags))
        object_file = executable.with_suffix(".o")
        source = FOLDER / f"{name}.cpp"
        command = [*self.compile, *flags, "-c", str(source), "-o", str(object_file)]
        result = subprocess.run(command, text=True, capture_output=True)
        if result.returncode != 0:
            return result.stderr
        command = [*self.link, *flags, str(object_file), *self.libraries, "-o", str(executable)]
        result = subprocess.run(command, text=True, capture_output=True)
        if result.returncode != 0:
            sys.exit(f"{name} cannot be linked:\n{result.stderr}")
        return executable


def compiler_name(compiler: str) -> str:
    """As in the first line of expectations.tsv: `g++ 12`, `clang 19`."""
    described = subprocess.run([compiler, "--version"], text=True, capture_output=True).stdout
    major = re.search(r"(\d+)\.\d+\.\d+", described)
    kind = "clang" if "clang" in described else "g++"
    return f"{kind} {major[1] if major else '?'}"


def run_cases(build: Build, program: str, level: str, expected: dict[str, str]) -> dict[str, str]:
    """What became of each case of a program."""
    executable = build.program(program, [level])
    if isinstance(executable, str):
        if "does not compile" not in expected.values():
            print(f"{program} {level}:\n{executable[:2000]}")
        return dict.fromkeys(expected, "does not compile")
    output = subprocess.run([executable], text=True, capture_output=True, timeout=120).stdout
    return dict(line.split(" ") for line in output.splitlines())


def run_traps(build: Build, expected: dict[str, str]) -> dict[str, str]:
    executable = build.program("traps", SANITIZER)
    if isinstance(executable, str):
        print(f"traps:\n{executable[:2000]}")
        return dict.fromkeys(expected, "does not compile")
    results = {}
    for case in expected:
        result = subprocess.run(
            [executable, case], text=True, capture_output=True, timeout=60, env=ENVIRONMENT
        )
        reported = "ERROR: AddressSanitizer" in result.stderr
        results[case] = "reported" if reported else "ok" if result.returncode == 0 else "failed"
    return results


def read_expectations(name: str) -> dict[str, dict[str, str]] | None:
    """What is expected of each case of each program; None if the compiler has no column."""
    lines = (FOLDER / "expectations.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    header = rows.pop(0)
    if name not in header:
        return None
    expected: dict[str, dict[str, str]] = {}
    for row in rows:
        result = row[header.index(name)]
        if result != "-":
            expected.setdefault(row[0], {})[row[1]] = result
    return expected


def worst(results: list[str]) -> str:
    """Of the same case at several levels of optimisation."""
    return next((result for result in results if result != "ok"), "ok")


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("compiler")
    parser.add_argument("include")
    parser.add_argument("library")
    parser.add_argument("--launcher", action="append", default=[])
    parser.add_argument("--flag", action="append", default=[])
    arguments = parser.parse_args()

    if shutil.which(arguments.compiler) is None:
        print(f"skipped: there is no {arguments.compiler}")
        return SKIPPED
    name = compiler_name(arguments.compiler)
    expected = read_expectations(name)
    if expected is None:
        print(f"skipped: expectations.tsv has no column for {name}")
        return SKIPPED

    levels = ("-O0", "-O2")
    jobs = [(program, level) for program in expected if program != "traps" for level in levels]
    actual: dict[str, dict[str, list[str]]] = {program: {} for program in expected}
    with (
        tempfile.TemporaryDirectory() as directory,
        concurrent.futures.ThreadPoolExecutor(2) as pool,
    ):
        build = Build(arguments, pathlib.Path(directory))
        runs = [pool.submit(run_cases, build, *job, expected[job[0]]) for job in jobs]
        if "traps" in expected:
            jobs.append(("traps", ""))
            runs.append(pool.submit(run_traps, build, expected["traps"]))
        for (program, _), run in zip(jobs, runs):
            for case, result in run.result().items():
                actual[program].setdefault(case, []).append(result)

    count = wrong = 0
    for program, cases in expected.items():
        for case in cases | actual[program]:
            results = actual[program].get(case, ["did not run"])
            expectation = cases.get(case, "no line in expectations.tsv")
            count += 1
            if worst(results) != expectation:
                wrong += 1
                shown = ", ".join(results)
                print(f"{name}: {program}: {case}: {shown}; expected: {expectation}")
    print(f"{name}: {count} cases, {wrong} not as expected")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
