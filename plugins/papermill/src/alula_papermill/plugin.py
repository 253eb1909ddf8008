"""What the plugin registers with Alula."""

from __future__ import annotations

from collections.abc import Sequence

from alula_kernel.contracts import TaskType
from alula_kernel.hookspecs import hookimpl


@hookimpl
def alula_task_types() -> Sequence[TaskType]:
    """Register the task type ``notebook``, which runs wherever Python tasks run."""
    return [
        TaskType(name="notebook", task_class="alula_papermill.task.NotebookTask", description="Jupyter notebooks"),
    ]
