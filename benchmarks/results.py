"""What one measurement found, as a line of the table and as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from budgets import Budget
from series import Series, Timings


@dataclasses.dataclass(frozen=True)
class Result:
    """What one measurement found.

    Attributes:
        budget: What it may be.
        ours: What Alula takes, in the budget's unit, as everything below.
        floor_name: What the floor is.
        floor: What bare Python takes for the part that cannot be left out.
        references: Other things measured in the same run, by name.
        peers: What the peers take, by name.
        variant: Which of several ways was measured; empty if there is one.
        note: What else there is to know.
    """

    budget: Budget
    ours: Timings
    floor_name: str
    floor: Timings
    references: Mapping[str, Timings] = dataclasses.field(default_factory=dict)
    peers: Mapping[str, Timings] = dataclasses.field(default_factory=dict)
    variant: str = ""
    note: str = ""

    @property
    def title(self) -> str:
        """What was measured."""
        return f"{self.budget.title} ({self.variant})" if self.variant else self.budget.title

    @property
    def ratio(self) -> float:
        """How many times the floor it takes, by the wall clock."""
        return self.ours.wall.median / self.floor.wall.median

    @property
    def verdict(self) -> str:
        """How the figure stands to its budget by the wall clock: ``dream``, ``bar`` or ``missed``."""
        if self.ours.wall.median <= self.budget.dream:
            return "dream"
        return "bar" if self.ours.wall.median <= self.budget.bar else "missed"

    @property
    def verdict_by_ratio(self) -> str:
        """How the ratio stands to that of the bar: ``met``, ``missed``, or ``-`` if that is not known."""
        bar = self.budget.bar_ratio
        return "-" if bar is None else "met" if self.ratio <= bar else "missed"

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain data."""
        return {
            "id": self.budget.id,
            "title": self.title,
            "unit": self.budget.unit,
            "bar": self.budget.bar,
            "dream": self.budget.dream,
            "verdict": self.verdict,
            "value": _plain(self.ours),
            "floor": {"name": self.floor_name, **_plain(self.floor)},
            "ratio": self.ratio,
            "bar_ratio": self.budget.bar_ratio,
            "verdict_by_ratio": self.verdict_by_ratio,
            "references": {name: _plain(timings) for name, timings in self.references.items()},
            "peers": {name: _plain(timings) for name, timings in self.peers.items()},
            "note": self.note,
        }


def _plain(timings: Timings) -> dict[str, Any]:
    return {**_series(timings.wall), "processor": _series(timings.processor)}


def _series(series: Series) -> dict[str, Any]:
    return {"median": series.median, "spread": series.spread, "samples": list(series.values)}
