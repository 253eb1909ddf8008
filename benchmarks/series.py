"""Repeated measurements and what is said about them."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping

_LOOP_STEPS = 200_000


@dataclasses.dataclass(frozen=True)
class Series:
    """Measurements of one thing, one for each round.

    Attributes:
        values: The measurements, in the order they were made.
    """

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        """The middle one."""
        return statistics.median(self.values)

    @property
    def spread(self) -> float:
        """Half the distance between the quarters: half of all measurements lie about this close to the median."""
        if len(self.values) < 2:
            return 0.0
        low, _, high = statistics.quantiles(self.values, n=4, method="inclusive")
        return (high - low) / 2

    def minus(self, other: Series) -> Series:
        """Return the differences, round by round, so that a slow moment of the machine counts on both sides."""
        return Series(tuple(mine - its for mine, its in zip(self.values, other.values, strict=True)))


def in_turns(
    work: Mapping[str, Callable[[], float]], rounds: int, between: Callable[[], None] = lambda: None
) -> dict[str, Series]:
    """Measure several things in turns, beginning with another one in each round.

    What loads the machine for a while then loads all of them alike.

    Args:
        work: By name, what measures once and returns the figure.
        rounds: How often each is measured.
        between: Called once in each round.
    """
    measured: dict[str, list[float]] = {name: [] for name in work}
    names = list(work)
    for turn in range(rounds):
        between()
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            measured[name].append(work[name]())
    return {name: Series(tuple(values)) for name, values in measured.items()}


class Calibration:
    """A fixed loop of plain Python, timed again and again while everything else is measured.

    Where it varies, the machine was loaded or changed its clock rate, and the figures vary with it.

    Attributes:
        times: Milliseconds of each pass.
    """

    def __init__(self) -> None:
        self.times: list[float] = []

    def tick(self) -> None:
        """Time the loop once."""
        started = time.perf_counter()
        total = 0
        for step in range(_LOOP_STEPS):
            total += step & 7
        self.times.append((time.perf_counter() - started) * 1e3)
        assert total > 0

    def describe(self) -> str:
        """Say what was found, in a line."""
        median = statistics.median(self.times)
        return (
            f"calibration: a loop of {_LOOP_STEPS:,} steps took {median:.1f} ms "
            f"({min(self.times):.1f} to {max(self.times):.1f} in {len(self.times)} passes)"
        )
