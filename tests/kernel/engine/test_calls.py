"""Calls of a running task: child actions with ids that are the same every time, and replay."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from alula_kernel.contracts import CallFailedError, CallRequest
from alula_kernel.engine import Phase
from alula_kernel.specs import EntityTarget, Overrides, RetryPolicy


def inc(x: int) -> int:
    return x + 1


async def inc_async(x: int) -> int:
    await asyncio.sleep(0)
    return x + 1


def children(result: Any) -> list[str]:
    """Return the ids of the root's children without their hashes."""
    return [action.id for action in result.actions.values() if action.parent]


@pytest.mark.parametrize("child", [inc, inc_async])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_call_is_a_child_action(world: Any, child: Any, asynchronous: bool) -> None:
    task = world.task(child, "child")

    async def parent_async(call: Any) -> int:
        return await call.aio(task, x=await call.aio(task, x=1))

    def parent(call: Any) -> int:
        return call(task, x=call(task, x=1))

    result = world.run(world.task(parent_async if asynchronous else parent, "parent"))
    assert result.value == 3
    first, second = (result.actions[child] for child in children(result))
    assert first.parent == second.parent == "a0"
    assert first.name == "child"
    assert first.entity == task.id.name
    assert first.phase is second.phase is Phase.SUCCEEDED
    assert result.root.phase is Phase.SUCCEEDED


def test_an_async_task_may_call_plain_ones_and_the_other_way_round(world: Any) -> None:
    plain, coroutine = world.task(inc), world.task(inc_async)

    async def middle(x: int, call: Any) -> int:
        return call(plain, x=await call.aio(coroutine, x=call(coroutine, x=x)))

    middle_task = world.task(middle)
    assert world.run(world.task(lambda call: call(middle_task, x=0), "outer")).value == 3


def test_ids_depend_on_what_is_called_with_what_and_how_often(world: Any) -> None:
    task, other = world.task(inc), world.task(lambda x: x, "other")

    def parent(call: Any) -> int:
        for x in (1, 2, 1, 1):
            call(task, x=x)
        return call(other, x=1)

    spec = world.task(parent)
    first, second = world.run(spec), world.run(spec)
    ids = children(first)
    assert ids == children(second)
    assert len(set(ids)) == 5
    one, two, one_again, one_more, different = ids
    assert one_again == f"{one}-1"
    assert one_more == f"{one}-2"
    assert two.rpartition("-")[0] == one.rpartition("-")[0] == "a0.inc"
    assert different.startswith("a0.other-")


def test_ids_tell_versions_and_maps_apart(world: Any) -> None:
    """Two tasks of one name, and a map over a list and a call with the list, are different calls."""
    import msgspec

    task = world.task(inc)
    second = msgspec.structs.replace(task, id=msgspec.structs.replace(task.id, version="~2"))
    world.add(second)
    world.bodies[second.id] = world.bodies[world.task(lambda x: x * 100, "hundred").id]

    def parent(call: Any) -> Any:
        return [call(task, x=3), call(second, x=3)]

    result = world.run(world.task(parent))
    assert result.value == [4, 300]
    assert len({child.rpartition("-")[2] for child in children(result)}) == 2

    def mapping(call: Any) -> Any:
        return [call(task_of_lists, x=[1, 2]), call(world.map(task_of_lists), x=[[1], [2, 2]])]

    def add(x: Any) -> int:
        return sum(x)

    task_of_lists = world.task(add)
    assert world.run(world.task(mapping)).value == [3, [1, 4]]


def test_ids_do_not_depend_on_the_order_of_calls_with_other_inputs(world: Any) -> None:
    task = world.task(inc_async)

    async def parent(x: int, call: Any) -> int:
        order = [1, 2, 3] if x else [3, 2, 1]
        await asyncio.gather(*(call.aio(task, x=value) for value in order))
        return 0

    spec = world.task(parent)
    assert sorted(children(world.run(spec, {"x": 0}))) == sorted(children(world.run(spec, {"x": 1})))


def test_equal_calls_at_the_same_time(world: Any) -> None:
    task = world.task(inc_async)

    async def parent(call: Any) -> Any:
        return await asyncio.gather(*(call.aio(task, x=1) for _ in range(20)))

    result = world.run(world.task(parent))
    assert result.value == [2] * 20
    assert len(set(children(result))) == 20


def test_equal_calls_from_threads(world: Any) -> None:
    task = world.task(inc)

    def parent(call: Any) -> Any:
        start = threading.Barrier(8)
        values: list[int] = []

        def work() -> None:
            start.wait(30)
            values.extend(call(task, x=1) for _ in range(25))

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        return values

    result = world.run(world.task(parent))
    assert result.value == [2] * 200
    ids = children(result)
    assert len(ids) == 200
    base = min(ids, key=len)
    assert set(ids) == {base, *(f"{base}-{n}" for n in range(1, 200))}


def test_a_plain_function_in_a_thread_of_an_async_task_calls(world: Any) -> None:
    task = world.task(inc_async)

    async def parent(call: Any) -> Any:
        blocking = (asyncio.to_thread(call, task, x=x) for x in range(3))
        return await asyncio.gather(*blocking, call.aio(task, x=10))

    assert world.run(world.task(parent), max_parallelism=1).value == [1, 2, 3, 11]


def test_other_targets(world: Any) -> None:
    task = world.task(inc)
    flow = world.workflow(world.node("n0", task, x=world.ref("", "x")), inputs=["x"], outputs=world.ref("n0"))
    plan = world.launch_plan(flow, fixed_inputs={"x": world.to_literal(41)})

    def parent(call: Any) -> Any:
        branch = world.branch(world.case(None, outputs=5))
        return [
            call(flow, x=1),
            call(plan),
            call(world.map(task), x=[1, 2]),
            call(branch),
            call(world.gate("input", "how many")),
        ]

    world.gates.answers["how many"] = 9
    result = world.run(world.task(parent))
    assert result.value == [2, 42, [2, 3], 5, 9]
    kinds = [result.actions[child].kind for child in children(result) if child.count(".") == 1]
    assert [kind for kind in kinds if kind != "task"] == ["workflow", "launch_plan", "map", "branch", "gate"]


def test_overrides_and_names_of_calls(world: Any) -> None:
    seen: list[str] = []
    task = world.task(lambda call: seen.append(call.attempt.task.queue), "child")

    def parent(call: Any) -> int:
        overrides = Overrides(queue="fast")
        request = CallRequest(target=EntityTarget(task.id), inputs={}, overrides=overrides, name="shown")
        call.controller.call_blocking(request)
        return 0

    result = world.run(world.task(parent))
    assert seen == ["fast"]
    assert result.actions[children(result)[0]].name == "shown"


# --- failures ------------------------------------------------------------------------------------------------------------


def broken() -> int:
    raise ValueError("it broke")


async def broken_async() -> int:
    await asyncio.sleep(0)
    raise ValueError("it broke")


@pytest.mark.parametrize("child", [broken, broken_async])
@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_failed_child_is_raised_with_its_exception(world: Any, child: Any, asynchronous: bool) -> None:
    task = world.task(child, "child")

    def check(failure: CallFailedError) -> str:
        assert (failure.error.code, failure.error.message) == ("ValueError", "it broke")
        assert failure.error.action.startswith("a0.child-")
        assert isinstance(failure.original, ValueError)
        return "caught"

    def parent(call: Any) -> str:
        with pytest.raises(CallFailedError) as caught:
            call(task)
        return check(caught.value)

    async def parent_async(call: Any) -> str:
        with pytest.raises(CallFailedError) as caught:
            await call.aio(task)
        return check(caught.value)

    result = world.run(world.task(parent_async if asynchronous else parent, "parent"))
    assert result.value == "caught"
    assert result.root.phase is Phase.SUCCEEDED
    assert result.actions[children(result)[0]].phase is Phase.FAILED


def test_children_that_a_failed_parent_leaves_behind_are_stopped(world: Any) -> None:
    """`asyncio.gather` raises the first failure and lets the others run."""

    async def forever() -> int:
        try:
            await asyncio.sleep(3600)
        finally:
            await asyncio.sleep(0.01)
            world.log.append("stopped")
        return 0

    slow, bad = world.task(forever), world.task(broken_async, "bad")

    async def parent(call: Any) -> Any:
        return await asyncio.gather(call.aio(slow), call.aio(bad), call.aio(slow))

    result = world.run(world.task(parent))
    assert result.error is not None
    assert world.log.count("stopped") == 2
    phases = sorted(result.actions[child].phase.value for child in children(result))
    assert phases == ["aborted", "aborted", "failed"]
    stopped = [a for a in result.actions.values() if a.phase is Phase.ABORTED]
    assert {action.message for action in stopped} == {"the attempt that called it has ended"}


def test_children_left_behind_are_stopped_before_the_next_attempt(world: Any) -> None:
    running: list[str] = []

    async def slow() -> int:
        running.append("on")
        try:
            await asyncio.sleep(0.05)
        finally:
            running.remove("on")
        return 5

    slow_task = world.task(slow)

    async def parent(call: Any) -> int:
        assert running == []
        child = asyncio.ensure_future(call.aio(slow_task))
        while not running:
            await asyncio.sleep(0)
        if call.attempt.number == 1:
            raise ValueError("first")
        return await child

    result = world.run(world.task(parent, retries=RetryPolicy(user=1)))
    assert result.value == 5
    first, second = (result.actions[child] for child in children(result))
    assert (first.phase, second.phase) == (Phase.ABORTED, Phase.SUCCEEDED)
    assert second.id == f"{first.id}-1"


def test_calls_after_the_end_are_refused(world: Any) -> None:
    kept: list[Any] = []
    task = world.task(inc)

    def parent(call: Any) -> None:
        kept.append(call)

    world.run(world.task(parent, outputs=()))
    with pytest.raises(CallFailedError, match="the attempt that makes this call has ended"):
        kept[0](task, x=1)
    with pytest.raises(CallFailedError, match="the attempt that makes this call has ended"):
        asyncio.run(kept[0].aio(task, x=1))
    assert world.log == ["parent"]


def test_a_call_may_be_cancelled_by_its_parent(world: Any) -> None:
    async def forever() -> int:
        await asyncio.sleep(3600)
        return 0

    slow, quick = world.task(forever), world.task(inc_async)

    async def parent(call: Any) -> int:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(call.aio(slow), 0.02)
        return await call.aio(quick, x=1)

    for limit in (None, 1):
        result = world.run(world.task(parent), max_parallelism=limit)
        assert result.value == 2
        assert result.actions[children(result)[0]].phase is Phase.ABORTED


# --- replay --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asynchronous", [False, True])
def test_finished_children_answer_at_once_when_the_parent_is_tried_again(world: Any, asynchronous: bool) -> None:
    task = world.task(inc_async if asynchronous else inc, "child")

    def parent(call: Any) -> int:
        value = call(task, x=call(task, x=1))
        if call.attempt.number < 3:
            raise ValueError("again")
        return call(task, x=value)

    async def parent_async(call: Any) -> int:
        value = await call.aio(task, x=await call.aio(task, x=1))
        if call.attempt.number < 3:
            raise ValueError("again")
        return await call.aio(task, x=value)

    body = parent_async if asynchronous else parent
    result = world.run(world.task(body, "parent", retries=RetryPolicy(user=5)))
    assert result.value == 4
    assert world.log.count("parent") == 3
    assert world.log.count("child") == 3
    assert len(children(result)) == 3


def test_failed_children_run_again(world: Any) -> None:
    def child(x: int) -> int:
        if world.log.count("child") == 2:
            raise ValueError("the second fails")
        return x

    task = world.task(child)

    def parent(call: Any) -> Any:
        return [call(task, x=x) for x in (10, 20, 30)]

    result = world.run(world.task(parent, retries=RetryPolicy(user=1)))
    assert result.value == [10, 20, 30]
    assert world.log == ["parent", "child", "child", "parent", "child", "child"]
    phases = [result.actions[child].phase.value for child in children(result)]
    assert phases == ["succeeded", "failed", "succeeded", "succeeded"]
    failed, repeated = children(result)[1:3]
    assert repeated == f"{failed}-1"


def test_replay_of_equal_calls_gives_each_its_own_answer(world: Any) -> None:
    task = world.task(lambda: len(world.log), "child")

    def parent(call: Any) -> Any:
        values = [call(task) for _ in range(4)]
        if call.attempt.number == 1:
            raise ValueError("again")
        return values

    assert world.run(world.task(parent, retries=RetryPolicy(user=1))).value == [2, 3, 4, 5]
    assert world.log.count("child") == 4


def test_replay_reaches_into_maps_and_workflows(world: Any) -> None:
    task = world.task(inc)
    flow = world.workflow(world.node("n0", task, x=world.ref("", "x")), inputs=["x"], outputs=world.ref("n0"))

    def parent(call: Any) -> Any:
        values = [call(world.map(task), x=[1, 2]), call(flow, x=5)]
        if call.attempt.number == 1:
            raise ValueError("again")
        return values

    assert world.run(world.task(parent, retries=RetryPolicy(user=1))).value == [[2, 3], 6]
    assert world.log.count("inc") == 3


def test_children_of_children_are_found_again(world: Any) -> None:
    leaf = world.task(inc)

    def middle(x: int, call: Any) -> int:
        value = call(leaf, x=x)
        if world.log.count("middle") == 1:
            raise ValueError("again")
        return value

    middle_task = world.task(middle, retries=RetryPolicy(user=1))
    assert world.run(world.task(lambda call: call(middle_task, x=1), "outer")).value == 2
    assert world.log == ["outer", "middle", "inc", "middle"]


def test_recursion(world: Any) -> None:
    def countdown(x: int, call: Any) -> int:
        return 0 if x == 0 else call(tasks[0], x=x - 1) + 1

    tasks = [world.task(countdown)]
    assert world.run(tasks[0], {"x": 25}).value == 25


def test_recursion_without_end_fails_and_does_not_kill_the_process(world: Any) -> None:
    def bottomless(x: int, call: Any) -> int:
        return call(tasks[0], x=x + 1)

    tasks = [world.task(bottomless)]
    result = world.run(tasks[0], {"x": 0})
    assert result.error is not None
    assert "recursion" in result.error.message
    assert world.run(world.task(inc), {"x": 1}).value == 2


def test_contexts_of_attempts_are_their_own(world: Any) -> None:
    import contextvars

    variable = contextvars.ContextVar("variable", default="outside")

    def change(x: int) -> str:
        seen = variable.get()
        variable.set(f"changed by {x}")
        return seen

    async def change_async(x: int) -> str:
        return change(x)

    tasks = [world.task(change), world.task(change_async)]

    def parent(call: Any) -> Any:
        variable.set("parent")
        return [call(tasks[0], x=1), call(tasks[1], x=2), call(tasks[0], x=3), variable.get()]

    assert world.run(world.task(parent)).value == ["parent"] * 4
    assert variable.get() == "outside"
    nodes = [world.node(f"n{i}", tasks[i % 2], x=i) for i in range(4)]
    outputs = {f"o{i}": world.ref(f"n{i}") for i in range(4)}
    assert set(world.run(world.workflow(*nodes, outputs=outputs)).outputs.values()) == {"outside"}
