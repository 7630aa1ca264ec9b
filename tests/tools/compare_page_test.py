#!/usr/bin/env python3
"""Looks at the page of `asyncio compare --html` in Chromium. Skipped (77) if that is not installed.

usage: compare_page_test.py EXECUTABLE SCREENSHOT [TestCase...]
"""
# SPDX-License-Identifier: MIT
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

import browser

COMMAND = ""
SCREENSHOT = ""

CONTRAST = """
(() => {
  const light = (color) => {
    const [r, g, b] = color.match(/[0-9.]+/g).slice(0, 3).map((part) => part / 255)
      .map((part) => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  const paper = light(getComputedStyle(document.body).backgroundColor);
  const texts = [...document.querySelectorAll('h1, p, td, th, dd, figcaption')]
    .map((element) => light(getComputedStyle(element).color));
  const drawn = [...document.querySelectorAll('svg text, rect, circle, path')]
    .map((element) => light(getComputedStyle(element).fill));
  return {paper, text: Math.min(...texts.map((value) => ratio(value, paper))),
          drawn: Math.min(...drawn.map((value) => ratio(value, paper)))};
})()
"""

SHAPES = """
[...document.querySelectorAll('svg')].map((svg) => {
  const frame = svg.getBoundingClientRect();
  const shapes = [...svg.querySelectorAll('rect, circle, path, polyline, text')]
    .map((shape) => shape.getBoundingClientRect());
  return {width: frame.width, height: frame.height, shapes: shapes.length,
          seen: shapes.filter((box) => box.width > 0 && box.height > 0).length,
          inside: shapes.filter((box) => box.left >= frame.left - 1 && box.top >= frame.top - 1 &&
            box.right <= frame.right + 1 && box.bottom <= frame.bottom + 1).length};
})
"""

OVERLAPPING_TEXTS = """
[...document.querySelectorAll('svg')].flatMap((svg) => {
  const texts = [...svg.querySelectorAll('text')]
    .map((text) => [text.textContent, text.getBoundingClientRect()]);
  return texts.flatMap(([a, one], i) => texts.slice(i + 1)
    .filter(([b, other]) => one.left < other.right && other.left < one.right &&
      one.top < other.bottom && other.top < one.bottom)
    .map(([b, other]) => a + ' and ' + b));
})
"""


def colours_of(png: bytes) -> dict[bytes, int]:
    """How many pixels of which colour an image has (PNG of 8 bits, not interlaced)."""
    width, height, depth, kind = struct.unpack(">IIBB", png[16:26])
    assert depth == 8 and kind in (2, 6), (depth, kind)
    size = {2: 3, 6: 4}[kind]
    data, place = b"", 8
    while place < len(png):
        length, name = struct.unpack(">I4s", png[place:place + 8])
        if name == b"IDAT":
            data += png[place + 8:place + 8 + length]
        place += 12 + length
    rows = zlib.decompress(data)
    stride = width * size
    above, colours = bytearray(stride), {}
    for number in range(height):
        start = number * (stride + 1)
        row = bytearray(rows[start + 1:start + 1 + stride])
        unfilter(rows[start], row, above, size)
        for i in range(0, stride, size):
            colour = bytes(row[i:i + 3])
            colours[colour] = colours.get(colour, 0) + 1
        above = row
    return colours


def unfilter(kind: int, row: bytearray, above: bytearray, size: int) -> None:
    """Undoes one of PNG's five filters."""
    for i in range(len(row)):
        left = row[i - size] if i >= size else 0
        corner = above[i - size] if i >= size else 0
        if kind == 1:
            predicted = left
        elif kind == 2:
            predicted = above[i]
        elif kind == 3:
            predicted = (left + above[i]) // 2
        elif kind == 4:
            guess = left + above[i] - corner
            predicted = min((left, above[i], corner), key=lambda near: abs(guess - near))
        else:
            return
        row[i] = (row[i] + predicted) & 255


class ComparePage(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls) -> None:
        directory = cls.enterClassContext(tempfile.TemporaryDirectory())
        path = pathlib.Path(directory, "page.html")
        subprocess.run([COMMAND, "compare", "--quick", "--html", str(path)], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        cls.page = cls.enterClassContext(browser.page(1000, 800))
        cls.page.open(path.as_uri())

    def media(self, medium: str = "", scheme: str = "light") -> None:
        self.page.call("Emulation.setEmulatedMedia", media=medium,
                       features=[{"name": "prefers-color-scheme", "value": scheme}])

    def size(self, width: int) -> None:
        height = 800
        self.page.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                       deviceScaleFactor=1, mobile=False)

    def setUp(self) -> None:
        self.size(1000)
        self.media()

    def tearDown(self) -> None:
        self.assertEqual(self.page.complaints, [])  # as the console would show them

    def test_charts_are_not_empty(self) -> None:
        for width in (1000, 400):
            self.size(width)
            charts = self.page.evaluate(SHAPES)
            self.assertEqual(len(charts), 8)
            for chart in charts:
                self.assertGreater(chart["width"], 250)
                self.assertGreater(chart["height"], 90)
                self.assertGreater(chart["shapes"], 9)
                self.assertEqual(chart["seen"], chart["shapes"])
                self.assertEqual(chart["inside"], chart["shapes"])

    def test_no_text_is_over_another(self) -> None:
        for width in (1000, 400):
            self.size(width)
            self.assertEqual(self.page.evaluate(OVERLAPPING_TEXTS), [])

    def test_nothing_is_wider_than_the_page(self) -> None:
        for width in (1000, 400):
            self.size(width)
            self.assertLessEqual(self.page.evaluate("document.documentElement.scrollWidth"), width)

    def test_screenshot_shows_all_three(self) -> None:
        png = self.page.screenshot()
        pathlib.Path(SCREENSHOT).write_bytes(png)
        colours = colours_of(png)
        for colour in ("1f5fbf", "b4530f", "23795a"):
            self.assertGreater(colours.get(bytes.fromhex(colour), 0), 2000, colour)

    def test_can_be_read_in_light_dark_and_print(self) -> None:
        for medium, scheme, is_light in (("", "light", True), ("", "dark", False),
                                         ("print", "light", True), ("print", "dark", True)):
            with self.subTest(medium=medium, scheme=scheme):
                self.media(medium, scheme)
                contrast = self.page.evaluate(CONTRAST)
                self.assertEqual(contrast["paper"] > 0.5, is_light)
                self.assertGreaterEqual(contrast["text"], 4.5)
                self.assertGreaterEqual(contrast["drawn"], 4.5)


if __name__ == "__main__":
    COMMAND, SCREENSHOT = sys.argv.pop(1), sys.argv.pop(1)
    if browser.find() is None:
        print("skipped: chromium is not installed; ./test --full installs it")
        sys.exit(77)
    unittest.main()
