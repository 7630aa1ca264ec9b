#!/usr/bin/env python3
"""Compares two programs that print `metric=value` lines, in interleaved rounds.

    micro_bench.py BUILD/benchmarks/floor BUILD/benchmarks/metrics [--rounds 7] [--json FILE]

Each round runs every group of metrics in both programs, one directly after the other and in turned
order every other round, so that whatever else the machine does falls on both. The ratio is taken
within a round; what is printed is the median of these ratios and the quartiles around it, beside
the medians of the values. See README.md for how to read it.

SPDX-License-Identifier: MIT
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "support"))
from rounds import in_turned_order, quartiles  # pylint: disable=wrong-import-position

GROUPS = ["tasks", "contexts", "cancel", "timers", "threads", "million", "sleepers"]


def measure(program, group):
    """The metrics that `program` prints for one group, run in a process of its own."""
    output = subprocess.run([program, group], check=True, stdout=subprocess.PIPE, text=True).stdout
    metrics = dict(line.split("=", 1) for line in output.splitlines())
    return {name: float(value) for name, value in metrics.items()}


def run_rounds(reference, subject, groups, rounds):
    """{metric: [(value of the reference, value of the subject) per round]}"""
    pairs = {}
    for number in range(rounds):
        for group in groups:
            programs = in_turned_order([reference, subject], number)
            results = {program: measure(program, group) for program in programs}
            for metric, value in results[reference].items():
                if metric in results[subject]:
                    pairs.setdefault(metric, []).append((value, results[subject][metric]))
        print(f"round {number + 1} of {rounds}", file=sys.stderr)
    return pairs


def summarize(pairs):
    """One row per metric."""
    rows = []
    for metric, values in pairs.items():
        low, middle, high = quartiles([subject / reference for reference, subject in values])
        rows.append({
            "metric": metric,
            "reference": statistics.median(reference for reference, _ in values),
            "subject": statistics.median(subject for _, subject in values),
            "ratio": middle, "ratio_q1": low, "ratio_q3": high,
            "rounds": len(values),
        })
    return rows


def print_table(rows):
    print("| metric | reference | subject | ratio (quartiles) |")
    print("| --- | ---: | ---: | ---: |")
    for row in rows:
        print(f"| {row['metric']} | {row['reference']:.1f} | {row['subject']:.1f} "
              f"| {row['ratio']:.2f} ({row['ratio_q1']:.2f} to {row['ratio_q3']:.2f}) |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("reference", help="the program that is the 1.00, for example floor")
    parser.add_argument("subject", help="the program to compare with it, for example metrics")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--groups", default=",".join(GROUPS), help="default: %(default)s")
    parser.add_argument("--json", metavar="FILE", help="also write the rows there")
    arguments = parser.parse_args()

    pairs = run_rounds(arguments.reference, arguments.subject, arguments.groups.split(","),
                       arguments.rounds)
    if not pairs:
        sys.exit("the two programs have no metric in common")
    rows = summarize(pairs)
    print_table(rows)
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(rows, file, indent=1)


if __name__ == "__main__":
    main()
