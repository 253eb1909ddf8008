"""What the engine makes of executors that fail, and of those that have no room."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import pytest

from alula_kernel.contracts import (
    CANCELLED,
    LOST,
    OUT_OF_MEMORY,
    PREEMPTED,
    SUCCEEDED,
    SYSTEM_FAILURE,
    TIMED_OUT,
    USER_FAILURE,
    Attempt,
    ExecutorBusyError,
    Outcome,
)
from alula_kernel.engine import Phase
from alula_kernel.literals import Scalar
from alula_kernel.specs import RetryPolicy, TimeoutPolicy

ONCE = RetryPolicy(user=0, system=0)


async def one(attempt: Attempt) -> int:
    return 1


async def forever(attempt: Attempt) -> int:
    await asyncio.sleep(3600)
    return 0


def test_a_success(world: Any) -> None:
    result = world.run(world.workflow(world.node("n0", world.remote_task(one)), outputs=world.ref("n0")))
    assert result.value == 1
    (attempt,) = result.actions["a0.n0"].attempts
    assert (attempt.executor, attempt.outcome, attempt.handle) == (
        "remote",
        SUCCEEDED,
        {"job": f"{result.name}/a0.n0/1"},
    )


def test_submit_fails(world: Any) -> None:
    def refuse(attempt: Attempt) -> None:
        if attempt.number < 3:
            raise OSError("connection refused")

    world.remote.before_submit = refuse
    result = world.run(world.remote_task(one))
    assert result.value == 1
    assert [attempt.outcome for attempt in result.root.attempts] == [SYSTEM_FAILURE, SYSTEM_FAILURE, SUCCEEDED]
    error = result.root.attempts[0].error
    assert (error.kind, error.code) == ("system", "OSError")
    assert error.message == "executor remote could not start the attempt: connection refused"
    assert result.root.attempts[0].handle is None


def test_submit_always_fails(world: Any) -> None:
    def refuse(attempt: Attempt) -> None:
        raise OSError("connection refused")

    world.remote.before_submit = refuse
    result = world.run(world.remote_task(one, retries=RetryPolicy(user=9, system=2)))
    assert result.error.kind == "system"
    assert len(result.root.attempts) == 3


def test_wait_fails(world: Any) -> None:
    """The attempt may still run: it is stopped before the next one starts."""
    wait, waits = world.remote.wait, []

    async def lose(handle: Any) -> Outcome:
        waits.append(handle)
        if len(waits) == 1:
            await asyncio.sleep(0)
            raise OSError("connection reset")
        return await wait(handle)

    async def slow_then_quick(attempt: Attempt) -> int:
        if attempt.number == 1:
            await asyncio.sleep(3600)
        return 2

    world.remote.wait = lose
    result = world.run(world.remote_task(slow_then_quick))
    assert result.value == 2
    assert [attempt.outcome for attempt in result.root.attempts] == [SYSTEM_FAILURE, SUCCEEDED]
    assert result.root.attempts[0].error.message == "executor remote failed: connection reset"
    calls = [(kind, attempt.rpartition("/")[2]) for kind, attempt in world.remote.calls if kind != "wait"]
    assert calls.index(("cancel", "1")) < calls.index(("ended", "1")) < calls.index(("submit", "2"))


def test_cancel_fails_during_an_abort(world: Any, in_loop: Any, caplog: pytest.LogCaptureFixture) -> None:
    async def refuse(handle: Any) -> None:
        raise OSError("connection refused")

    world.remote.cancel = refuse

    async def scenario() -> None:
        running = asyncio.ensure_future(world.run_async(world.remote_task(forever), name="r"))
        while not world.remote.called("wait"):
            await asyncio.sleep(0)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        for job in world.remote.jobs.values():
            job.cancel()

    with caplog.at_level(logging.WARNING, "alula.engine"):
        in_loop(scenario())
    assert world.actions("r")["a0"].phase is Phase.ABORTED
    assert "executor remote could not stop" in caplog.text


@pytest.mark.parametrize(
    ("kind", "code", "whose", "phase"),
    [
        (USER_FAILURE, "UserFailure", "user", Phase.FAILED),
        (SYSTEM_FAILURE, "SystemFailure", "system", Phase.FAILED),
        (TIMED_OUT, "Timeout", "user", Phase.TIMED_OUT),
        (OUT_OF_MEMORY, "OutOfMemory", "user", Phase.FAILED),
        (PREEMPTED, "Interrupted", "system", Phase.FAILED),
        (LOST, "Lost", "system", Phase.FAILED),
        (CANCELLED, "Aborted", "user", Phase.ABORTED),
    ],
)
def test_outcomes_without_an_error(world: Any, kind: str, code: str, whose: str, phase: Phase) -> None:
    async def script(attempt: Attempt) -> Outcome:
        return Outcome(kind=kind)

    result = world.run(world.remote_task(script, retries=ONCE))
    assert (result.error.code, result.error.kind) == (code, whose)
    assert result.error.message == f"{kind.replace('_', ' ')}; executor remote gave no reason"
    assert result.root.phase is phase
    assert result.root.attempts[0].outcome == kind


def test_an_unknown_kind_of_outcome(world: Any) -> None:
    async def script(attempt: Attempt) -> Outcome:
        return Outcome(kind="exploded")

    result = world.run(world.remote_task(script))
    assert len(result.root.attempts) == 1, "it would report the same again"
    assert result.error.message == "executor remote reported an outcome of the unknown kind 'exploded'"
    assert (result.error.code, result.error.kind) == ("ExecutorError", "system")
    assert result.root.phase is Phase.FAILED


def test_a_success_without_its_outputs(world: Any) -> None:
    async def script(attempt: Attempt) -> Outcome:
        return Outcome(kind=SUCCEEDED, outputs={"b": Scalar(1)})

    task = world.remote_task(script, outputs=("a", "b", "c"))
    result = world.run(world.workflow(world.node("n0", task), outputs=world.ref("n0", "a")))
    assert result.error.message == "executor remote reported a success without the outputs 'a', 'c'"
    assert result.error.action == "a0.n0"


def test_outputs_that_nobody_asked_for_are_let_pass(world: Any) -> None:
    async def script(attempt: Attempt) -> Outcome:
        return Outcome(kind=SUCCEEDED, outputs={"o0": Scalar(1), "more": Scalar(2)})

    assert world.run(world.remote_task(script)).outputs == {"o0": 1, "more": 2}


def test_an_attempt_of_a_process_that_is_gone(world: Any) -> None:
    submit = world.remote.submit

    async def forgetful(attempt: Attempt, controller: Any) -> Any:
        handle = await submit(attempt, controller)
        if attempt.number == 1:
            await world.remote.jobs.pop(attempt.id)
        return handle

    world.remote.submit = forgetful
    result = world.run(world.remote_task(one))
    assert [attempt.outcome for attempt in result.root.attempts] == [LOST, SUCCEEDED]


def test_what_a_body_raises_is_a_failure_of_the_executor(world: Any) -> None:
    """Failures are outcomes; an exception that gets this far is a bug of the SDK's or a plugin's."""
    task = world.task(lambda: 0, "t", retries=ONCE)

    def buggy(attempt: Any, controller: Any) -> Outcome:
        raise TypeError("a bug")

    async def buggy_async(attempt: Any, controller: Any) -> Outcome:
        raise TimeoutError("a bug")

    for body in (buggy, buggy_async):
        world.bodies[task.id] = body
        result = world.run(task)
        assert result.error.message == "executor inline failed: a bug"
        assert result.error.kind == "system"


def test_an_abort_during_submit_stops_what_was_started(world: Any, in_loop: Any) -> None:
    """Without the handle it could not be stopped, so that the abort waits for it."""
    world.remote.submit_seconds = 0.05

    async def scenario() -> None:
        running = asyncio.ensure_future(world.run_async(world.remote_task(forever), name="r"))
        while not world.remote.called("submit"):
            await asyncio.sleep(0)
        running.cancel("enough")
        with pytest.raises(asyncio.CancelledError):
            await running
        assert world.remote.called("cancel") == ["a0/1"]
        assert world.remote.called("ended") == ["a0/1"]

    in_loop(scenario())
    assert (world.actions("r")["a0"].phase, world.actions("r")["a0"].message) == (Phase.ABORTED, "enough")


def test_an_abort_during_a_submit_that_fails(world: Any, in_loop: Any) -> None:
    async def scenario() -> None:
        entered = asyncio.Event()

        async def failing(attempt: Attempt, controller: Any) -> Any:
            entered.set()
            await asyncio.sleep(0.01)
            raise OSError("connection refused")

        world.remote.submit = failing
        running = asyncio.ensure_future(world.run_async(world.remote_task(forever), name="r"))
        await entered.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    in_loop(scenario())
    assert world.actions("r")["a0"].phase is Phase.ABORTED


# --- no room -------------------------------------------------------------------------------------------------------------


class Full:
    """Has no room for the first attempts to submit."""

    def __init__(self, times: int, retry_after_seconds: float | None = 0.001) -> None:
        self.times = times
        self.retry_after_seconds = retry_after_seconds
        self.asked: list[float] = []

    def __call__(self, attempt: Attempt) -> None:
        self.asked.append(time.monotonic())
        if len(self.asked) <= self.times:
            raise ExecutorBusyError("the quota is used up", retry_after_seconds=self.retry_after_seconds)


def test_an_attempt_waits_for_room_and_counts_once(world: Any) -> None:
    world.remote.before_submit = full = Full(3)
    result = world.run(world.remote_task(one, retries=ONCE))
    assert result.value == 1
    assert len(full.asked) == 4
    assert [attempt.outcome for attempt in result.root.attempts] == [SUCCEEDED]
    heard = [(event.phase, event.message) for event in world.events]
    waiting = [("queued", "the quota is used up"), ("running", "")]
    assert heard == [("queued", ""), ("running", ""), *waiting * 3, ("succeeded", "")]


def test_the_pauses_grow_unless_the_executor_says_otherwise(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alula_kernel.engine.attempts._FIRST_BUSY_SECONDS", 0.02)
    monkeypatch.setattr("alula_kernel.engine.attempts._LONGEST_BUSY_SECONDS", 0.05)
    world.remote.before_submit = full = Full(4, None)
    world.run(world.remote_task(one))
    pauses = [after - before for before, after in zip(full.asked, full.asked[1:], strict=False)]
    assert pauses[0] >= 0.019
    assert pauses[1] >= 0.039
    assert pauses[2] >= 0.049
    assert pauses[3] >= 0.049


@pytest.mark.parametrize("policy", [TimeoutPolicy(queued_seconds=0.1), TimeoutPolicy(deadline_seconds=0.1)])
def test_no_room_in_time(world: Any, policy: TimeoutPolicy) -> None:
    world.remote.before_submit = Full(10**9, 0.02)
    result = world.run(world.workflow(world.node("n0", world.remote_task(one, timeout=policy))))
    assert result.phases == {"a0.n0": "timed_out"}
    assert "executor remote had no room within" in result.error.message
    assert "the quota is used up" in result.error.message
    assert world.remote.jobs == {}


def test_an_abort_while_there_is_no_room(world: Any, in_loop: Any) -> None:
    world.remote.before_submit = full = Full(10**9, 3600)

    async def scenario() -> None:
        running = asyncio.ensure_future(world.run_async(world.remote_task(one), name="r"))
        while not full.asked:
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        assert world.actions("r")["a0"].phase is Phase.QUEUED
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    in_loop(scenario())
    assert world.actions("r")["a0"].phase is Phase.ABORTED


# --- which executor ------------------------------------------------------------------------------------------------------


def test_python_types_run_where_the_run_says(make_world: Any) -> None:
    world = make_world(python_types=frozenset({"shell"}))

    async def elsewhere(attempt: Attempt) -> int:
        return 100

    task = world.task(lambda: 1, "t", type="shell")
    world.remote.scripts[task.id] = elsewhere
    assert world.run(task).value == 1
    assert world.run(task, executor="remote").value == 100
    other = world.remote_task(one)
    assert world.run(other, executor="inline").value == 1
    assert world.remote.called("submit") == ["a0/1", "a0/1"]
