"""Dynamic tasks: what they return is a graph, which belongs to their attempt."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from alula_kernel.engine import Phase
from alula_kernel.specs import RetryPolicy, TimeoutPolicy


def inc(x: int) -> int:
    return x + 1


def chain(world: Any, length: int, start: int = 0) -> Any:
    task = world.task(inc)
    nodes = [world.node("d0", task, x=start)]
    nodes += [world.node(f"d{i}", task, x=world.ref(f"d{i - 1}")) for i in range(1, length)]
    return world.workflow(*nodes, outputs=world.ref(f"d{length - 1}"))


def test_the_graph_is_driven_and_gives_the_outputs(world: Any) -> None:
    dynamic = world.task(lambda x: chain(world, x), "dynamic", dynamic=True)
    flow = world.workflow(
        world.node("n0", dynamic, x=world.ref("", "x")),
        world.node("n1", world.task(inc), x=world.ref("n0")),
        inputs=["x"],
        outputs=world.ref("n1"),
    )
    result = world.run(flow, {"x": 4})
    assert result.value == 5
    assert list(result.phases) == ["a0.n0", "a0.n0.d0", "a0.n0.d1", "a0.n0.d2", "a0.n0.d3", "a0.n1"]
    assert result.actions["a0.n0"].kind == "task"
    assert [attempt.outcome for attempt in result.actions["a0.n0"].attempts] == ["succeeded"]


def test_a_dynamic_task_at_the_root(world: Any) -> None:
    assert world.run(world.task(lambda: chain(world, 2), "dynamic", dynamic=True)).value == 2


def test_dynamic_in_dynamic(world: Any) -> None:
    def countdown(x: int) -> Any:
        if x == 0:
            return world.workflow(outputs=0)
        return world.workflow(world.node("next", world.tasks_by_name["countdown"], x=x - 1), outputs=world.ref("next"))

    world.tasks_by_name = {"countdown": world.task(countdown, dynamic=True)}
    result = world.run(world.tasks_by_name["countdown"], {"x": 12})
    assert result.value == 0
    assert len(result.actions) == 13


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_failure_in_the_graph_counts_as_an_attempt_and_is_retried(world: Any, asynchronous: bool) -> None:
    runs: list[int] = []

    def flaky() -> int:
        runs.append(1)
        if len(runs) < 3:
            raise ValueError(f"failure {len(runs)}")
        return 42

    async def flaky_async() -> int:
        await asyncio.sleep(0)
        return flaky()

    inner = world.task(flaky_async if asynchronous else flaky)
    good = world.task(inc)

    def dynamic() -> Any:
        return world.workflow(
            world.node("ok", good, x=1), world.node("bad", inner, upstream=["ok"]), outputs=world.ref("bad")
        )

    task = world.task(dynamic, dynamic=True, retries=RetryPolicy(user=2))
    result = world.run(task)
    assert result.value == 42
    assert [attempt.outcome for attempt in result.root.attempts] == ["user_failure", "user_failure", "succeeded"]
    assert result.root.attempts[0].error.message == "failure 1"
    # Each attempt has children of its own; those of the earlier ones keep their record.
    assert result.phases == {
        "a0.ok": "succeeded",
        "a0.bad": "failed",
        "a0.ok~2": "succeeded",
        "a0.bad~2": "failed",
        "a0.ok~3": "succeeded",
        "a0.bad~3": "succeeded",
    }


def test_a_failure_that_no_retry_mends(world: Any) -> None:
    def broken() -> int:
        raise ValueError("it broke")

    inner = world.task(broken)
    task = world.task(lambda: world.workflow(world.node("d0", inner)), "dynamic", dynamic=True, outputs=())
    result = world.run(task)
    assert result.error.action == "a0.d0"
    assert isinstance(result.original, ValueError)
    assert result.root.attempts[0].outcome == "user_failure"
    assert result.root.phase is Phase.FAILED


def test_the_time_of_the_graph_counts(world: Any) -> None:
    async def forever() -> int:
        await asyncio.sleep(3600)
        return 0

    inner = world.task(forever)
    task = world.task(
        lambda: world.workflow(world.node("d0", inner)),
        "dynamic",
        dynamic=True,
        outputs=(),
        timeout=TimeoutPolicy(runtime_seconds=0.2),
        retries=RetryPolicy(user=1),
    )
    result = world.run(task)
    assert result.error.code == "Timeout"
    assert result.root.phase is Phase.TIMED_OUT
    assert [attempt.outcome for attempt in result.root.attempts] == ["timed_out", "timed_out"]
    assert result.phases == {"a0.d0": "aborted", "a0.d0~2": "aborted"}
    assert result.actions["a0.d0"].message == "it took too long"


def test_a_graph_in_time(world: Any) -> None:
    task = world.task(
        lambda: chain(world, 3),
        "dynamic",
        dynamic=True,
        timeout=TimeoutPolicy(runtime_seconds=60, deadline_seconds=60),
    )
    assert world.run(task).value == 3


def test_a_graph_with_a_failure_handler(world: Any) -> None:
    def broken() -> int:
        raise ValueError("it broke")

    inner, handler = world.task(broken), world.task(lambda err: None, "handler")
    task = world.task(
        lambda: world.workflow(world.node("d0", inner), on_failure=world.node("fix", handler)),
        "dynamic",
        dynamic=True,
        outputs=(),
        retries=RetryPolicy(user=1),
    )
    result = world.run(task)
    assert result.phases == {
        "a0.d0": "failed",
        "a0.fix": "succeeded",
        "a0.d0~2": "failed",
        "a0.fix~2": "succeeded",
    }


def test_its_slot_is_given_back_while_the_graph_runs(world: Any) -> None:
    dynamic = world.task(lambda x: chain(world, x), "dynamic", dynamic=True)
    assert world.run(dynamic, {"x": 3}, max_parallelism=1).value == 3
