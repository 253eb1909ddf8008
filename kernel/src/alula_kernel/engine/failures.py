"""How an action ends when it does not succeed: the failures that engine code raises itself."""

from __future__ import annotations

from ..contracts import CallFailedError
from ..errors import ActionError
from .phases import Phase


class EndedError(CallFailedError):
    """An action came to an end that is no plain failure.

    Attributes:
        phase: The phase in which it ends; actions further out end as failed.
    """

    def __init__(self, phase: Phase, error: ActionError, original: BaseException | None = None) -> None:
        super().__init__(error, original)
        self.phase = phase


def final_failure(code: str, message: str, exception: str = "") -> CallFailedError:
    """Return the failure of an action for a reason that trying again does not mend.

    Args:
        code: What happened, for programs.
        message: What happened, for people.
        exception: Python's class for it, as ``builtins:ValueError``; a caller may catch the failure as one of that.
    """
    return CallFailedError(ActionError(code=code, message=message, recoverable=False, exception=exception))


def timed_out(message: str, original: BaseException | None = None) -> EndedError:
    """Return the end of an action that took longer than it may."""
    return EndedError(Phase.TIMED_OUT, ActionError(code="Timeout", message=message, recoverable=False), original)


def aborted(message: str) -> EndedError:
    """Return the end of an action that was stopped from outside."""
    return EndedError(Phase.ABORTED, ActionError(code="Aborted", message=message, recoverable=False))


def stop_reason(stop: BaseException) -> str:
    """Say why something was stopped, as far as what stopped it tells."""
    if isinstance(stop, KeyboardInterrupt):
        return "interrupted"
    # Not imported, so that a run that never waits does without asyncio.
    if type(stop).__name__ == "CancelledError":
        return str(stop) or "cancelled"
    return f"{type(stop).__name__}: {stop}"


def reason_for_others(stop: BaseException) -> str:
    """Say why an action's children are cancelled: one of them failed, or it is stopped itself."""
    if isinstance(stop, CallFailedError):
        return f"{stop.error.name or stop.error.action or 'another action'} failed"
    return stop_reason(stop)
