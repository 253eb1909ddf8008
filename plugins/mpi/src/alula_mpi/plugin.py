"""What the plugin registers with Alula."""

from __future__ import annotations

from collections.abc import Sequence

from alula_kernel.contracts import TaskExecutor, TaskType
from alula_kernel.hookspecs import hookimpl


@hookimpl
def alula_task_types() -> Sequence[TaskType]:
    """Register the task type ``mpi``, chosen by `MPIJob`."""
    return [
        TaskType(
            name="mpi",
            config="alula_mpi.job.MPIJob",
            task_class="alula_mpi.task.MPITask",
            executor="mpi",
            description="Functions that run on every rank of an MPI job",
        ),
    ]


@hookimpl
def alula_task_executors() -> Sequence[TaskExecutor]:
    """Register the executor ``mpi``, which starts jobs with mpirun."""
    from .executor import MPIExecutor

    return [MPIExecutor()]
