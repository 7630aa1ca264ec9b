#!/usr/bin/env python3
"""Checks that the code in docs/tutorial is that of examples/tutorial, which is built and run.

usage: check_tutorial.py [--update] [ROOT]

In a page the line before a block says what the block is; --update writes it anew:

    <!-- 02_tasks.cpp: lazy -->         between `// [lazy]` and `// [/lazy]` (in Python: `# [lazy]`)
    <!-- 02_tasks.expected: lazy -->    what is printed after the line `-- lazy`
    <!-- 02_tasks.expected -->          all that is printed

A page without a program of its own, compilers.md, is not looked at: tests/compilers tests it.
"""
# SPDX-License-Identifier: MIT
import pathlib
import re
import sys
import textwrap

BLOCK = re.compile(r"^(?P<source><!-- .*? -->\n)?(?P<fence>```.*\n)(?P<code>(?:.*\n)*?)```$", re.M)
SOURCE = re.compile(r"<!-- (?P<file>[\w.]+)(?:: (?P<region>\w+))? -->")
MARK = re.compile(r"^\s*(?://|#) \[(/?)(\w+)\]$")
LANGUAGE = {".cpp": "cpp", ".py": "python", ".expected": "text"}
OTHER_PAGES = {"README.md", "compilers.md"}


class Wrong(Exception):
    """What is wrong with a page or an example."""


def regions_of_code(text: str) -> dict[str, str]:
    """The regions of a source file, which may overlap; the marks are in none of them."""
    open_regions: dict[str, list[str]] = {}
    closed: dict[str, str] = {}
    for line in text.splitlines():
        mark = MARK.match(line)
        if mark is None:
            for lines in open_regions.values():
                lines.append(line)
        elif mark[1]:
            if mark[2] not in open_regions:
                raise Wrong(f"[/{mark[2]}] ends what was not begun")
            code = textwrap.dedent("\n".join(open_regions.pop(mark[2])) + "\n")
            closed[mark[2]] = code.strip("\n") + "\n"
        elif mark[2] in open_regions or mark[2] in closed:
            raise Wrong(f"[{mark[2]}] is begun twice")
        else:
            open_regions[mark[2]] = []
    if open_regions:
        raise Wrong(f"[{next(iter(open_regions))}] has no end")
    return closed


def regions_of_output(text: str) -> dict[str, str]:
    parts = re.split(r"^-- (\w+)\n", text, flags=re.M)
    return dict(zip(parts[1::2], parts[2::2]))


def code_of(source: str, examples: pathlib.Path, used: set[tuple[str, str]]) -> tuple[str, str]:
    """The first line of the block, and what is in it."""
    match = SOURCE.fullmatch(source.strip())
    if match is None:
        raise Wrong(f"{source.strip()}: names no file of the examples")
    path = examples / match["file"]
    if not path.exists() or path.suffix not in LANGUAGE:
        raise Wrong(f"{match['file']}: no such example")
    text = path.read_text()
    is_output = path.suffix == ".expected"
    if match["region"] is not None:
        regions = regions_of_output(text) if is_output else regions_of_code(text)
        if match["region"] not in regions:
            raise Wrong(f"{path.name}: has no region {match['region']}")
        used.add((path.name, match["region"]))
        text = regions[match["region"]]
    elif not is_output:
        raise Wrong(f"{path.name}: which region?")
    return f"```{LANGUAGE[path.suffix]}\n", text


def check_page(page: pathlib.Path, examples: pathlib.Path, update: bool,
               used: set[tuple[str, str]]) -> list[str]:
    problems: list[str] = []
    text = page.read_text()

    def check_block(block: re.Match) -> str:
        line = text.count("\n", 0, block.start()) + 1
        try:
            if block["source"] is None:
                raise Wrong("a block that is of no example")
            fence, code = code_of(block["source"], examples, used)
        except Wrong as problem:
            problems.append(f"{page.name}:{line}: {problem}")
            return block[0]
        if not update and (fence, code) != (block["fence"], block["code"]):
            problems.append(f"{page.name}:{line}: differs from {block['source'].strip()[5:-4]}")
        return f"{block['source']}{fence}{code}```"

    updated = BLOCK.sub(check_block, text)
    if updated != text and update:
        page.write_text(updated)
    return problems


def check_examples(examples: pathlib.Path, pages: pathlib.Path,
                   used: set[tuple[str, str]]) -> list[str]:
    """Each has a page of its name, both halves and their output; no region is there in vain."""
    problems = []
    for path in sorted(examples.iterdir()):
        if path.suffix not in LANGUAGE:
            continue
        for other in (*(path.with_suffix(suffix) for suffix in LANGUAGE),
                      pages / f"{path.stem}.md"):
            if not other.exists():
                problems.append(f"{path.name}: there is no {other.name}")
        if path.suffix != ".expected":
            try:
                regions = regions_of_code(path.read_text())
            except Wrong as problem:
                problems.append(f"{path.name}: {problem}")
                continue
            problems += [f"{path.name}: [{region}] is in no page" for region in regions
                         if (path.name, region) not in used]
    return problems


def main() -> int:
    arguments = sys.argv[1:]
    update = "--update" in arguments
    roots = [pathlib.Path(argument) for argument in arguments if argument != "--update"]
    root = roots[0] if roots else pathlib.Path(__file__).resolve().parent.parent
    examples, pages = root / "examples/tutorial", root / "docs/tutorial"

    used: set[tuple[str, str]] = set()
    chapters = [page for page in sorted(pages.glob("*.md")) if page.name not in OTHER_PAGES]
    problems = [problem for page in chapters
                for problem in check_page(page, examples, update, used)]
    problems += check_examples(examples, pages, used)
    index = (pages / "README.md").read_text()
    problems += [f"README.md: does not name {page.name}" for page in pages.glob("*.md")
                 if page.name != "README.md" and f"]({page.name})" not in index]
    print("\n".join(problems) or f"{len(chapters)} pages show what is built and run")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
