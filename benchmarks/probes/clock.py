"""What every probe has in common. It runs with the Python of whatever is measured, so it uses the standard library only."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any


def median_of(work: Callable[[], Any], count: int, repetitions: int) -> float:
    """Return the median time of some work per item, in microseconds.

    Args:
        work: What is timed, after it was done once to warm up.
        count: Items in it.
        repetitions: How often it is timed.
    """
    work()
    times = []
    for _ in range(repetitions):
        started = time.perf_counter()
        work()
        times.append((time.perf_counter() - started) / count * 1e6)
    return sorted(times)[len(times) // 2]


def main(cases: Mapping[str, Callable[[int], dict[str, float]]]) -> None:
    """Measure the case named by the first argument and print its figures, in microseconds, as a line of JSON.

    ``measured`` is the figure itself, and the others are floors. A case that is not known prints nothing.
    """
    case, repetitions = sys.argv[1], int(sys.argv[2])
    if case in cases:
        print(json.dumps(cases[case](repetitions)))
