"""What each figure may be."""

from __future__ import annotations

import dataclasses

MS = "ms"
US = "\N{MICRO SIGN}s"


@dataclasses.dataclass(frozen=True)
class Budget:
    """What one figure may be.

    Attributes:
        id: Its number in the project's list of budgets, as ``P3``.
        title: What is measured, per what.
        unit: `MS` or `US`.
        bar: What it must not exceed.
        dream: What the work goes on for.
        floor: What the floor took, in the same unit, on the machine for which the bar was set; None if that was not noted.
            On a slower machine the bar is that many times higher as the floor is.
    """

    id: str
    title: str
    unit: str
    bar: float
    dream: float
    floor: float | None = None

    @property
    def bar_ratio(self) -> float | None:
        """How many times the floor the bar is."""
        return None if self.floor is None else self.bar / self.floor


BUDGETS = {
    budget.id: budget
    for budget in (
        Budget("P1", "`alula run hello.py hello`, the whole process", MS, 150, 100, floor=10),
        Budget("P2", "`import alula`, over bare Python", MS, 60, 35, floor=10),
        Budget("P3", "local chain of 1,000 typed int tasks, per task", US, 60, 25, floor=5.5),
        Budget("P4", "local map over 10,000 ints, per item", US, 15, 5, floor=0.04),
        Budget("P5", "1,000 hits of the SQLite cache, per hit", US, 80, 40, floor=32),
        Budget("P6", "an attempt in a new process, two slots, per no-op attempt", MS, 6, 3, floor=1.4),
        Budget("P7", "an attempt in a kept worker, two slots, per no-op attempt", US, 400, 150, floor=20),
        Budget("P16", "compile a workflow of 10,000 nodes, per node", US, 60, 20),
        Budget("P17", "10 plugins among 150 distributions, added to P1", MS, 15, 3, floor=10),
    )
}
