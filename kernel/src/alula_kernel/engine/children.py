"""Running many child coroutines at once: those that never wait are run where they stand, others as asyncio tasks."""

from __future__ import annotations

import collections
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..contracts import CallFailedError
from ..errors import ActionError
from .stepping import Stepper, become_task, resume, step

if TYPE_CHECKING:
    import asyncio

K = TypeVar("K")
V = TypeVar("V")


class Children(Generic[K, V]):
    """Child coroutines by key, and those among them that have ended.

    Args:
        stepper: The stepper of the coroutine that starts and awaits them.
    """

    __slots__ = ("_running", "_stepper", "_wakeup", "ended")

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper
        self._running: dict[asyncio.Task[V], K] = {}
        self._wakeup: asyncio.Future[None] | None = None
        self.ended: collections.deque[tuple[K, V | None, CallFailedError | None]] = collections.deque()

    @property
    def running(self) -> int:
        """How many wait for something."""
        return len(self._running)

    async def start(self, key: K, coroutine: Coroutine[Any, Any, V]) -> None:
        """Run a child until it ends or has to wait."""
        try:
            done, value = step(coroutine)
        except CallFailedError as failure:
            self.ended.append((key, None, failure))
            return
        if done:
            self.ended.append((key, value, None))
            return
        await become_task(self._stepper)
        import asyncio

        task = asyncio.get_running_loop().create_task(resume(coroutine))
        self._running[task] = key
        task.add_done_callback(self._land)

    def _land(self, task: asyncio.Task[V]) -> None:
        key = self._running.pop(task, None)
        if key is None:  # cancelled by `cancel`, which waits for it itself
            return
        if task.cancelled():
            error = ActionError(code="Aborted", message="the task cancelled itself")
            failure: BaseException | None = CallFailedError(error)
        else:
            failure = task.exception()
        if failure is None:
            self.ended.append((key, task.result(), None))
        elif isinstance(failure, CallFailedError):
            self.ended.append((key, None, failure))
        elif self._wakeup is not None and not self._wakeup.done():
            self._wakeup.set_exception(failure)
            return
        if self._wakeup is not None and not self._wakeup.done():
            self._wakeup.set_result(None)

    async def next_end(self) -> None:
        """Wait until at least one more child has ended."""
        import asyncio

        if self.ended:
            return
        self._wakeup = asyncio.get_running_loop().create_future()
        try:
            await self._wakeup
        finally:
            self._wakeup = None

    async def cancel(self) -> None:
        """Cancel those that still run and wait until they have gone."""
        if not self._running:
            return
        import asyncio

        tasks = list(self._running)
        self._running.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
