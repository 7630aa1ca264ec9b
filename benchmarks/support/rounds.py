"""Interleaved rounds: how every script here compares programs, and what it makes of the values.

What the machine does besides falls on all programs of a round alike, so only ratios within a round
are compared.

SPDX-License-Identifier: MIT
"""

import contextlib
import os
import statistics


def pin(core):
    """What a child does before it starts its program; a machine with one core does without."""
    def pin_child():
        with contextlib.suppress(OSError):
            os.sched_setaffinity(0, {core})
    return pin_child


def in_turned_order(names, number):
    """The order of a round: every other one runs backwards."""
    return list(names) if number % 2 == 0 else list(reversed(names))


def quartiles(values):
    """(first quartile, median, third quartile); of one value, that value."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    return tuple(statistics.quantiles(values, n=4, method="inclusive"))
