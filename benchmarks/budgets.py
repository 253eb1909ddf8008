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
    """

    id: str
    title: str
    unit: str
    bar: float
    dream: float


BUDGETS = {
    budget.id: budget
    for budget in (
        Budget("P1", "`alula run hello.py hello`, the whole process", MS, 150, 100),
        Budget("P2", "`import alula`, over bare Python", MS, 60, 35),
        Budget("P3", "local chain of 1,000 typed int tasks, per task", US, 60, 25),
        Budget("P4", "local map over 10,000 ints, per item", US, 15, 5),
        Budget("P5", "1,000 hits of the SQLite cache, per hit", US, 80, 40),
        Budget("P6", "an attempt in a new process, two slots, per no-op attempt", MS, 6, 3),
        Budget("P7", "an attempt in a kept worker, two slots, per no-op attempt", US, 400, 150),
        Budget("P16", "compile a workflow of 10,000 nodes, per node", US, 60, 20),
        Budget("P17", "10 plugins among 150 distributions, added to P1", MS, 15, 3),
    )
}
