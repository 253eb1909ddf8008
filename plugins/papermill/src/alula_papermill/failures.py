"""What a failed notebook tells: which cell, which line, and the traceback of the kernel."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from alula_kernel.errors import UsageError

from .errors import CellTraceback, NotebookFailedError, NotebookRefusedError
from .source import INJECTED, has_tag

if TYPE_CHECKING:
    from nbformat import NotebookNode
    from papermill.exceptions import PapermillExecutionError

_LINE = r"Cell In ?\[{count}\], line (\d+)"
_ERROR_MARKER = "papermill-error-cell-tag"


def describe(
    problem: Exception, path: str, executed: NotebookNode | None, *, refused: bool, mask: Callable[[str], str]
) -> Exception:
    """Return what to raise in the task for what papermill raised.

    Args:
        problem: What papermill raised.
        path: The notebook.
        executed: The notebook as far as it was executed; None if it was not begun.
        refused: Whether the kernel says that another try would fail too.
        mask: Takes secrets out of a text.
    """
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    if isinstance(problem, PapermillExecutionError):
        return _of_cell(problem, path, executed, NotebookRefusedError if refused else NotebookFailedError, mask)
    if isinstance(problem, NoSuchKernel):
        from jupyter_client.kernelspec import KernelSpecManager

        return UsageError(
            f"there is no Jupyter kernel {problem.name!r}, for {path}",
            hint=f"Kernels here: {', '.join(sorted(KernelSpecManager().find_kernel_specs()))}. Without kernel_name the "
            "notebook runs in the task's own Python.",
        )
    cell = _last_begun(executed) if executed is not None else 0
    where = f"cell {cell} of {path}" if cell else path
    if isinstance(problem, CellTimeoutError):
        return NotebookFailedError(f"{where} ran longer than its execution_timeout", cell=cell)
    if isinstance(problem, DeadKernelError):
        return NotebookFailedError(f"the kernel died in {where}", cell=cell)
    return NotebookFailedError(f"{path} could not be executed: {type(problem).__name__}: {problem}", cell=cell)


def _of_cell(
    problem: PapermillExecutionError,
    path: str,
    executed: NotebookNode | None,
    kind: type[NotebookFailedError],
    mask: Callable[[str], str],
) -> NotebookFailedError:
    from nbconvert.filters import strip_ansi

    traceback = strip_ansi("\n".join(problem.traceback))
    summary = f"{problem.ename}: {strip_ansi(problem.evalue)}".rstrip(": ")
    if executed is not None:
        cells = [cell for cell in executed.cells if not has_tag(cell, _ERROR_MARKER)]
        if has_tag(cells[problem.cell_index], INJECTED):
            where, number = f"the cell with the inputs of {path}", 0
        else:
            number = _number(cells, problem.cell_index)
            where = f"cell {number} of {path}"
    else:
        where, number = path, 0
    found = re.search(_LINE.format(count=problem.exec_count), traceback)
    line = int(found[1]) if found else 0
    lines = problem.source.splitlines()
    message = f"{where} failed: {summary}"
    if 0 < line <= len(lines):
        message += f"\n  line {line}: {lines[line - 1].strip()}"
    error = kind(mask(message), cell=number, line=line, exception=problem.ename)
    error.__cause__ = CellTraceback(mask(traceback)) if traceback else None
    return error


def _number(cells: list[NotebookNode], index: int) -> int:
    """Return the number of a cell among those that somebody wrote."""
    return sum(not has_tag(cell, INJECTED) for cell in cells[: index + 1])


def _last_begun(executed: NotebookNode) -> int:
    """Return the number of the last cell that was begun; 0 for none."""
    begun = [index for index, cell in enumerate(executed.cells) if cell.metadata.get("papermill", {}).get("start_time")]
    return _number(executed.cells, begun[-1]) if begun else 0
