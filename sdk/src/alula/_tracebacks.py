"""Tracebacks without frames of Alula: what went wrong in the user's own code."""

from __future__ import annotations

from types import TracebackType

from ._state import is_own_file


def trim(entries: TracebackType | None) -> TracebackType | None:
    """Return a traceback without the frames of Alula, or as it is if there are no others."""
    kept: list[TracebackType] = []
    current = entries
    while current is not None:
        if not is_own_file(current.tb_frame.f_code.co_filename):
            kept.append(current)
        current = current.tb_next
    if not kept:
        return entries
    trimmed: TracebackType | None = None
    for entry in reversed(kept):
        trimmed = TracebackType(trimmed, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return trimmed


def user_traceback(failure: BaseException) -> str:
    """Return the traceback as text, its causes included, without the frames of Alula."""
    import traceback

    summary = traceback.TracebackException.from_exception(failure)
    part: traceback.TracebackException | None = summary
    while part is not None:
        users = [entry for entry in part.stack if not is_own_file(entry.filename)]
        if users:
            part.stack = traceback.StackSummary.from_list(users)
        part = part.__cause__ or part.__context__
    return "".join(summary.format())
