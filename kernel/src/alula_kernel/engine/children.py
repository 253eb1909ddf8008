"""Running many child coroutines at once: those that never wait are run where they stand, others as asyncio tasks."""

from __future__ import annotations

import collections
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..contracts import CallFailedError
from ..errors import ActionError
from .stepping import Stepper, become_task, step

if TYPE_CHECKING:
    import asyncio

K = TypeVar("K")
V = TypeVar("V")


class Children(Generic[K, V]):
    """Child coroutines by key, and those among them that have ended.

    Args:
        stepper: The stepper of the coroutine that starts and awaits them.

    Attributes:
        running: Those that wait for something, with their keys.
        ended: Key, result and failure of each child that has ended and was not taken from here yet, in the order in
            which they ended. A failure that is no `CallFailedError` is no end of a child, but of the run.
    """

    __slots__ = ("_stepper", "_wakeup", "ended", "running")

    def __init__(self, stepper: Stepper) -> None:
        self._stepper = stepper
        self.running: dict[asyncio.Task[V], K] = {}
        self._wakeup: asyncio.Future[None] | None = None
        self.ended: collections.deque[tuple[K, V | None, BaseException | None]] = collections.deque()

    def start(self, key: K, coroutine: Coroutine[Any, Any, V]) -> bool:
        """Run a child until it ends or has to wait.

        Returns:
            Whether it has ended; if not, `adopt` has to be awaited for it at once.
        """
        try:
            done, value = step(coroutine)
        except CallFailedError as failure:
            self.ended.append((key, None, failure))
            return True
        if done:
            self.ended.append((key, value, None))
        return done

    async def adopt(self, key: K, coroutine: Coroutine[Any, Any, V]) -> None:
        """Make a task of a child that has to wait."""
        try:
            await become_task(self._stepper)
        except GeneratorExit:
            coroutine.close()
            raise
        except BaseException:  # this one is cancelled; the child is there for `cancel`
            self._make_task(key, coroutine)
            raise
        self._make_task(key, coroutine)

    def _make_task(self, key: K, coroutine: Coroutine[Any, Any, V]) -> None:
        import asyncio

        task = asyncio.get_running_loop().create_task(coroutine)
        self.running[task] = key
        task.add_done_callback(self._land)

    def _land(self, task: asyncio.Task[V]) -> None:
        key = self.running.pop(task, None)
        if key is None:  # cancelled by `cancel`, which waits for it itself
            return
        failure: BaseException | None
        if task.cancelled():
            failure = CallFailedError(ActionError(code="Aborted", message="the task cancelled itself"))
        else:
            failure = task.exception()
        self.ended.append((key, task.result() if failure is None else None, failure))
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

    async def cancel(self, reason: str) -> None:
        """Cancel those that still run and wait until they have gone."""
        if not self.running:
            return
        import asyncio

        tasks = list(self.running)
        self.running.clear()
        for task in tasks:
            task.cancel(reason)
        await asyncio.gather(*tasks, return_exceptions=True)
