"""What every probe has in common. It runs with the Python of whatever is measured, so it uses the standard library only."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

Times = tuple[float, float]
"""Microseconds by the clock on the wall, and on the processors."""


def once(work: Callable[[], Any], count: int) -> Times:
    """Time some work and return the times per item.

    Args:
        work: What is timed.
        count: Items in it.
    """
    processor, wall = time.process_time(), time.perf_counter()
    work()
    wall, processor = time.perf_counter() - wall, time.process_time() - processor
    return wall / count * 1e6, processor / count * 1e6


def median_of(work: Callable[[], Any], count: int, repetitions: int) -> Times:
    """Return the median times of some work per item.

    Args:
        work: What is timed, after it was done once to warm up.
        count: Items in it.
        repetitions: How often it is timed.
    """
    work()
    return middle([once(work, count) for _ in range(repetitions)])


def middle(times: list[Times]) -> Times:
    """Return the median of each clock."""
    walls, processors = (sorted(column) for column in zip(*times, strict=True))
    return walls[len(walls) // 2], processors[len(processors) // 2]


def main(cases: Mapping[str, Callable[[int], dict[str, Times]]]) -> None:
    """Measure the case named by the first argument and print its figures as a line of JSON.

    ``measured`` is the figure itself, and the others are floors. A case that is not known prints nothing.
    """
    case, repetitions = sys.argv[1], int(sys.argv[2])
    if case in cases:
        print(json.dumps(cases[case](repetitions)))
