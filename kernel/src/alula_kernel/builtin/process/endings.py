"""What became of an attempt, read from its files and the state of its process."""

from __future__ import annotations

import os

import msgspec

from ...contracts import (
    CANCELLED,
    LOST,
    OUT_OF_MEMORY,
    PREEMPTED,
    SUCCEEDED,
    SYSTEM_FAILURE,
    TIMED_OUT,
    USER_FAILURE,
    Outcome,
)
from ...errors import ActionError
from ...processes import signal_name
from ...quantities import format_bytes
from .files import CANCELLED_STOP, MEMORY_STOP, TIMEOUT_STOP, AttemptFiles, ExitRecord

# Sent by who runs the machine, and not caused by what the code did.
_FROM_OUTSIDE = frozenset({"SIGTERM", "SIGHUP", "SIGINT"})


def outcome_of(files: AttemptFiles, root: str) -> Outcome | None:
    """Return what became of an attempt; None while it runs, or may yet begin to.

    Args:
        files: Files of the attempt.
        root: Folder of all attempts.
    """
    claim = files.claim()
    # Whether they live is asked before the files are read: what they wrote last is there then.
    runs = claim is not None and claim.process.alive
    watched = claim is not None and claim.template.alive
    own = files.outcome()
    if own is not None:
        return _with_reason(own, files)
    if runs:
        return None
    if claim is None:
        # One that somebody has begun since the claim was read is not ended.
        return _never_begun(files) if files.closed else None
    of_process = AttemptFiles(f"{root}/{claim.files}") if claim.files else files
    record = of_process.exit_record()
    if record is not None:
        return _of_exit(record, files.stop_reason() or of_process.stop_reason())
    if watched:  # about to write the record
        return None
    reason = files.stop_reason()
    return _stopped(reason) if reason else lost("its process is gone, and so is the one that could tell how it ended")


def lost(message: str) -> Outcome:
    """Return the outcome of an attempt of which nothing is known."""
    return Outcome(kind=LOST, error=ActionError(code="Lost", message=message, kind="system"))


def cancelled() -> Outcome:
    """Return the outcome of an attempt that was stopped on request."""
    return Outcome(kind=CANCELLED, error=ActionError(code="Aborted", message="cancelled", recoverable=False))


def out_of_memory(limit_bytes: int, peak_bytes: int) -> Outcome:
    """Return the outcome of an attempt that used more memory than it may."""
    message = f"ran out of memory: it may use {format_bytes(limit_bytes)}, and its peak was {format_bytes(peak_bytes)}"
    return Outcome(
        kind=OUT_OF_MEMORY,
        error=ActionError(code="OutOfMemory", message=message),
        resources={"peak_memory_bytes": float(peak_bytes)},
    )


def memory_stop(limit_bytes: int, peak_bytes: int) -> str:
    """Return the reason to stop a process that uses too much memory."""
    return f"{MEMORY_STOP}:{limit_bytes}:{peak_bytes}"


def timeout_stop(seconds: float) -> str:
    """Return the reason to stop an attempt that takes too long."""
    return f"{TIMEOUT_STOP}:{seconds:g}"


def _stopped(reason: str) -> Outcome:
    """Return the outcome of an attempt that was stopped for a reason."""
    kind, _, detail = reason.partition(":")
    if kind == MEMORY_STOP:
        limit, _, peak = detail.partition(":")
        return out_of_memory(int(limit), int(peak))
    if kind == TIMEOUT_STOP:
        return Outcome(kind=TIMED_OUT, error=ActionError(code="Timeout", message=f"ran longer than {detail} s"))
    return cancelled()


def _never_begun(files: AttemptFiles) -> Outcome:
    if files.stop_reason() == CANCELLED_STOP:
        return cancelled()
    return lost("the engine that submitted it ended before its process began")


def _with_reason(outcome: Outcome, files: AttemptFiles) -> Outcome:
    """Return what the attempt says of its end, unless it was stopped before it had succeeded."""
    if outcome.kind == SUCCEEDED:
        return outcome
    reason = files.stop_reason()
    return _stopped(reason) if reason else outcome


def _of_exit(record: ExitRecord, reason: str) -> Outcome:
    """Return the outcome of an attempt whose process ended without saying anything."""
    resources = {"peak_memory_bytes": float(record.peak_memory_bytes), "cpu_seconds": record.cpu_seconds}
    if reason:
        stopped = _stopped(reason)
        return msgspec.structs.replace(stopped, resources={**resources, **stopped.resources})
    kind, error = _killed(os.WTERMSIG(record.status)) if os.WIFSIGNALED(record.status) else _exited(record.status)
    return Outcome(kind=kind, error=error, resources=resources)


def _killed(number: int) -> tuple[str, ActionError]:
    name = signal_name(number)
    if name == "SIGKILL":
        message = "its process was killed by SIGKILL from outside, as the system does when its memory is used up"
        return SYSTEM_FAILURE, ActionError(code="Killed", message=message, kind="system")
    if name in _FROM_OUTSIDE:
        message = f"its process was told from outside to end, by {name}"
        return PREEMPTED, ActionError(code="Interrupted", message=message, kind="system")
    return USER_FAILURE, ActionError(code=name, message=f"its process was killed by {name}")


def _exited(status: int) -> tuple[str, ActionError]:
    code = os.WEXITSTATUS(status)
    message = f"its process ended with exit status {code} before the task returned"
    return USER_FAILURE, ActionError(code="ProcessExit", message=message)
