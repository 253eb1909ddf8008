"""Limits on what runs at once."""

from __future__ import annotations

import heapq
import itertools
from typing import TYPE_CHECKING

from .stepping import Stepper, become_task

if TYPE_CHECKING:
    import asyncio


RETURNING = 1 << 30
"""Depth for whoever has had a slot before, and needs it to come to an end."""


class Limiter:
    """Hands out a fixed number of slots. Not safe across threads or event loops.

    The deepest in the tree comes first: if others did, a thousand parents would all begin before the first child of any of
    them. Among those of one depth it is first come, first served.

    Args:
        limit: Number of slots; None or 0 for no limit.

    Attributes:
        limit: Number of slots; None for no limit.
        free: Slots that nobody has. While there are any, nobody waits.
    """

    __slots__ = ("_arrivals", "_waiting", "free", "limit")

    def __init__(self, limit: int | None) -> None:
        self.limit = limit or None
        self.free = limit or 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._arrivals = itertools.count()

    def try_acquire(self) -> bool:
        """Take a slot if one is free, and tell whether it was."""
        if self.limit is None:
            return True
        if self.free > 0:
            self.free -= 1
            return True
        return False

    async def acquire(self, stepper: Stepper, longest_seconds: float | None = None, depth: int = 0) -> None:
        """Take a slot, waiting until one is free.

        Args:
            stepper: The stepper of the coroutine that waits.
            longest_seconds: Longest wait; None for no limit.
            depth: How deep in the tree it is for.

        Raises:
            TimeoutError: No slot was free in time.
        """
        if self.try_acquire():
            return
        await become_task(stepper)
        if self.try_acquire():  # others may have moved while this became a task
            return
        import asyncio

        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        heapq.heappush(self._waiting, (-depth, next(self._arrivals), turn))
        # Not asyncio.wait_for: before Python 3.12 it may lose a cancellation, and with it the slot.
        timer = None if longest_seconds is None else loop.call_later(longest_seconds, _give_up, turn)
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled() and turn.exception() is None:
                self.release()  # the slot was handed over just before the cancellation
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def release(self) -> None:
        """Give a slot back, to whoever comes first of those that still wait."""
        if self.limit is None:
            return
        while self._waiting:
            turn = heapq.heappop(self._waiting)[2]
            if not turn.done():
                turn.set_result(None)
                return
        self.free += 1


def _give_up(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_exception(TimeoutError())
