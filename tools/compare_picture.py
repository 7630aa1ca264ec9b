#!/usr/bin/env python3
"""Puts charts of a page that `asyncio compare --html` has written into one picture, in SVG.

usage: compare_picture.py PAGE.html PICTURE.svg
"""
# SPDX-License-Identifier: MIT
import pathlib
import re
import sys

# Of the figures of the page, in the order of the picture: two to a row.
CHOSEN = ["Context switch", "Start of a unit", "Memory per unit", "Speed-up of CPU-bound work",
          "I/O-bound job", "CPU-bound job"]
WIDTH = 420
GAP = 24
TITLE = 28

FIGURE = re.compile(r'<h3>([^<]*)</h3>\s*(<svg .*?</svg>)\s*<figcaption>([^<]*)', re.DOTALL)
VIEW = re.compile(r'<svg role="img" viewBox="0 0 ([\d.]+) ([\d.]+)"')


def heights(charts: list[str]) -> list[float]:
    """How high each is at the width of all."""
    boxes = [VIEW.match(chart) for chart in charts]
    return [float(box[2]) * WIDTH / float(box[1]) for box in boxes]


def picture(page: str) -> str:
    figures = {title: (chart, note) for title, chart, note in FIGURE.findall(page)}
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)[1]
    style = "\n".join(line for line in style.splitlines() if not line.startswith("svg { "))
    charts = [figures[title][0] for title in CHOSEN]
    drawn, y = [], GAP / 2
    for row in range(0, len(CHOSEN), 2):
        pair = range(row, row + 2)
        for i in pair:
            x = GAP / 2 + (i - row) * (WIDTH + GAP)
            note = figures[CHOSEN[i]][1].split(";")[0]
            title = CHOSEN[i] + (f" ({note})" if len(note) < 20 else "")
            drawn.append(f'<text x="{x}" y="{y + 18}" font-weight="600">{title}</text>')
            size = f'x="{x}" y="{y + TITLE}" width="{WIDTH}" height="{heights(charts)[i]}"'
            drawn.append(charts[i].replace("<svg role", f"<svg {size} role", 1))
        y += TITLE + max(heights(charts)[i] for i in pair) + GAP / 2
    width = 2 * (WIDTH + GAP)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {y:.0f}" '
            f'font-family="system-ui, DejaVu Sans, sans-serif">\n<style>{style}</style>\n'
            f'<rect width="100%" height="100%" style="fill: var(--paper)"/>\n'
            + "\n".join(drawn) + "\n</svg>\n")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__.split("\n\n")[1])
    pathlib.Path(sys.argv[2]).write_text(picture(pathlib.Path(sys.argv[1]).read_text()))
