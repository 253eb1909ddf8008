"""Slots: first come, first served, none lost, and parents that wait have none."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from alula_kernel.engine.limits import Limiter
from alula_kernel.engine.stepping import Stepper
from alula_kernel.specs import RetryPolicy


async def acquire(limiter: Limiter, longest: float | None = None) -> None:
    await limiter.acquire(Stepper(in_task=True), longest)


def test_without_a_limit() -> None:
    for limit in (None, 0):
        limiter = Limiter(limit)
        assert limiter.limit is None
        assert all(limiter.try_acquire() for _ in range(1000))
        limiter.release()


def test_slots_are_counted() -> None:
    limiter = Limiter(2)
    assert [limiter.try_acquire() for _ in range(3)] == [True, True, False]
    limiter.release()
    assert limiter.try_acquire()
    limiter.release()
    limiter.release()
    assert limiter.free == 2


def test_first_come_first_served(in_loop: Any) -> None:
    order: list[int] = []

    async def worker(limiter: Limiter, number: int) -> None:
        await acquire(limiter)
        order.append(number)
        await asyncio.sleep(0)
        limiter.release()

    async def scenario() -> None:
        limiter = Limiter(2)
        await asyncio.gather(*(worker(limiter, number) for number in range(50)))
        assert limiter.free == 2

    in_loop(scenario())
    assert order == list(range(50))


def test_the_deepest_comes_first(in_loop: Any) -> None:
    order: list[int] = []

    async def worker(limiter: Limiter, depth: int) -> None:
        await limiter.acquire(Stepper(in_task=True), depth=depth)
        order.append(depth)
        await asyncio.sleep(0)
        limiter.release()

    async def scenario() -> None:
        limiter = Limiter(1)
        await acquire(limiter)
        waiting = [asyncio.ensure_future(worker(limiter, depth)) for depth in (0, 2, 1, 0, 2)]
        await asyncio.sleep(0)
        limiter.release()
        await asyncio.gather(*waiting)

    in_loop(scenario())
    assert order == [2, 2, 1, 0, 0]


def test_a_newcomer_does_not_pass_those_who_wait(in_loop: Any) -> None:
    async def scenario() -> None:
        limiter = Limiter(1)
        await acquire(limiter)
        waiting = asyncio.ensure_future(acquire(limiter))
        await asyncio.sleep(0)
        limiter.release()
        assert not limiter.try_acquire(), "the slot was handed to the one who waits"
        await waiting
        limiter.release()
        assert limiter.free == 1

    in_loop(scenario())


def test_cancelled_while_waiting(in_loop: Any) -> None:
    async def scenario() -> None:
        limiter = Limiter(1)
        await acquire(limiter)
        first, second = (asyncio.ensure_future(acquire(limiter)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait([first])
        limiter.release()
        await second
        limiter.release()
        assert limiter.free == 1

    in_loop(scenario())


@pytest.mark.parametrize("release_first", [True, False])
def test_cancelled_just_when_the_slot_is_handed_over(in_loop: Any, release_first: bool) -> None:
    """Both happen before the one who waits runs again."""

    async def scenario() -> None:
        limiter = Limiter(1)
        await acquire(limiter)
        waiting = asyncio.ensure_future(acquire(limiter))
        await asyncio.sleep(0)
        if release_first:
            limiter.release()
            waiting.cancel()
        else:
            waiting.cancel()
            limiter.release()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert limiter.free == 1
        assert limiter.try_acquire()

    in_loop(scenario())


def test_a_slot_that_becomes_free_while_the_coroutine_becomes_a_task() -> None:
    """It must look again, or it would wait for a release that has been."""
    limiter = Limiter(1)
    assert limiter.try_acquire()
    waiting = limiter.acquire(Stepper())
    waiting.send(None)
    limiter.release()
    with pytest.raises(StopIteration):
        waiting.send(None)
    assert limiter.free == 0


def test_the_longest_wait(in_loop: Any) -> None:
    async def scenario() -> None:
        limiter = Limiter(1)
        await acquire(limiter)
        with pytest.raises(TimeoutError):
            await acquire(limiter, 0.01)
        limiter.release()
        assert limiter.free == 1
        await acquire(limiter, 0.01)
        waiting = asyncio.ensure_future(acquire(limiter, 60))
        await asyncio.sleep(0)
        limiter.release()
        await waiting

    in_loop(scenario())


@pytest.mark.parametrize("seed", range(20))
def test_no_slot_is_lost_whatever_is_cancelled(in_loop: Any, seed: int) -> None:
    chance = random.Random(seed)

    async def scenario() -> None:
        limit = chance.randint(1, 4)
        limiter = Limiter(limit)
        holding = most = 0

        async def worker() -> None:
            nonlocal holding, most
            await acquire(limiter, chance.choice([None, None, 0.002]))
            holding += 1
            most = max(most, holding)
            try:
                await asyncio.sleep(chance.choice([0, 0, 0.001]))
            finally:
                holding -= 1
                limiter.release()

        tasks = [asyncio.ensure_future(worker()) for _ in range(200)]
        for _ in range(300):
            task = chance.choice(tasks)
            task.cancel()
            if chance.random() < 0.5:
                await asyncio.sleep(0)
        await asyncio.gather(*tasks, return_exceptions=True)
        assert holding == 0
        assert most <= limit
        assert limiter.free == limit
        assert not any(not turn.done() for turn in limiter._waiting)

    in_loop(scenario())


# --- runs ----------------------------------------------------------------------------------------------------------------


def test_at_most_so_many_attempts_at_once(world: Any) -> None:
    running = most = 0

    async def work(x: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.001)
        running -= 1
        return x

    task = world.task(work)
    world.run(world.workflow(*(world.node(f"n{i}", task, x=i) for i in range(30))), max_parallelism=4)
    assert most == 4


def test_zero_is_no_limit(world: Any) -> None:
    assert world.run(world.task(lambda: 1, "one"), max_parallelism=0).value == 1


@pytest.mark.parametrize(("own", "option", "most"), [(3, None, 3), (3, 2, 2), (3, 5, 5), (3, 0, 10), (None, None, 10)])
def test_a_workflow_says_how_much_runs_at_once_unless_the_run_does(
    world: Any, own: int | None, option: int | None, most: int
) -> None:
    running: list[int] = []
    highest = 0

    async def work(x: int) -> int:
        nonlocal highest
        running.append(x)
        highest = max(highest, len(running))
        await asyncio.sleep(0.001)
        running.remove(x)
        return x

    task = world.task(work)
    nodes = [world.node(f"n{i}", task, x=i) for i in range(10)]
    flow = world.workflow(*nodes, max_parallelism=own)
    world.run(world.launch_plan(flow), max_parallelism=option)
    assert highest == most


def nest(world: Any, kinds: list[str]) -> Any:
    """Make tasks that call each other, outermost first: ``sync`` ones block, ``async`` ones await, ``wait`` ones also wait.

    The innermost returns 0, and each adds one.
    """
    task: Any = None
    for kind in reversed(kinds):
        inner = task

        def blocking(call: Any, inner: Any = inner) -> int:
            return 0 if inner is None else call(inner) + 1

        async def awaiting(call: Any, inner: Any = inner) -> int:
            return 0 if inner is None else await call.aio(inner) + 1

        async def waiting(call: Any, inner: Any = inner) -> int:
            await asyncio.sleep(0)
            result = 0 if inner is None else await call.aio(inner) + 1
            await asyncio.sleep(0)
            return result

        function = {"sync": blocking, "async": awaiting, "wait": waiting}[kind]
        # What `inner` is must not become an input.
        interface = world.task(lambda: 0, "shape").interface
        task = world.task(function, kind, interface=interface)
    return task


@pytest.mark.parametrize(
    "kinds",
    [
        ["sync"] * 11,
        ["async"] * 11,
        ["wait"] * 11,
        ["sync", "wait"] * 5 + ["sync"],
        ["wait", "sync"] * 5 + ["wait"],
        ["async", "async", "sync", "sync", "wait", "wait", "sync", "wait", "async", "sync", "wait"],
    ],
    ids=lambda kinds: "-".join(kind[0] for kind in kinds),
)
@pytest.mark.parametrize("max_parallelism", [1, 2, None])
def test_ten_levels_of_calls_with_one_slot(world: Any, kinds: list[str], max_parallelism: int | None) -> None:
    result = world.run(nest(world, kinds), max_parallelism=max_parallelism)
    assert result.value == 10
    assert len(result.actions) == 11


@pytest.mark.parametrize("max_parallelism", [1, 2, 3])
@pytest.mark.parametrize("kind", ["sync", "async", "wait"])
def test_many_nested_calls_side_by_side(world: Any, kind: str, max_parallelism: int) -> None:
    task = nest(world, [kind] * 5)

    async def parent(call: Any) -> int:
        return sum(await asyncio.gather(*(call.aio(task) for _ in range(5))))

    assert world.run(world.task(parent), max_parallelism=max_parallelism).value == 20


def test_the_limit_holds_with_nested_calls(world: Any) -> None:
    """Counted where code runs: a parent that awaits a child does not count, one that goes on does."""
    active = most = 0

    async def work() -> None:
        nonlocal active, most
        active += 1
        most = max(most, active)
        await asyncio.sleep(0.001)
        active -= 1

    async def leaf() -> int:
        await work()
        return 1

    leaf_task = world.task(leaf)

    async def parent(call: Any) -> int:
        await work()
        total = await call.aio(leaf_task)
        await work()
        total += await call.aio(leaf_task)
        await work()
        return total

    task = world.task(parent)
    nodes = [world.node(f"n{i}", task) for i in range(12)]
    assert world.run(world.workflow(*nodes), max_parallelism=3).error is None
    assert most <= 3


def test_the_limit_holds_when_plain_functions_call(world: Any) -> None:
    """What runs elsewhere meanwhile counts: the calls get the slots that are free, and that of their parent."""
    running = most = 0

    async def script(attempt: Any) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return 1

    remote = world.remote_task(script)
    inner = world.workflow(*(world.node(f"i{i}", remote) for i in range(8)))

    def parent(call: Any) -> int:
        call(inner)
        return 1

    world.run(world.task(parent), max_parallelism=3)
    assert most == 3


def test_one_coroutine_calls_while_another_comes_back(world: Any) -> None:
    """The parent must not take its slot back while it waits for a child in another of its coroutines."""

    async def leaf(x: int) -> int:
        await asyncio.sleep(0.001 * x)
        return x

    task = world.task(leaf)

    async def chain(call: Any, *delays: int) -> int:
        total = 0
        for delay in delays:
            total += await call.aio(task, x=delay)
            await asyncio.sleep(0)
        return total

    async def parent(call: Any) -> int:
        return sum(await asyncio.gather(chain(call, 1, 5, 1, 3), chain(call, 3, 1, 2), chain(call, 2, 2, 2, 2)))

    parents = [world.task(parent, f"p{i}") for i in range(4)]
    nodes = [world.node(f"n{i}", spec) for i, spec in enumerate(parents)]
    for limit in (1, 2, 3):
        result = world.run(world.workflow(*nodes), max_parallelism=limit)
        assert result.error is None


@pytest.mark.parametrize("seed", range(15))
def test_random_trees_of_calls_with_cancellations(world: Any, seed: int) -> None:
    """Bodies call with gather, in turns, with time limits that cancel; every run comes to its end."""
    chance = random.Random(seed)

    async def leaf() -> int:
        await asyncio.sleep(chance.choice([0, 0, 0.001, 0.003]))
        if chance.random() < 0.1:
            raise ValueError("bad luck")
        return 1

    def make(depth: int) -> Any:
        if depth == 0:
            return world.task(leaf, retries=RetryPolicy(user=1))
        inner = make(depth - 1)

        async def one(call: Any) -> int:
            try:
                if chance.random() < 0.3:
                    return await asyncio.wait_for(call.aio(inner), chance.choice([0.000_1, 0.002, 10]))
                return await call.aio(inner)
            except Exception:
                return 0

        async def parent(call: Any) -> int:
            total = sum(await asyncio.gather(*(one(call) for _ in range(chance.randint(1, 4)))))
            await asyncio.sleep(0)
            return total + await one(call)

        return world.task(parent, f"level{depth}")

    limit = chance.randint(1, 4)
    result = world.run(make(3), max_parallelism=limit)
    assert result.error is None
    assert all(action.final for action in result.actions.values())


def test_slots_are_whole_after_runs_with_cancelled_calls(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    limiters: list[Limiter] = []
    original = Limiter.__init__

    def note(self: Limiter, limit: int | None) -> None:
        original(self, limit)
        limiters.append(self)

    monkeypatch.setattr(Limiter, "__init__", note)
    for seed in range(5):
        limiters.clear()
        test_random_trees_of_calls_with_cancellations(world, seed)
        assert limiters[0].free == limiters[0].limit
