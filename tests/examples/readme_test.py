#!/usr/bin/env python3
"""The program in README.md is examples/shout.cpp, which is compiled and run; the links lead somewhere.

usage: readme_test.py ROOT
"""
# SPDX-License-Identifier: MIT
import pathlib
import re
import sys


def program_of(readme: str) -> str:
    return re.search(r"```cpp\n(.*?)```", readme, re.DOTALL)[1]


def without_header(source: str) -> str:
    """Without the comment at the beginning of the file."""
    return re.sub(r"\A(//.*\n)+", "", source)


def broken_links(path: pathlib.Path) -> list[str]:
    prose = re.sub(r"```.*?```|`[^`]*`", "", path.read_text(), flags=re.DOTALL)
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", prose)
    return [f"{path}: {link}: no such file" for link in links if not (path.parent / link).exists()]


def main() -> int:
    root = pathlib.Path(sys.argv[1])
    problems = []
    if program_of((root / "README.md").read_text()) != without_header(
            (root / "examples/shout.cpp").read_text()):
        problems.append("README.md: the program is not examples/shout.cpp")
    documents = [*root.glob("*.md"), *root.glob("docs/**/*.md")]
    for document in documents:
        problems += broken_links(document)
    print("\n".join(problems) or f"{len(documents)} documents are well")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
