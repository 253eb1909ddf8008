"""Batching: many coroutines hand in single records, and one function works on them by the batch."""

from __future__ import annotations

import collections
import time
from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar, runtime_checkable

import msgspec

from alula_kernel.errors import UsageError

from ._state import call_site

if TYPE_CHECKING:
    import asyncio

RecordT = TypeVar("RecordT")
ResultT = TypeVar("ResultT")


@runtime_checkable
class CostEstimator(Protocol):
    """A record that knows what it costs."""

    def estimate_cost(self) -> int:
        """Return the cost, in the unit of `DynamicBatcher`'s ``target_batch_cost``."""


class BatchStats(msgspec.Struct):
    """What a batcher has done.

    Attributes:
        total_submitted: Records that were handed in.
        total_completed: Records whose future is done.
        total_batches: Batches that were worked on.
        total_batch_cost: Cost of all their records.
        busy_time_s: Seconds in which a batch was worked on.
        idle_time_s: Seconds in which records, or more of them, were waited for.
    """

    total_submitted: int = 0
    total_completed: int = 0
    total_batches: int = 0
    total_batch_cost: int = 0
    busy_time_s: float = 0.0
    idle_time_s: float = 0.0

    @property
    def avg_batch_size(self) -> float:
        """Records per batch."""
        return self.total_completed / self.total_batches if self.total_batches else 0.0

    @property
    def avg_batch_cost(self) -> float:
        """Cost per batch."""
        return self.total_batch_cost / self.total_batches if self.total_batches else 0.0

    @property
    def utilization(self) -> float:
        """Share of the time in which a batch was worked on, 0 to 1."""
        total = self.busy_time_s + self.idle_time_s
        return self.busy_time_s / total if total else 0.0


class _Entry(Generic[RecordT, ResultT]):
    """A record that waits for a batch."""

    __slots__ = ("cost", "future", "record")

    def __init__(self, record: RecordT, cost: int, future: asyncio.Future[ResultT]) -> None:
        self.record = record
        self.cost = cost
        self.future = future


class DynamicBatcher(Generic[RecordT, ResultT]):
    """Gathers records of many coroutines into batches, to keep a GPU or a remote service busy.

    One batch is worked on at a time; meanwhile the next one gathers. A batch is complete when its cost reaches the target, when
    it has its largest size, or when its first record has waited long enough. All use belongs to one event loop, as the tasks that
    run side by side in one process have it::

        async with DynamicBatcher(embed, target_batch_cost=8_000) as batcher:
            future = await batcher.submit(text, estimated_cost=len(text))
            vector = await future

    Args:
        process_fn: Coroutine function that takes a list of records and returns a list of results in the same order.
        cost_estimator: Returns the cost of a record; without it, a record's own ``estimate_cost()`` counts, or
            `default_cost`.
        target_batch_cost: Cost at which a batch is complete. A record that costs more goes alone.
        max_batch_size: Most records of a batch.
        min_batch_size: Records that a batch waits for beyond `batch_timeout_s`, as long as the batcher is not being stopped.
        batch_timeout_s: Longest wait of a batch's first record for others, in seconds.
        max_queue_size: Records that may wait; `submit` waits while there are so many.
        default_cost: Cost of a record of which nothing else is known.

    Raises:
        UsageError: A number is out of its range.

    Attributes:
        stats: What it has done.
    """

    def __init__(
        self,
        process_fn: Callable[[list[RecordT]], Awaitable[Sequence[ResultT]]],
        *,
        cost_estimator: Callable[[RecordT], int] | None = None,
        target_batch_cost: int = 32_000,
        max_batch_size: int = 256,
        min_batch_size: int = 1,
        batch_timeout_s: float = 0.05,
        max_queue_size: int = 5_000,
        default_cost: int = 1,
    ) -> None:
        if max_batch_size < 1 or max_queue_size < 1 or target_batch_cost < 1 or batch_timeout_s < 0:
            raise UsageError("sizes and costs of a batcher must be at least 1", location=call_site())
        if not 1 <= min_batch_size <= min(max_batch_size, max_queue_size):
            raise UsageError(
                f"min_batch_size must be between 1 and the largest batch and queue, found {min_batch_size}",
                location=call_site(),
            )
        self.stats = BatchStats()
        self._process = process_fn
        self._cost_of = cost_estimator
        self._target_cost = target_batch_cost
        self._max_size = max_batch_size
        self._min_size = min_batch_size
        self._longest_wait_s = batch_timeout_s
        self._room = max_queue_size
        self._default_cost = default_cost
        self._waiting: collections.deque[_Entry[RecordT, ResultT]] = collections.deque()
        self._waiting_cost = 0
        self._changed: asyncio.Condition | None = None
        self._worker: asyncio.Task[None] | None = None
        self._stopping = False

    @property
    def is_running(self) -> bool:
        """Whether it takes records."""
        return self._worker is not None and not self._stopping

    async def start(self) -> None:
        """Begin to take records.

        Raises:
            UsageError: It runs already.
        """
        if self._worker is not None:
            raise UsageError("the batcher runs already", location=call_site())
        import asyncio

        self._stopping = False
        self._changed = asyncio.Condition()
        self._worker = asyncio.get_running_loop().create_task(self._work())

    async def stop(self) -> None:
        """Work on what was handed in, and stop. Idempotent."""
        if self._worker is None or self._changed is None:
            return
        self._stopping = True
        async with self._changed:
            self._changed.notify_all()
        await self._worker
        self._worker = None

    async def submit(self, record: RecordT, *, estimated_cost: int | None = None) -> asyncio.Future[ResultT]:
        """Hand in a record, waiting while too many are there, and return the future of its result.

        Args:
            record: The record.
            estimated_cost: Its cost; estimated if it is not given.

        Raises:
            UsageError: The batcher does not run.
        """
        import asyncio

        cost = self._cost(record) if estimated_cost is None else estimated_cost
        changed = self._changed
        if changed is not None:
            async with changed:
                while len(self._waiting) >= self._room and not self._stopping:
                    await changed.wait()
                if self.is_running:
                    future: asyncio.Future[ResultT] = asyncio.get_running_loop().create_future()
                    self._waiting.append(_Entry(record, cost, future))
                    self._waiting_cost += cost
                    self.stats.total_submitted += 1
                    changed.notify_all()
                    return future
        raise UsageError(
            "the batcher does not run", hint="Use it as `async with DynamicBatcher(...)`.", location=call_site()
        )

    async def submit_batch(
        self, records: Sequence[RecordT], *, estimated_cost: Sequence[int] | None = None
    ) -> list[asyncio.Future[ResultT]]:
        """Hand in records one after the other; otherwise as `submit`.

        Args:
            records: The records.
            estimated_cost: The cost of each.
        """
        costs: Sequence[int | None] = [None] * len(records) if estimated_cost is None else estimated_cost
        return [await self.submit(r, estimated_cost=cost) for r, cost in zip(records, costs, strict=True)]

    def _cost(self, record: RecordT) -> int:
        if self._cost_of is not None:
            return self._cost_of(record)
        return record.estimate_cost() if isinstance(record, CostEstimator) else self._default_cost

    # --- the worker --------------------------------------------------------------------------------------------------

    async def _work(self) -> None:
        began = time.monotonic()
        while True:
            await self._gather()
            batch = await self._take()
            if not batch:
                if self._stopping and not self._waiting:
                    return
                continue
            ready = time.monotonic()
            await self._run(batch)
            ended = time.monotonic()
            self.stats.idle_time_s += ready - began
            self.stats.busy_time_s += ended - ready
            began = ended

    async def _gather(self) -> None:
        """Wait until a batch is complete, or has waited long enough."""
        changed = self._changed
        assert changed is not None
        async with changed:
            while not self._waiting and not self._stopping:
                await changed.wait()
        deadline = time.monotonic() + self._longest_wait_s
        while not self._complete():
            left = deadline - time.monotonic()
            if left <= 0 and len(self._waiting) >= self._min_size:
                return
            await self._wait_for_change(left if left > 0 else None)

    async def _wait_for_change(self, longest_s: float | None) -> None:
        import asyncio

        changed = self._changed
        assert changed is not None

        async def wait() -> None:
            async with changed:
                if not self._complete():
                    await changed.wait()

        waiting = asyncio.ensure_future(wait())
        try:
            await asyncio.wait([waiting], timeout=longest_s)
        finally:
            waiting.cancel()

    def _complete(self) -> bool:
        full = len(self._waiting) >= min(self._max_size, self._room) or self._waiting_cost >= self._target_cost
        return full or self._stopping

    async def _take(self) -> list[_Entry[RecordT, ResultT]]:
        """Take the next batch from what waits, without records that nobody waits for any more."""
        changed = self._changed
        assert changed is not None
        batch: list[_Entry[RecordT, ResultT]] = []
        cost = 0
        async with changed:
            while self._waiting and len(batch) < self._max_size:
                entry = self._waiting[0]
                if batch and cost + entry.cost > self._target_cost:
                    break
                self._waiting.popleft()
                self._waiting_cost -= entry.cost
                if not entry.future.cancelled():
                    batch.append(entry)
                    cost += entry.cost
            self.stats.total_batch_cost += cost
            changed.notify_all()
        return batch

    async def _run(self, batch: list[_Entry[RecordT, ResultT]]) -> None:
        import asyncio

        try:
            results = list(await self._process([entry.record for entry in batch]))
            if len(results) != len(batch):
                raise UsageError(f"the function was given {len(batch)} records and returned {len(results)} results")
        except asyncio.CancelledError:
            self._settle(batch, lambda entry, _index: entry.future.cancel())
            raise
        except Exception as failure:  # noqa: BLE001 - the user's function may raise anything; every waiter is told
            problem = failure
            self._settle(batch, lambda entry, _index: entry.future.set_exception(problem))
        else:
            self._settle(batch, lambda entry, index: entry.future.set_result(results[index]))
        self.stats.total_batches += 1
        self.stats.total_completed += len(batch)

    @staticmethod
    def _settle(batch: list[_Entry[RecordT, ResultT]], settle: Callable[[_Entry[RecordT, ResultT], int], Any]) -> None:
        for index, entry in enumerate(batch):
            if not entry.future.done():
                settle(entry, index)

    async def __aenter__(self) -> DynamicBatcher[RecordT, ResultT]:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()


__all__ = ["BatchStats", "CostEstimator", "DynamicBatcher"]
