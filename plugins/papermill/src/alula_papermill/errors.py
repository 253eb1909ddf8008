"""Errors of notebooks."""

from __future__ import annotations

from typing import Any

from alula_kernel.errors import AlulaError, NonRecoverableError


class NotebookFailedError(AlulaError):
    """A notebook did not run to its end.

    Args:
        message: What went wrong, and where.
        cell: The cell in which it did, counted from 1 in the notebook as it was written; 0 for none.
        line: The line of the cell, counted from 1; 0 if that is not known.
        exception: Name of the exception's class; empty if there was none.
    """

    def __init__(self, message: str, *, cell: int = 0, line: int = 0, exception: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.cell = cell
        self.line = line
        self.exception = exception

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.cell, self.line, self.exception)


class NotebookRefusedError(NotebookFailedError, NonRecoverableError):
    """A cell raised what another try would raise again: a `NonRecoverableError`, or a refusal of Alula's."""


class CellTraceback(Exception):
    """Shows the traceback of a cell, as the cause of the error that is raised in the task.

    Args:
        text: The traceback as the kernel tells it.
    """

    def __str__(self) -> str:
        return f"\n\n{self.args[0].rstrip()}"


def _rebuild(
    kind: type[NotebookFailedError], message: str, cell: int, line: int, exception: str
) -> NotebookFailedError:
    return kind(message, cell=cell, line=line, exception=exception)
