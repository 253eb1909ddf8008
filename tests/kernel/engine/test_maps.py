"""Maps: one child per item, and an end as soon as the answer is certain."""

from __future__ import annotations

import asyncio
import gc
import itertools
import random
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula_kernel.engine import Phase
from alula_kernel.engine.maps import min_successes
from alula_kernel.literals import ListLiteral, Scalar
from alula_kernel.specs import EntityId, MapTarget, RetryPolicy


def inc(x: int) -> int:
    return x + 1


def odd_fails(x: int) -> int:
    if x % 2:
        raise ValueError(f"{x} is odd")
    return x


def test_results_in_order(world: Any) -> None:
    result = world.run(world.map_workflow(world.task(inc), list(range(10))))
    assert result.value == list(range(1, 11))
    assert list(result.phases) == ["a0.m", *(f"a0.m[{i}]" for i in range(10))]
    assert result.actions["a0.m"].kind == "map"
    item = result.actions["a0.m[3]"]
    assert (item.parent, item.kind, item.name, item.inputs) == ("a0.m", "task", "inc[3]", {"x": Scalar(3)})


def test_results_in_order_whoever_ends_first(world: Any) -> None:
    delays = random.Random(1)

    async def slow(x: int) -> int:
        await asyncio.sleep(delays.random() * 0.02)
        return x

    assert world.run(world.map_workflow(world.task(slow), list(range(50)))).value == list(range(50))


def test_inputs_that_are_not_mapped_are_given_to_all(world: Any) -> None:
    add = world.task(lambda x, y, z: x + y + z, "add")
    flow = world.workflow(
        world.node("m", world.map(add, "x", "y"), x=[1, 2, 3], y=[10, 20, 30], z=100), outputs=world.ref("m")
    )
    assert world.run(flow).value == [111, 122, 133]


def test_all_inputs_bound_is_one_item(world: Any) -> None:
    task = world.task(inc)
    flow = world.workflow(world.node("m", MapTarget(task.id, mapped=(), results=("o0",)), x=5), outputs=world.ref("m"))
    assert world.run(flow).value == [6]


def test_an_empty_list(world: Any) -> None:
    result = world.run(world.map_workflow(world.task(inc), []))
    assert result.value == []
    assert result.phases == {"a0.m": "succeeded"}


@pytest.mark.parametrize("settings", [{"min_successes": 3}, {"min_success_ratio": 0.5}])
def test_an_empty_list_needs_no_successes(world: Any, settings: Any) -> None:
    assert world.run(world.map_workflow(world.task(inc), [], **settings)).value == []


def test_what_is_no_list(world: Any) -> None:
    result = world.run(world.map_workflow(world.task(inc), 5))
    assert (result.error.code, result.error.message) == ("InvalidMapInput", "input 'x' is not a list")
    assert result.error.action == "a0.m"


def test_lists_of_different_lengths(world: Any) -> None:
    add = world.task(lambda x, y: x + y, "add")
    result = world.run(world.workflow(world.node("m", world.map(add, "x", "y"), x=[1, 2], y=[1, 2, 3])))
    assert result.error.code == "InvalidArrayLength"
    assert "'x' has 2, 'y' has 3" in result.error.message
    assert world.log == []


def test_a_task_without_outputs(world: Any) -> None:
    note = world.task(lambda x: world.log.append((x,)), "note", outputs=())
    result = world.run(world.map_workflow(note, [1, 2], results=()))
    assert result.error is None
    assert result.actions["a0.m"].outputs == {}
    assert world.log == ["note", (1,), "note", (2,)]


def test_several_outputs(world: Any) -> None:
    pair = world.task(lambda x: (x, -x), "pair", outputs=("a", "b"))
    flow = world.workflow(
        world.node("m", world.map(pair, results=("a", "b")), x=[1, 2]),
        outputs={"a": world.ref("m", "a"), "b": world.ref("m", "b", 1)},
    )
    assert world.run(flow).outputs == {"a": [1, 2], "b": -2}


def test_a_failed_item_fails_the_map_with_its_own_error(world: Any) -> None:
    result = world.run(world.map_workflow(world.task(odd_fails), [0, 2, 3, 4, 6]))
    assert (result.error.code, result.error.message, result.error.action) == ("ValueError", "3 is odd", "a0.m[2]")
    assert isinstance(result.original, ValueError)
    assert len(world.log) == 3, "nothing starts after the answer is certain"
    assert result.phases == {
        "a0.m": "failed",
        "a0.m[0]": "succeeded",
        "a0.m[1]": "succeeded",
        "a0.m[2]": "failed",
    }


# --- how many must succeed -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio", "size", "needed"),
    [
        (1.0, 7, 7),
        (0.9, 100, 90),
        (0.7, 10, 7),
        (0.1, 3, 1),
        (0.5, 3, 2),
        (0.55, 100, 55),
        (0.29, 100, 29),
        (1 / 3, 3, 1),
        (2 / 3, 3, 2),
        (0.0, 5, 0),
        (0.001, 5, 1),
        (0.5, 0, 0),
        (2.0, 5, 5),
    ],
)
def test_a_ratio_is_rounded_up(ratio: float, size: int, needed: int) -> None:
    assert min_successes(MapTarget(EntityId("task", "t"), mapped=("x",), min_success_ratio=ratio), size) == needed


@given(st.integers(0, 1000), st.integers(1, 1000))
def test_a_ratio_that_was_meant_as_a_count_is_that_count(count: int, size: int) -> None:
    target = MapTarget(EntityId("task", "t"), mapped=("x",), min_success_ratio=min(count, size) / size)
    assert min_successes(target, size) == min(count, size)


def test_a_count_comes_before_a_ratio() -> None:
    target = MapTarget(EntityId("task", "t"), mapped=("x",), min_success_ratio=1.0, min_successes=2)
    assert min_successes(target, 10) == 2
    assert min_successes(target, 1) == 1


def failing(world: Any, *bad: int) -> Any:
    def run(x: int) -> int:
        if x in bad:
            raise ValueError(f"{x} is bad")
        return x

    return world.task(run)


def test_failures_that_are_tolerated_leave_none(world: Any) -> None:
    flow = world.map_workflow(failing(world, 1, 3), list(range(5)), min_success_ratio=0.6)
    result = world.run(flow)
    assert result.value == [0, None, 2, None, 4]
    assert result.phases["a0.m[1]"] == "failed"
    assert result.phases["a0.m"] == "succeeded"


def test_five_failures_of_a_hundred(world: Any) -> None:
    flow = world.map_workflow(failing(world, *range(50, 55)), list(range(100)), min_success_ratio=0.9)
    values = world.run(flow).value
    assert values.count(None) == 5
    assert len(world.log) == 100


def test_eleven_failures_of_a_hundred_end_it_at_the_eleventh(world: Any) -> None:
    flow = world.map_workflow(failing(world, *range(50, 61)), list(range(100)), min_success_ratio=0.9)
    result = world.run(flow)
    assert len(world.log) == 61
    assert result.error.code == "TooManyFailures"
    assert result.error.message == (
        "11 of 100 items failed, so that the 90 successes that are needed cannot be reached; "
        "the first failure was a0.m[50]: ValueError: 50 is bad"
    )
    assert result.error.action == "a0.m"


def test_the_eleventh_failure_stops_those_that_run(world: Any) -> None:
    async def run(x: int) -> int:
        if x < 11:
            await asyncio.sleep(0.01)
            raise ValueError("bad")
        await asyncio.sleep(3600)
        return x

    result = world.run(world.map_workflow(world.task(run), list(range(100)), min_success_ratio=0.9))
    assert result.error.code == "TooManyFailures"
    phases = [result.phases[f"a0.m[{i}]"] for i in range(100)]
    assert phases == ["failed"] * 11 + ["aborted"] * 89


@pytest.mark.parametrize("asynchronous", [False, True])
def test_run_all(world: Any, asynchronous: bool) -> None:
    async def run_async(x: int) -> int:
        await asyncio.sleep(0)
        return odd_fails(x)

    task = world.task(run_async if asynchronous else odd_fails)
    result = world.run(world.map_workflow(task, list(range(20)), min_successes=15, run_all=True))
    assert result.error.code == "TooManyFailures"
    assert result.error.message.startswith("10 of 20 items failed")
    assert len(world.log) == 20
    assert list(result.phases.values()).count("succeeded") == 10


def test_items_are_tried_again_by_themselves(world: Any) -> None:
    tries = itertools.count()

    def flaky(x: int) -> int:
        if next(tries) % 2 == 0:
            raise ValueError("at first")
        return x

    result = world.run(world.map_workflow(world.task(flaky, retries=RetryPolicy(user=1)), [1, 2, 3]))
    assert result.value == [1, 2, 3]
    assert [len(result.actions[f"a0.m[{i}]"].attempts) for i in range(3)] == [2, 2, 2]


# --- how many at once ----------------------------------------------------------------------------------------------------


class Gauge:
    """Counts what runs at once."""

    def __init__(self) -> None:
        self.running = self.most = 0

    async def run(self, x: int) -> int:
        self.running += 1
        self.most = max(self.most, self.running)
        await asyncio.sleep(0.001 * (x % 3))
        self.running -= 1
        return x


@pytest.mark.parametrize(
    ("concurrency", "max_parallelism", "most"),
    [(1, None, 1), (3, None, 3), (None, 4, 4), (7, 4, 4), (2, 5, 2), (0, 5, 5), (None, None, 40), (0, None, 40)],
)
def test_concurrency(world: Any, concurrency: int | None, max_parallelism: int | None, most: int) -> None:
    gauge = Gauge()

    async def run(x: int) -> int:
        return await gauge.run(x)

    flow = world.map_workflow(world.task(run), list(range(40)), concurrency=concurrency)
    assert world.run(flow, max_parallelism=max_parallelism).value == list(range(40))
    assert gauge.most == most


def test_no_more_children_are_made_than_may_run(world: Any) -> None:
    """Those that wait for a slot would only take memory."""
    gauge = Gauge()
    made: list[int] = []

    async def run(x: int) -> int:
        made.append(sum(1 for event in world.events if event.phase == "queued" and "[" in event.action) - x)
        return await gauge.run(x)

    flow = world.map_workflow(world.task(run), list(range(100)))
    world.run(flow, max_parallelism=5)
    assert max(made) <= 5


def test_concurrency_of_maps_beside_each_other(world: Any) -> None:
    gauges = [Gauge(), Gauge()]

    def make(gauge: Gauge) -> Any:
        async def run(x: int) -> int:
            return await gauge.run(x)

        return world.task(run)

    nodes = [
        world.node(f"m{i}", world.map(make(gauge), concurrency=i + 2), x=list(range(20)))
        for i, gauge in enumerate(gauges)
    ]
    world.run(world.workflow(*nodes))
    assert [gauge.most for gauge in gauges] == [2, 3]


# --- what else can be mapped ---------------------------------------------------------------------------------------------


def test_mapping_a_workflow(world: Any) -> None:
    task = world.task(inc)
    inner = world.workflow(
        world.node("i0", task, x=world.ref("", "x")),
        world.node("i1", task, x=world.ref("i0")),
        inputs=["x"],
        outputs=world.ref("i1"),
    )
    result = world.run(world.map_workflow(inner, [1, 2]))
    assert result.value == [3, 4]
    assert list(result.phases) == ["a0.m", "a0.m[0]", "a0.m[0].i0", "a0.m[0].i1", "a0.m[1]", "a0.m[1].i0", "a0.m[1].i1"]
    assert result.actions["a0.m[1]"].kind == "workflow"


def test_mapping_a_launch_plan(world: Any) -> None:
    add = world.task(lambda x, y: x + y, "add")
    flow = world.workflow(
        world.node("n0", add, x=world.ref("", "x"), y=world.ref("", "y")),
        inputs=["x", "y"],
        outputs=world.ref("n0"),
    )
    plan = world.launch_plan(flow, fixed_inputs={"y": Scalar(100)})
    result = world.run(world.map_workflow(plan, [1, 2]))
    assert result.value == [101, 102]
    assert result.actions["a0.m[0]"].kind == "launch_plan"


def test_a_map_in_a_mapped_workflow(world: Any) -> None:
    inner = world.workflow(
        world.node("m", world.map(world.task(inc)), x=world.ref("", "x")), inputs=["x"], outputs=world.ref("m")
    )
    assert world.run(world.map_workflow(inner, [[1, 2], [], [3]])).value == [[2, 3], [], [4]]


def test_mapping_attempts_that_run_elsewhere(world: Any) -> None:
    async def script(attempt: Any) -> int:
        await asyncio.sleep(0.001)
        return attempt.inputs["x"].value * 10

    task = world.remote_task(script, inputs=["x"])
    result = world.run(world.map_workflow(task, list(range(30)), concurrency=4))
    assert result.value == [x * 10 for x in range(30)]


def test_a_broken_spec_in_the_middle_is_raised(world: Any) -> None:
    def run(x: int) -> int:
        if x == 3:
            raise SystemExit(1)
        return x

    with pytest.raises(SystemExit):
        world.run(world.map_workflow(world.task(run), list(range(10)), min_successes=1), name="r")
    assert world.actions("r")["a0.m[3]"].phase is Phase.ABORTED
    assert len(world.log) == 4


# --- size ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asynchronous", [False, True])
def test_many_items_in_bounded_memory(make_world: Any, asynchronous: bool) -> None:
    """A few kilobytes per item at most, of which the record of its action stays; nothing grows with the square."""
    world = make_world()
    world.engine.listeners = ()

    async def inc_async(x: int) -> int:
        await asyncio.sleep(0)
        return x + 1

    size = 5_000
    flow = world.workflow(
        world.node("m", world.map(world.task(inc_async if asynchronous else inc)), x=world.ref("", "x")),
        inputs=["x"],
        outputs=world.ref("m"),
    )
    items = ListLiteral([Scalar(i) for i in range(size)])
    gc.collect()
    tracemalloc.start()
    try:
        result = world.engine.run_blocking(flow, {"x": items})
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(result.outputs["o0"].items) == size
    assert result.outputs["o0"].items[-1] == Scalar(size)
    assert peak / size < (20_000 if asynchronous else 4_000)
