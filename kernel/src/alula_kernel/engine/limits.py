"""Limits on what runs at once."""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING

from .stepping import Stepper, become_task

if TYPE_CHECKING:
    import asyncio


class Limiter:
    """Hands out a fixed number of slots, first come, first served. Not safe across threads or event loops.

    Args:
        limit: Number of slots; None for no limit.
    """

    __slots__ = ("free", "limit", "_waiting")

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self.free = limit or 0
        self._waiting: collections.deque[asyncio.Future[None]] = collections.deque()

    async def acquire(self, stepper: Stepper) -> None:
        """Take a slot, waiting until one is free."""
        if self.limit is None:
            return
        if self.free > 0 and not self._waiting:
            self.free -= 1
            return
        await become_task(stepper)
        import asyncio

        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release()  # the slot was handed over just before the cancellation
            else:
                self._waiting.remove(turn)
            raise

    def release(self) -> None:
        """Give a slot back, to the first that waits."""
        if self.limit is None:
            return
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.free += 1
