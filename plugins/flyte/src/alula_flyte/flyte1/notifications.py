"""Notifications of launch plans: kept with them, and sent to nobody from this machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alula.errors import UsageError

from .phases import WorkflowExecutionPhase

_FINAL = frozenset(
    {
        WorkflowExecutionPhase.ABORTED,
        WorkflowExecutionPhase.FAILED,
        WorkflowExecutionPhase.SUCCEEDED,
        WorkflowExecutionPhase.TIMED_OUT,
    }
)


class Notification:
    """Who is told when a run has ended in some way.

    Args:
        phases: The phases, as numbers of `WorkflowExecutionPhase`.
        recipients_email: Addresses.

    Raises:
        UsageError: A phase is not one in which runs end, or there are none.
    """

    def __init__(self, phases: Sequence[int], recipients_email: Sequence[str] = ()) -> None:
        if not phases:
            raise UsageError("You must specify phases, and at least one, for a notification")
        wrong = [phase for phase in phases if phase not in _FINAL]
        if wrong:
            raise UsageError(f"phase {wrong[0]!r} of a notification is not one in which runs end")
        self.phases = list(phases)
        self.recipients_email = list(recipients_email)

    def spec(self) -> dict[str, Any]:
        """Return what a launch plan's spec holds of it."""
        phases = [WorkflowExecutionPhase.enum_to_string(phase).lower() for phase in self.phases]
        return {"kind": type(self).__name__.lower(), "phases": phases, "recipients": list(self.recipients_email)}

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    __hash__ = None  # type: ignore[assignment] # it can be changed

    def __repr__(self) -> str:
        return f"{type(self).__name__}(phases={self.phases}, recipients_email={self.recipients_email})"


class Email(Notification):
    """A mail."""


class PagerDuty(Notification):
    """A mail to PagerDuty."""


class Slack(Notification):
    """A mail to Slack."""
