"""The executor ``spark``: one driver per attempt."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator

import msgspec

from alula_kernel.builtin.process import ProcessExecutor
from alula_kernel.contracts import Attempt, Controller, ExecutorContext, Handle, Outcome, TaskExecutor
from alula_kernel.errors import MissingDependencyError, UsageError
from alula_kernel.specs import TaskSpec

from .java import java_environment
from .masters import on_this_machine


class SparkExecutor(TaskExecutor):
    """Runs each attempt as the driver of a Spark job, in a process of its own on this machine.

    Java is a child of that process and ends with it, however that ends.
    """

    name = "spark"
    task_types = ("spark",)
    enforces_timeout = True

    def __init__(self) -> None:
        self._processes = ProcessExecutor()

    def open(self, context: ExecutorContext) -> None:
        self._processes.open(context)

    def validate(self, task: TaskSpec) -> None:
        """Refuse a task for which there is no Spark.

        Raises:
            MissingDependencyError: There is no pyspark or no Java; the message says how to get it.
            UsageError: It is no Spark task, or its master is of a form that is not supported.
        """
        if task.type != "spark":
            raise UsageError(
                f"task {task.id.name} is no Spark task, and the executor spark runs nothing else",
                hint="Give it task_config=Spark(...), or choose another executor.",
            )
        if importlib.util.find_spec("pyspark") is None:
            raise MissingDependencyError(
                f"task {task.id.name} runs on Spark, and pyspark is not installed",
                hint="Install it: pip install pyspark",
            )
        java_environment()
        self._processes.validate(on_this_machine(task))

    async def submit(self, attempt: Attempt, controller: Controller) -> Handle:
        self.validate(attempt.task)
        task = on_this_machine(attempt.task)
        return await self._processes.submit(msgspec.structs.replace(attempt, task=task), controller)

    async def wait(self, handle: Handle) -> Outcome:
        return await self._processes.wait(handle)

    async def cancel(self, handle: Handle) -> None:
        await self._processes.cancel(handle)

    async def logs(self, handle: Handle, *, follow: bool = True) -> AsyncIterator[bytes]:
        async for piece in self._processes.logs(handle, follow=follow):
            yield piece

    def close(self) -> None:
        self._processes.close()
