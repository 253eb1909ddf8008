"""Repeated measurements and what is said about them."""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

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


@dataclasses.dataclass(frozen=True)
class Timing:
    """How long something took, once.

    Attributes:
        wall: By the clock on the wall.
        processor: On the processors, which waits of any kind and other programs do not count into.
    """

    wall: float
    processor: float


@dataclasses.dataclass(frozen=True)
class Timings:
    """How long something took, again and again.

    Attributes:
        wall: By the clock on the wall.
        processor: On the processors.
    """

    wall: Series
    processor: Series

    @classmethod
    def of(cls, timings: Sequence[Timing]) -> Timings:
        """Put single timings together."""
        return cls(
            Series(tuple(timing.wall for timing in timings)), Series(tuple(timing.processor for timing in timings))
        )

    def minus(self, other: Timings) -> Timings:
        """Return the differences, as `Series.minus` does."""
        return Timings(self.wall.minus(other.wall), self.processor.minus(other.processor))


def in_turns(
    work: Mapping[str, Callable[[], Timing]], rounds: int, between: Callable[[], None] = lambda: None
) -> dict[str, Timings]:
    """Time several things in turns, beginning with another one in each round.

    What loads the machine for a while then loads all of them alike.

    Args:
        work: By name, what is done once and timed.
        rounds: How often each is timed.
        between: Called once in each round.
    """
    measured: dict[str, list[Timing]] = {name: [] for name in work}
    names = list(work)
    for turn in range(rounds if work else 0):
        between()
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            measured[name].append(work[name]())
    return {name: Timings.of(timings) for name, timings in measured.items()}


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

    @property
    def disturbed(self) -> bool:
        """Whether the machine was so busy that times by the wall clock mean little."""
        return statistics.median(self.times) > 1.3 * min(self.times)

    def describe(self) -> str:
        """Say what was found."""
        found = (
            f"calibration: a loop of {_LOOP_STEPS:,} steps took {statistics.median(self.times):.1f} ms "
            f"({min(self.times):.1f} to {max(self.times):.1f} in {len(self.times)} passes)"
        )
        if not self.disturbed:
            return found
        return f"{found}\nother programs kept the machine busy: judge by the ratio, against that of the bar, and by processor time"
