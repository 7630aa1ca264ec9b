#!/usr/bin/env python3
"""Runs `asyncio compare` and looks at what it prints and writes.

usage: compare_test.py EXECUTABLE VERSION [TestCase...]
"""
# SPDX-License-Identifier: MIT
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

COMMAND = ""
VERSION = ""

SECONDS = 250  # for a quick comparison on a busy machine
MODELS = ["asyncio", "threads", "processes"]
ROWS = ["best_suited", "execution_model", "context_switch", "start", "parallelism", "memory",
        "synchronisation", "determinism"]


def asyncio(*arguments: str, **options) -> subprocess.CompletedProcess:
    return subprocess.run([COMMAND, *arguments], text=True, timeout=SECONDS,
                          stdin=subprocess.DEVNULL, **{"capture_output": True, **options})


class Compare(unittest.TestCase):
    """A comparison that was made once, in all its forms."""

    maxDiff = None

    @classmethod
    def setUpClass(cls) -> None:
        cls.directory = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.page_path = pathlib.Path(cls.directory, "page.html")
        cls.result = asyncio("compare", "--quick", "--json", "--html", str(cls.page_path))
        assert cls.result.returncode == 0, cls.result
        cls.json = json.loads(cls.result.stdout)
        cls.page = cls.page_path.read_text()

    def test_has_a_key_for_each_column_and_row(self) -> None:
        for model in MODELS:
            self.assertEqual(list(self.json[model]), ROWS)
        for row in ROWS:
            cells = self.json[row]
            self.assertEqual(list(cells), ["title", "unit", "method", *MODELS])
            self.assertGreater(len(cells["method"]), 40)

    def test_columns_have_the_values_of_the_rows(self) -> None:
        for model in MODELS:
            for row, value in self.json[model].items():
                cell = dict(self.json[row][model])
                self.assertTrue(cell.pop("text"))
                self.assertEqual(value, cell.get("value", cell))

    def test_what_is_measured_is_greater_than_nothing(self) -> None:
        for model in MODELS:
            column = self.json[model]
            for row in ("context_switch", "start", "parallelism", "memory"):
                self.assertGreater(column[row], 0, (model, row))
            for fact in ("lock_hand_over", "message"):
                self.assertGreater(column["synchronisation"][fact], 0, (model, fact))
            self.assertEqual(column["determinism"]["deterministic"],
                             column["determinism"]["distinct_traces"] == 1)

    def test_a_median_is_between_the_extremes(self) -> None:
        for row in ("context_switch", "start"):
            for model in MODELS:
                cell = self.json[row][model]
                self.assertLessEqual(cell["lowest"], cell["value"])
                self.assertLessEqual(cell["value"], cell["highest"])

    def test_tasks_are_what_they_are_said_to_be(self) -> None:
        asyncio, threads, processes = (self.json[model] for model in MODELS)
        self.assertEqual(asyncio["execution_model"], "cooperative")
        self.assertEqual(threads["execution_model"], "preemptive")
        self.assertEqual(processes["execution_model"], "preemptive")
        self.assertTrue(asyncio["determinism"]["deterministic"])
        # An order of magnitude apart where nothing disturbs, and so surely in this order.
        self.assertLess(asyncio["context_switch"], threads["context_switch"])
        self.assertLess(asyncio["start"], threads["start"])
        self.assertLess(asyncio["start"], processes["start"])

    def test_units_run_where_they_should(self) -> None:
        cells = self.json["execution_model"]
        where = [(cells[model]["threads_of_a_process"], cells[model]["processes"])
                 for model in MODELS]
        self.assertEqual(where[0], (1, 1))
        self.assertEqual(where[2], (1, 8))
        self.assertEqual(where[1][1], 1)
        self.assertGreaterEqual(where[1][0], 8)  # and those of a sanitizer

    def test_jobs_have_a_time_for_each_number_of_units(self) -> None:
        for job in ("io_bound", "cpu_bound"):
            for model in MODELS:
                points = self.json["jobs"][job][model]
                counts = [point["units"] for point in points]
                self.assertGreater(len(counts), 1)
                self.assertEqual(counts, sorted(set(counts)))
                self.assertTrue(all(point["seconds"] > 0 for point in points), points)
        # Two rounds of twice five milliseconds.
        for model in MODELS:
            for point in self.json["jobs"]["io_bound"][model]:
                self.assertGreater(point["seconds"], 0.02)

    def test_the_conclusion_follows_from_the_times(self) -> None:
        for job, word in (("io_bound", "I/O-bound"), ("cpu_bound", "CPU-bound")):
            cells = self.json["best_suited"]
            seconds = {model: cells[model][f"{job}_seconds"] for model in MODELS}
            for model in MODELS:
                ratio = seconds[model] / min(seconds.values())
                self.assertAlmostEqual(ratio, cells[model][f"{job}_ratio"])
                self.assertEqual(word in cells[model]["value"], ratio <= 1.25, cells[model])
            times = [point["seconds"] for model in MODELS
                     for point in self.json["jobs"][job][model]]
            self.assertTrue(set(seconds.values()) <= set(times))

    def test_says_what_it_was_measured_on(self) -> None:
        self.assertEqual(self.json["machine"]["processors"], len(os.sched_getaffinity(0)))
        self.assertEqual(self.json["version"], VERSION)
        self.assertIs(self.json["quick"], True)
        self.assertGreater(self.json["seconds"], 0)

    def test_tells_of_its_progress_on_standard_error(self) -> None:
        lines = self.result.stderr.splitlines()
        steps = [re.fullmatch(r"asyncio compare: (\d+) of (\d+): (.+)", line) for line in lines]
        self.assertTrue(all(steps), self.result.stderr)
        self.assertEqual([int(step[1]) for step in steps], list(range(1, len(lines) + 1)))
        self.assertEqual({int(step[2]) for step in steps}, {len(lines)})

    def test_page_is_well_formed_and_needs_nothing_else(self) -> None:
        xml.etree.ElementTree.fromstring(self.page.replace("<!DOCTYPE html>", ""))
        for word in ("http:", "https:", "<script", "<img", "url(", "@import", "nan", "inf\""):
            self.assertNotIn(word, self.page)

    def test_page_has_each_cell(self) -> None:
        for row in ROWS:
            for model in MODELS:
                self.assertIn(f"<td>{self.json[row][model]['text']}</td>", self.page)

    def test_page_has_a_bar_for_each_number_and_a_point_for_each_time(self) -> None:
        root = xml.etree.ElementTree.fromstring(self.page.replace("<!DOCTYPE html>", ""))
        charts = root.findall(".//svg")
        self.assertEqual(len(charts), 8)
        for chart in charts:
            self.assertTrue(chart.get("aria-label"))
            self.assertTrue(chart.findtext("title"))
        for chart in charts[:6]:
            bars = [rect for rect in chart.iter("rect") if "bar" in rect.get("class")]
            self.assertEqual([bar.get("class") for bar in bars],
                             [f"bar {model}" for model in MODELS])
            self.assertTrue(all(0 < float(bar.get("width")) < 300 for bar in bars))
        for chart, job in zip(charts[6:], ("io_bound", "cpu_bound")):
            for model in MODELS:
                points = self.json["jobs"][job][model]
                curve = chart.find(f"polyline[@class='curve {model}']").get("points").split()
                self.assertEqual(len(curve), len(points))
                for place in curve:
                    x, y = map(float, place.split(","))
                    self.assertTrue(63 <= x <= 625 and 35 <= y <= 313, place)

    def test_longer_bars_are_of_larger_numbers(self) -> None:
        root = xml.etree.ElementTree.fromstring(self.page.replace("<!DOCTYPE html>", ""))
        charts = dict(zip(("context_switch", "start", "memory", "parallelism"),
                          root.findall(".//svg")))
        for row, chart in charts.items():
            widths = [float(rect.get("width")) for rect in chart.iter("rect")]
            values = [self.json[model][row] for model in MODELS]
            order = sorted(range(3), key=values.__getitem__)
            self.assertEqual([widths[i] for i in order], sorted(widths), row)


class CommandLine(unittest.TestCase):
    """What the command says to those who call it otherwise."""

    def check_refused(self, status: int, word: str, *arguments: str) -> None:
        result = asyncio(*arguments)
        self.assertEqual(result.returncode, status, result)
        self.assertEqual(result.stdout, "")
        self.assertTrue(result.stderr.startswith("asyncio: "), result.stderr)
        self.assertIn(word, result.stderr)

    def test_what_is_unknown_is_refused(self) -> None:
        self.check_refused(2, "--fast", "compare", "--fast")
        self.check_refused(2, "contrast", "contrast")
        self.check_refused(2, "subcommand")
        self.check_refused(2, "--html", "compare", "--html")

    def test_a_page_that_cannot_be_written_is_known_at_once(self) -> None:
        for path in ("/no/such/directory/page.html", "/proc/page.html", "/"):
            self.check_refused(1, path, "compare", "--quick", "--html", path)

    def test_help_and_version(self) -> None:
        for arguments, word in ((("--help",), "compare"), (("compare", "--help"), "--html"),
                                (("--version",), VERSION)):
            result = asyncio(*arguments)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            self.assertIn(word, result.stdout)

    def test_table_has_all_rows(self) -> None:
        result = asyncio("compare", "--quick")
        self.assertEqual(result.returncode, 0, result)
        lines = result.stdout.splitlines()
        self.assertEqual(lines[0].split(), MODELS)
        titles = [re.split(r" {2,}", line)[0] for line in lines[1:9]]
        self.assertEqual([title.split(" (")[0] for title in titles],
                         ["best suited for", "execution model of 8 units", "context switch",
                          "start of a unit", "parallelism", "memory per unit", "synchronisation",
                          "determinism"])
        for line in lines[1:9]:
            self.assertEqual(len(re.split(r" {2,}", line)), 4, line)

    def test_nothing_is_left_behind_when_it_is_killed(self) -> None:
        for moment in ("CPU-bound job, 8 processes", "I/O-bound job, 50 threads",
                       "memory per unit, processes"):
            command = subprocess.Popen([COMMAND, "compare", "--quick", "--json"], text=True,
                                       stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE)
            for line in command.stderr:
                if moment in line:
                    break
            command.kill()
            # Its children have its standard error: the end of that comes with theirs.
            self.assertEqual(command.communicate(timeout=SECONDS)[0], "")

    def test_an_output_that_is_full_is_an_error(self) -> None:
        with open("/dev/full", "w") as full:
            result = asyncio("compare", "--quick", "--json", capture_output=False, stdout=full,
                             stderr=subprocess.PIPE)
        self.assertEqual(result.returncode, 1)
        self.assertIn("standard output could not be written", result.stderr)


if __name__ == "__main__":
    COMMAND, VERSION = sys.argv.pop(1), sys.argv.pop(1)
    unittest.main()
