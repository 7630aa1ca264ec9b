#!/usr/bin/env python3
"""tools/check_tutorial.py finds what is wrong with a tutorial, and mends what it can.

usage: check_tutorial_test.py ROOT
"""
# SPDX-License-Identifier: MIT
import pathlib
import subprocess
import sys
import tempfile
import unittest

CHECK = pathlib.Path(sys.argv.pop(1)) / "tools/check_tutorial.py"
PROGRAM = "int main() {\n    // [say]\n    say();\n    // [/say]\n}\n"
TWIN = "# [say]\nsay()\n# [/say]\n"
PAGE = """<!-- 01_a.cpp: say -->
```cpp
say();
```

<!-- 01_a.py: say -->
```python
say()
```

<!-- 01_a.expected: part -->
```text
said
```
"""


class Tutorial(unittest.TestCase):
    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.root = pathlib.Path(directory.name)
        self.write("examples/tutorial/01_a.cpp", PROGRAM)
        self.write("examples/tutorial/01_a.py", TWIN)
        self.write("examples/tutorial/01_a.expected", "-- part\nsaid\n-- other\nmore\n")
        self.write("docs/tutorial/01_a.md", PAGE)
        self.write("docs/tutorial/README.md", "[one](01_a.md)\n")

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def page(self) -> str:
        return (self.root / "docs/tutorial/01_a.md").read_text()

    def check(self, *options: str) -> tuple[int, str]:
        result = subprocess.run([sys.executable, CHECK, *options, self.root],
                                capture_output=True, text=True)
        return result.returncode, result.stdout + result.stderr

    def expect_problem(self, words: str) -> None:
        status, output = self.check()
        self.assertEqual(status, 1, output)
        self.assertIn(words, output)

    def test_takes_a_page_that_shows_the_code(self) -> None:
        self.assertEqual(self.check(), (0, "1 pages show what is built and run\n"))

    def test_finds_code_that_has_changed_and_writes_it_anew(self) -> None:
        self.write("examples/tutorial/01_a.cpp", PROGRAM.replace("say();", "shout();"))
        self.expect_problem("01_a.md:1: differs from 01_a.cpp: say")
        self.assertEqual(self.check("--update")[0], 0)
        self.assertEqual(self.page(), PAGE.replace("say();", "shout();"))
        self.assertEqual(self.check()[0], 0)

    def test_finds_output_that_has_changed(self) -> None:
        self.write("examples/tutorial/01_a.expected", "-- part\nsaid it\n")
        self.expect_problem("differs from 01_a.expected: part")

    def test_finds_a_block_that_is_of_no_example(self) -> None:
        self.write("docs/tutorial/01_a.md", PAGE + "\n```cpp\nmade_up();\n```\n")
        self.expect_problem("a block that is of no example")

    def test_finds_a_region_that_is_not_there(self) -> None:
        self.write("docs/tutorial/01_a.md", PAGE.replace("cpp: say", "cpp: sing"))
        self.expect_problem("01_a.cpp: has no region sing")

    def test_finds_a_region_that_is_in_no_page(self) -> None:
        self.write("examples/tutorial/01_a.py", TWIN + "# [more]\n# [/more]\n")
        self.expect_problem("01_a.py: [more] is in no page")

    def test_finds_a_region_without_an_end(self) -> None:
        self.write("examples/tutorial/01_a.py", TWIN + "# [more]\n")
        self.expect_problem("[more] has no end")

    def test_finds_an_example_without_a_twin_or_a_page(self) -> None:
        self.write("examples/tutorial/02_b.cpp", "int main() {}\n")
        self.expect_problem("02_b.cpp: there is no 02_b.py")
        self.expect_problem("02_b.cpp: there is no 02_b.md")

    def test_finds_a_page_that_is_not_in_the_index(self) -> None:
        self.write("docs/tutorial/README.md", "nothing\n")
        self.expect_problem("does not name 01_a.md")


if __name__ == "__main__":
    unittest.main()
