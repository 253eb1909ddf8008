"""Starting coroutines without an event loop, and giving them one only when they need it.

Most local work never waits: a plain function is called, its result is bound to the next node. Such a run needs no event
loop, and the import of asyncio alone costs more than a thousand tasks. So every action's coroutine is first stepped by
hand. When it has to wait it says so with `become_task`; whoever stepped it then continues it as an asyncio task.
"""

from __future__ import annotations

import types
from collections.abc import Coroutine, Generator
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import EngineError

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")

_NEED_TASK = object()


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
        yield _NEED_TASK
        stepper.in_task = True


def step(coroutine: Coroutine[Any, Any, T]) -> tuple[bool, T | None]:
    """Run a coroutine up to where it needs a task.

    Returns:
        ``(True, result)`` if it ran to its end, ``(False, None)`` if it must be continued with `resume`.

    Raises:
        Exception: What the coroutine raised.
        EngineError: It waited for something without having asked for a task.
    """
    try:
        waited_for = coroutine.send(None)
    except StopIteration as stop:
        return True, stop.value
    if waited_for is not _NEED_TASK:
        coroutine.close()
        raise EngineError("a coroutine waited outside an asyncio task")
    return False, None


@types.coroutine
def _continue(coroutine: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
    return (yield from coroutine)  # type: ignore[misc]


async def resume(coroutine: Coroutine[Any, Any, T]) -> T:
    """Continue a coroutine that `step` left unfinished; to be run as an asyncio task."""
    return await _continue(coroutine)


def run_blocking(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end in this thread, with an event loop of its own only if it needs one.

    It may be called while another event loop runs in this thread, which then stands still: that is how a plain function
    calls a task from inside a task, and how a workflow is called in a notebook.
    """
    done, result = step(coroutine)
    if done:
        return result  # type: ignore[return-value]
    import asyncio

    outer = asyncio._get_running_loop()
    # Documented for event loops' own use: lets a second loop run inside a callback of the first. The first one's state
    # is untouched, since it does not run meanwhile.
    asyncio._set_running_loop(None)
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(loop.create_task(resume(coroutine)))
    finally:
        try:
            _cancel_all(loop)
            loop.run_until_complete(loop.shutdown_asyncgens())
        finally:
            loop.close()
            asyncio._set_running_loop(outer)


def _cancel_all(loop: asyncio.AbstractEventLoop) -> None:
    import asyncio

    tasks = asyncio.all_tasks(loop)
    if not tasks:
        return
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
