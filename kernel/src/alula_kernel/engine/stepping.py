"""Starting coroutines without an event loop, and giving them one only when they need it.

Most local work never waits: a plain function is called, its result is bound to the next node. Such a run needs no event
loop, and the import of asyncio alone costs more than a thousand tasks. So every action's coroutine is first stepped by
hand. When it has to wait it says so with `become_task`; whoever stepped it then makes an asyncio task of it, which goes
on where it stopped.
"""

from __future__ import annotations

import contextlib
import types
from collections.abc import Coroutine, Generator, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import EngineError
from .failures import stop_reason

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")


class Stepper:
    """Whether a coroutine already runs inside an asyncio task of its own; one per coroutine that is stepped.

    Args:
        in_task: True for a coroutine that is awaited from code that runs in a task.
    """

    __slots__ = ("in_task",)

    def __init__(self, in_task: bool = False) -> None:
        self.in_task = in_task


@types.coroutine
def become_task(stepper: Stepper) -> Generator[Any, None, None]:
    """Wait until this coroutine runs as an asyncio task. Await it before any use of asyncio."""
    if not stepper.in_task:
        yield stepper


def step(coroutine: Coroutine[Any, Any, T]) -> tuple[bool, T | None]:
    """Run a coroutine up to where it needs a task.

    Returns:
        ``(True, result)`` if it ran to its end, ``(False, None)`` if an asyncio task has to be made of it.

    Raises:
        Exception: What the coroutine raised.
        EngineError: It waited for something without having asked for a task.
    """
    try:
        waited_for = coroutine.send(None)
    except StopIteration as stop:
        return True, stop.value
    if not isinstance(waited_for, Stepper):
        coroutine.close()
        raise EngineError("a coroutine waited outside an asyncio task")
    # Here and not in the coroutine, which a signal may reach just before it waits, or a cancellation just after.
    waited_for.in_task = True
    return False, None


def run_blocking(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in this thread, with an event loop of its own only if it needs one.

    It may be called while another event loop runs in this thread, which then stands still: that is how a plain function
    calls a task from inside a task, and how a workflow is called in a notebook.
    """
    done, result = step(coroutine)
    if done:
        return result  # type: ignore[return-value]
    loop = BlockingLoop()
    try:
        return loop.run(coroutine)
    finally:
        loop.close()


class BlockingLoop:
    """An event loop for a thread that blocks, also inside a callback of another loop, which then stands still."""

    def __init__(self) -> None:
        import asyncio

        self._loop = asyncio.new_event_loop()

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end as a task; other tasks of the loop move on meanwhile."""
        with _other_loop():
            return _run_in(self._loop, coroutine)

    def close(self) -> None:
        """Cancel what is left and close the loop."""
        with _other_loop():
            try:
                _cancel_all(self._loop)
                self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            finally:
                self._loop.close()


@contextlib.contextmanager
def _other_loop() -> Iterator[None]:
    """Let another loop run in this thread.

    What is used is documented for event loops' own use. The state of the loop that runs is untouched, since it does not
    move meanwhile.
    """
    import asyncio

    outer = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(outer)


def _run_in(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine as a task; whatever stops the loop cancels the task, which ends its children in good order."""
    import asyncio

    task = loop.create_task(coroutine)
    try:
        return loop.run_until_complete(task)
    except BaseException as stop:
        if not task.done():
            task.cancel(stop_reason(stop))
            loop.run_until_complete(asyncio.wait([task]))
        if not task.cancelled():
            task.exception()  # what is raised is what stopped the loop
        raise


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    """Cancel what the user's code left running."""
    import asyncio

    tasks = asyncio.all_tasks(loop)
    if not tasks:
        return
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))


async def within(seconds: float | None, coroutine: Coroutine[Any, Any, T]) -> T:
    """Await a coroutine as a task of its own, for at most so long; the caller runs inside a task already.

    Unlike `asyncio.wait_for` before Python 3.12, it never loses a cancellation that comes just when the coroutine ends.

    Raises:
        TimeoutError: It took longer; it was cancelled and has ended.
    """
    import asyncio

    task = asyncio.get_running_loop().create_task(coroutine)
    try:
        await asyncio.wait([task], timeout=seconds)
    except asyncio.CancelledError as stop:
        task.cancel(*stop.args)
        await asyncio.wait([task])
        if not task.cancelled():
            task.exception()
        raise
    if task.done():
        return task.result()
    task.cancel("it took too long")
    await asyncio.wait([task])
    if task.cancelled():
        raise TimeoutError
    return task.result()
