"""AU-42: batches gathered from many coroutines."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

import alula
from alula import TaskEnvironment, errors
from alula.extras import DynamicBatcher


class Model:
    """Doubles records by the batch, and remembers the batches."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate: asyncio.Event | None = None

    async def __call__(self, batch: list[int]) -> list[int]:
        self.batches.append(batch)
        if self.gate is not None:
            await self.gate.wait()
        return [2 * x for x in batch]


def run(body: Callable[[Model], Awaitable[Any]]) -> Model:
    model = Model()
    asyncio.run(asyncio.wait_for(_as_coroutine(body, model), 60))
    return model


async def _as_coroutine(body: Callable[[Model], Awaitable[Any]], model: Model) -> None:
    await body(model)


async def results(futures: Sequence[asyncio.Future[int]]) -> list[int]:
    return await asyncio.gather(*futures)


def test_batches_by_size_and_in_order() -> None:
    async def body(model: Model) -> None:
        async with DynamicBatcher(model, max_batch_size=4) as batcher:
            assert await results(await batcher.submit_batch(range(10))) == [2 * x for x in range(10)]
            assert batcher.stats.total_submitted == batcher.stats.total_completed == 10
            assert batcher.stats.total_batches == len(model.batches)
            assert 0 <= batcher.stats.utilization <= 1
            assert batcher.stats.avg_batch_size == 10 / len(model.batches)
        assert not batcher.is_running

    model = run(body)
    assert [x for batch in model.batches for x in batch] == list(range(10))
    assert max(map(len, model.batches)) == 4


def test_batches_by_cost() -> None:
    async def body(model: Model) -> None:
        async with DynamicBatcher(model, target_batch_cost=10, cost_estimator=lambda x: x) as batcher:
            futures = await batcher.submit_batch([4, 5, 6, 100, 1, 2], estimated_cost=None)
            await results(futures)
            await (await batcher.submit(3, estimated_cost=10))
            assert batcher.stats.total_batch_cost == 4 + 5 + 6 + 100 + 1 + 2 + 10

    model = run(body)
    assert model.batches == [[4, 5], [6], [100], [1, 2], [3]]


def test_a_record_may_know_its_cost() -> None:
    class Prompt:
        def __init__(self, text: str) -> None:
            self.text = text

        def estimate_cost(self) -> int:
            return len(self.text)

    async def body(_model: Model) -> None:
        sizes = []

        async def process(batch: list[Prompt]) -> list[str]:
            sizes.append(len(batch))
            return [prompt.text for prompt in batch]

        async with DynamicBatcher(process, target_batch_cost=4) as batcher:
            futures = await batcher.submit_batch([Prompt("abc"), Prompt("ab"), Prompt("c")])
            assert [await future for future in futures] == ["abc", "ab", "c"]
        assert sizes == [1, 2]

    run(body)


def test_a_batch_waits_for_company_until_there_is_enough() -> None:
    async def body(model: Model) -> None:
        async with DynamicBatcher(model, min_batch_size=3, batch_timeout_s=0.0) as batcher:
            futures = [await batcher.submit(x) for x in range(2)]
            await asyncio.sleep(0.02)
            assert model.batches == []
            futures.append(await batcher.submit(2))
            assert await results(futures) == [0, 2, 4]
            last = await batcher.submit(9)
        assert await last == 18

    assert run(body).batches == [[0, 1, 2], [9]]


def test_submit_waits_while_the_queue_is_full() -> None:
    async def body(model: Model) -> None:
        model.gate = asyncio.Event()
        async with DynamicBatcher(model, max_queue_size=2, max_batch_size=2, batch_timeout_s=0.0) as batcher:
            first = await batcher.submit(0)
            while not model.batches:
                await asyncio.sleep(0)
            futures = [await batcher.submit(x) for x in (1, 2)]
            late = asyncio.ensure_future(batcher.submit(3))
            await asyncio.sleep(0.01)
            assert not late.done()
            model.gate.set()
            assert await results([first, *futures, await late]) == [0, 2, 4, 6]

    assert run(body).batches == [[0], [1, 2], [3]]


def test_failures_reach_everybody_in_the_batch_and_the_next_one_works() -> None:
    async def body(_model: Model) -> None:
        async def process(batch: list[int]) -> list[int]:
            if 0 in batch:
                raise ValueError("no zeros")
            return batch[1:] if 7 in batch else batch

        async with DynamicBatcher(process, max_batch_size=2) as batcher:
            futures = await batcher.submit_batch([0, 1, 7, 8, 3])
            found = await asyncio.gather(*futures, return_exceptions=True)
        assert [str(x) for x in found[:2]] == ["no zeros"] * 2
        assert all("2 records and returned 1 results" in str(x) for x in found[2:4])
        assert found[4] == 3

    run(body)


def test_a_record_that_nobody_waits_for_is_left_out() -> None:
    async def body(model: Model) -> None:
        model.gate = asyncio.Event()
        async with DynamicBatcher(model, batch_timeout_s=0.0) as batcher:
            first = await batcher.submit(0)
            while not model.batches:
                await asyncio.sleep(0)
            second, third = await batcher.submit(1), await batcher.submit(2)
            second.cancel()
            model.gate.set()
            assert await results([first, third]) == [0, 4]

    assert run(body).batches == [[0], [2]]


def test_it_must_run_and_be_sensible() -> None:
    async def body(model: Model) -> None:
        batcher = DynamicBatcher(model)
        with pytest.raises(errors.UsageError, match="does not run"):
            await batcher.submit(1)
        await batcher.start()
        with pytest.raises(errors.UsageError, match="runs already"):
            await batcher.start()
        await batcher.stop()
        await batcher.stop()
        with pytest.raises(errors.UsageError, match="does not run"):
            await batcher.submit(1)
        await batcher.start()
        future = await batcher.submit(1)
        await batcher.stop()
        assert future.result() == 2

    run(body)
    with pytest.raises(errors.UsageError, match="min_batch_size"):
        DynamicBatcher(Model(), min_batch_size=300)
    with pytest.raises(errors.UsageError, match="at least 1"):
        DynamicBatcher(Model(), max_batch_size=0)


def test_tasks_side_by_side_share_a_batcher() -> None:
    env = TaskEnvironment(name="batching")
    model = Model()
    batchers: list[DynamicBatcher[int, int]] = []

    @env.task
    async def infer(x: int) -> int:
        return await (await batchers[0].submit(x))

    @env.task
    async def main() -> list[int]:
        async with DynamicBatcher(model, max_batch_size=8) as batcher:
            batchers.append(batcher)
            return [x async for x in alula.map.aio(infer, range(16))]

    assert asyncio.run(main()) == [2 * x for x in range(16)]
    assert len(model.batches) < 16
