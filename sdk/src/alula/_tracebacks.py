"""Tracebacks without frames of Alula: what went wrong in the user's own code."""

from __future__ import annotations

import importlib
import os
from types import TracebackType

from alula_kernel.errors import UsageError

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


class RemoteTraceback(Exception):
    """Shows the traceback of a failure in another process, as the cause of the one that is raised here."""

    def __str__(self) -> str:
        return f"\n\n{self.args[0].rstrip()}"


def recorded(text: str) -> RemoteTraceback | None:
    """Return what shows a traceback that was recorded; None if there is none."""
    return RemoteTraceback(text) if text else None


def _is_users(filename: str) -> bool:
    """Tell whether a source file is neither Alula's nor a module at the top of the standard library, as contextlib."""
    return not is_own_file(filename) and os.path.dirname(filename) != os.path.dirname(os.__file__)


def user_traceback(failure: BaseException) -> str:
    """Return the traceback as text, its causes included, without the frames of Alula.

    A refusal of Alula's own, as of an output of the wrong type, has a traceback only if the user's code called what
    refused, and is shown without the foreign errors behind it, which its message has translated.
    """
    import traceback

    summary = traceback.TracebackException.from_exception(failure)
    if isinstance(failure, UsageError):
        if not any(_is_users(entry.filename) for entry in summary.stack):
            return ""
        summary.__cause__ = summary.__context__ = None
    part: traceback.TracebackException | None = summary
    while part is not None:
        users = [entry for entry in part.stack if not is_own_file(entry.filename)]
        if users:
            part.stack = traceback.StackSummary.from_list(users)
        part = part.__cause__ or part.__context__
    return "".join(summary.format())


def import_traceback(failure: BaseException) -> str:
    """Return the traceback of what a module raised while it was imported, without what imported it; else as `user_traceback`."""
    entries = failure.__traceback__
    while entries is not None and _imports(entries.tb_frame.f_code.co_filename):
        entries = entries.tb_next
    return user_traceback(failure.with_traceback(entries))


def _imports(filename: str) -> bool:
    return filename.startswith("<frozen importlib") or filename == importlib.__file__ or is_own_file(filename)
