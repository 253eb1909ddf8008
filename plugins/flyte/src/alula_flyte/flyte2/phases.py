"""``flyte.models.ActionPhase``: how far an action has come."""

from __future__ import annotations

import enum


class ActionPhase(str, enum.Enum):
    """A phase; those of Alula's actions have the same values."""

    QUEUED = "queued"
    WAITING_FOR_RESOURCES = "waiting_for_resources"
    INITIALIZING = "initializing"
    RUNNING = "running"
    PAUSED = "paused"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    ABORTED = "aborted"
    TIMED_OUT = "timed_out"
    RECOVERED = "recovered"

    @property
    def is_terminal(self) -> bool:
        """Whether nothing comes after it."""
        return self in {self.SUCCEEDED, self.FAILED, self.ABORTED, self.TIMED_OUT, self.RECOVERED}
