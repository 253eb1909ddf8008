"""Phases of an action, and the one table of transitions between them."""

from __future__ import annotations

import enum


class Phase(str, enum.Enum):
    """Where an action is in its life."""

    QUEUED = "queued"
    """Its inputs are ready; it waits for a slot, a reservation or room at its executor."""
    RUNNING = "running"
    """An attempt, or its children, run."""
    RETRYING = "retrying"
    """An attempt failed; the next one follows after a delay."""
    PAUSED = "paused"
    """It waits for a person, or for time to pass."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABORTED = "aborted"
    TIMED_OUT = "timed_out"
    SKIPPED = "skipped"
    """It was not needed: its branch was not taken, or something before it failed."""

    # Phases are looked up several times per action, and the hash of an Enum is a Python function.
    __hash__ = str.__hash__

    def __str__(self) -> str:
        return self.value


# Before Python 3.12, `Phase.RUNNING` calls a Python function; a plain attribute of the class does not.
for _phase in Phase:
    type.__setattr__(Phase, _phase.name, _phase)

_END = {Phase.SUCCEEDED, Phase.FAILED, Phase.ABORTED, Phase.TIMED_OUT}

TRANSITIONS: dict[Phase, frozenset[Phase]] = {
    Phase.QUEUED: frozenset({Phase.RUNNING, Phase.PAUSED, Phase.SKIPPED} | _END),
    Phase.RUNNING: frozenset({Phase.RETRYING, Phase.QUEUED} | _END),
    Phase.RETRYING: frozenset({Phase.RUNNING, Phase.FAILED, Phase.ABORTED, Phase.TIMED_OUT}),
    Phase.PAUSED: frozenset({Phase.RUNNING} | _END),
    Phase.SUCCEEDED: frozenset(),
    Phase.FAILED: frozenset(),
    Phase.ABORTED: frozenset(),
    Phase.TIMED_OUT: frozenset(),
    Phase.SKIPPED: frozenset(),
}
"""From each phase, the phases that may follow. A phase with none is final."""

FINAL = frozenset(phase for phase, following in TRANSITIONS.items() if not following)
"""Phases that never change again."""
