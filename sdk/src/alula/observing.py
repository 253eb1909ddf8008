"""Watching tasks and traced steps from inside the processes that run them, as for distributed tracing and profiling."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ._context import TaskContext

__all__ = ["Observer", "Step", "observe", "stop_observing"]


class Step(NamedTuple):
    """A call of a function with `alula.trace`."""

    name: str
    """Qualified name of the function, with its module."""
    action: str
    """Id of its action in the run's tree; empty where it is not recorded."""
    replayed: bool
    """Whether it does not run: an earlier attempt of the task has recorded its end."""
    gives_items: bool
    """Whether it is a generator, so that code of its caller runs before it has ended."""


class Observer:
    """Is told of tasks and steps, around the user's code; a subclass overrides what it wants to know.

    What is returned is entered before the code and left after it, with its exception if it raised one; returning True
    does not keep the exception back. An error of the observer is logged, and the task goes on. Called in the thread that
    runs the code, or in its asyncio task, so that context variables that are set reach the code. Several tasks may run at
    once.
    """

    def task(self, context: TaskContext) -> AbstractContextManager[object]:
        """Return what surrounds an attempt of a task, once its inputs are there.

        Args:
            context: What `alula.ctx` gives in the task. A worker process ends without its ``atexit`` handlers: where
                ``context.in_worker`` holds, what has to outlive the process must be written out on leaving.
        """
        return contextlib.nullcontext()

    def step(self, context: TaskContext, step: Step) -> AbstractContextManager[object]:
        """Return what surrounds a traced step; left at once if it is replayed.

        Args:
            context: That of the task.
            step: The step.
        """
        return contextlib.nullcontext()


observers: list[Observer] = []
"""Those of this process, as loggers are: they watch the process and not one application in it."""


def observe(observer: Observer) -> None:
    """Let an observer be told of all that runs in this process from now on.

    A task may run in another process, which imports the module of the task first: called at the top of that module, this
    works everywhere. The tasks of a script that runs itself are sent to processes pickled, and the script does not run there.
    An observer that is told already is not added again.

    Args:
        observer: The observer.
    """
    if observer not in observers:
        observers.append(observer)


def stop_observing(observer: Observer) -> None:
    """Tell an observer nothing more; what it has returned is still left. Nothing happens if it was not told before."""
    observers[:] = [one for one in observers if one is not observer]


def run_watched(execute: Callable[..., Any], inputs: Mapping[str, Any]) -> Any:
    """Run the code of a task, surrounded by what observers return."""
    with _around_task():
        return execute(**inputs)


async def run_watched_async(execute: Callable[..., Any], inputs: Mapping[str, Any]) -> Any:
    """Do the same with a coroutine function."""
    with _around_task():
        return await execute(**inputs)


def _around_task() -> AbstractContextManager[None]:
    from ._context import current_context

    context = current_context()
    return _entered(lambda observer: observer.task(context))


def around_step(
    context: TaskContext, name: str, action: str, *, replayed: bool, gives_items: bool = False
) -> AbstractContextManager[None]:
    """Return what surrounds a traced step."""
    if not observers:
        return contextlib.nullcontext()
    step = Step(name, action, replayed, gives_items)
    return _entered(lambda observer: observer.step(context, step))


@contextlib.contextmanager
def _entered(ask: Callable[[Observer], AbstractContextManager[object]]) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        for observer in tuple(observers):
            try:
                surrounding = ask(observer)
                surrounding.__enter__()
            except Exception:  # noqa: BLE001 - what an observer does wrong is no fault of the task
                _tell(observer)
            else:
                stack.push(_Left(observer, surrounding))
        yield


class _Left:
    """Leaves what an observer has returned."""

    def __init__(self, observer: Observer, surrounding: AbstractContextManager[object]) -> None:
        self._observer = observer
        self._surrounding = surrounding

    def __enter__(self) -> None:
        """Do nothing: it was entered."""

    def __exit__(self, *failure: Any) -> None:
        try:
            self._surrounding.__exit__(*failure)
        except Exception as problem:  # noqa: BLE001 - as above
            if problem is not failure[1]:
                _tell(self._observer)


def _tell(observer: Observer) -> None:
    from ._logger import logger

    logger.warning("the observer %s failed, and the task goes on", type(observer).__qualname__, exc_info=True)
