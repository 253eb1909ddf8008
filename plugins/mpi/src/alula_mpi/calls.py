"""Calls of other tasks by the ranks of a job: there are none."""

from __future__ import annotations

from alula_kernel.contracts import CallRequest, Controller
from alula_kernel.errors import UsageError
from alula_kernel.literals import Literal


class RefusedCalls(Controller):
    """A controller that refuses calls: every rank would make them, each for itself."""

    async def call(self, request: CallRequest) -> dict[str, Literal]:
        """Refuse the call.

        Raises:
            UsageError: Always.
        """
        raise _refused(request)

    def call_blocking(self, request: CallRequest) -> dict[str, Literal]:
        """Refuse the call.

        Raises:
            UsageError: Always.
        """
        raise _refused(request)

    async def enter_event_loop(self) -> None:
        """Do nothing: tasks of jobs are plain functions."""

    def note_exception(self, exception: BaseException) -> None:
        """Do nothing: nobody in this process catches it."""


def _refused(request: CallRequest) -> UsageError:
    name = request.name or str(getattr(request.target, "entity", "a task"))
    return UsageError(
        f"a task that runs under MPI called {name}, and every rank would make that call",
        hint="Call it before or after the job, in the workflow; or call the plain function: task.forward(...).",
    )
