"""EX-07, EX-29: time limits are enforced, locally as well."""

from __future__ import annotations

import asyncio
import threading
import time
from datetime import timedelta
from typing import Any

import pytest

import alula
from alula import TaskEnvironment, Timeout, errors, task, workflow


def spin(seconds: float) -> None:
    """Be busy in small steps, as ordinary code is."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(100))


@pytest.mark.parametrize("limit", [0.2, timedelta(milliseconds=200), Timeout(max_runtime=0.2)])
def test_a_plain_task_past_its_limit_is_stopped(limit: Any) -> None:
    after: list[str] = []

    @task(timeout=limit)
    def slow() -> None:
        spin(30)
        after.append("went on")

    with pytest.raises(errors.TaskTimeoutError, match=r"ran longer than 0\.2 s") as caught:
        slow()
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.code == "Timeout"
    assert not after


def test_a_sleeping_and_an_async_task_are_stopped() -> None:
    after: list[str] = []

    @task(timeout=0.2)
    def sleeps() -> None:
        time.sleep(30)
        after.append("slept")

    @task(timeout=0.2)
    async def waits() -> None:
        await asyncio.sleep(30)
        after.append("waited")

    with pytest.raises(errors.TaskTimeoutError):
        sleeps()
    with pytest.raises(errors.TaskTimeoutError):
        asyncio.run(waits())
    assert not after


def test_the_users_except_exception_does_not_swallow_it() -> None:
    @task(timeout=0.2)
    def stubborn() -> str:
        try:
            spin(30)
        except Exception:
            return "swallowed"
        return "finished"

    with pytest.raises(errors.TaskTimeoutError):
        stubborn()


def test_cleaning_up_is_possible() -> None:
    cleaned: list[str] = []

    @task(timeout=0.2)
    def tidy() -> None:
        try:
            spin(30)
        finally:
            cleaned.append("cleaned")

    with pytest.raises(errors.TaskTimeoutError):
        tidy()
    assert cleaned == ["cleaned"]


def test_the_limit_is_that_of_one_attempt() -> None:
    tries: list[int] = []

    @task(timeout=0.3, retries=2)
    def once_slow() -> int:
        tries.append(1)
        if len(tries) < 3:
            spin(30)
        return len(tries)

    run = alula.run(once_slow)
    assert run.result == 3
    assert [a.outcome for a in run.actions[0].attempts] == ["timed_out", "timed_out", "succeeded"]


def test_the_deadline_is_that_of_all_attempts() -> None:
    @task(timeout=Timeout(deadline=2), retries=100)
    def never() -> None:
        spin(0.1)
        raise OSError("again")

    run = alula.run(never)
    assert run.error is not None
    assert 1 < len(run.actions[0].attempts) <= 21


def test_waiting_for_a_slot_has_its_own_limit() -> None:
    env = TaskEnvironment(name="slots")

    begun: list[bool] = []
    over: list[bool] = []

    @env.task
    async def holds() -> int:
        begun.append(True)
        while not over:
            await asyncio.sleep(0.01)
        return 1

    @env.task(timeout=Timeout(max_queued_time=0.2))
    async def waits() -> int:
        return 2

    @env.task
    async def main() -> int:
        holding = asyncio.ensure_future(holds())
        while not begun:
            await asyncio.sleep(0)
        with pytest.raises(errors.TaskTimeoutError):
            await waits()
        over.append(True)
        return await holding

    run = alula.with_runcontext(max_action_concurrency=1).run(main)
    assert run.result == 1
    assert {a.name: a.phase.value for a in run.actions}["waits"] == "timed_out"


def test_no_limit_is_zero_or_none() -> None:
    @task(timeout=0)
    def zero() -> int:
        return 1

    @task(timeout=None)
    def none() -> int:
        return 2

    assert (zero(), none()) == (1, 2)


def test_a_quick_task_under_a_limit_is_not_disturbed() -> None:
    @task(timeout=60)
    def quick(x: int) -> int:
        return x

    @workflow
    def flow() -> int:
        return quick(x=quick(x=1))

    assert flow() == 1


def test_limits_work_in_other_threads() -> None:
    found: list[str] = []

    @task(timeout=0.2)
    def slow() -> None:
        spin(20)
        found.append("went on")

    def work() -> None:
        try:
            slow()
        except errors.TaskTimeoutError:
            found.append("timed out")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == ["timed out"]


def test_children_are_stopped_with_their_parent() -> None:
    env = TaskEnvironment(name="family")
    ended: list[str] = []

    @env.task
    async def child() -> None:
        try:
            await asyncio.sleep(30)
            ended.append("finished")
        finally:
            ended.append("stopped")

    @env.task(timeout=0.3)
    async def parent() -> None:
        await child()

    run = alula.run(parent)
    assert run.error is not None
    assert run.error.code == "Timeout"
    assert ended == ["stopped"]
    assert {a.name: a.phase.value for a in run.actions} == {"parent": "timed_out", "child": "aborted"}
