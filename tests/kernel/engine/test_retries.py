"""Retries: two budgets, delays, what is not tried again, deadlines."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula_kernel.contracts import (
    CANCELLED,
    LOST,
    OUT_OF_MEMORY,
    PREEMPTED,
    SUCCEEDED,
    SYSTEM_FAILURE,
    TIMED_OUT,
    USER_FAILURE,
    ActionEvent,
    Outcome,
)
from alula_kernel.engine import Phase
from alula_kernel.engine.retries import RetryBudget, delay_seconds
from alula_kernel.errors import ActionError, NonRecoverableError
from alula_kernel.specs import Backoff, Overrides, RetryPolicy, TimeoutPolicy

USER_KINDS = [USER_FAILURE, TIMED_OUT, OUT_OF_MEMORY]
SYSTEM_KINDS = [SYSTEM_FAILURE, PREEMPTED, LOST]


def failed(kind: str, *, recoverable: bool = True) -> Outcome:
    return Outcome(kind=kind, error=ActionError(code=kind, message=kind, recoverable=recoverable))


def scripted(world: Any, *kinds: str, **spec: Any) -> tuple[Any, list[Any]]:
    """Make a task whose attempts end as listed, the last one for ever; and the attempts that were made."""
    attempts: list[Any] = []
    ends = itertools.chain(kinds, itertools.repeat(kinds[-1]))

    def run(call: Any) -> Any:
        attempts.append(call.attempt)
        kind = next(ends)
        return 1 if kind == SUCCEEDED else failed(kind)

    return world.task(run, **spec), attempts


def test_success_after_failures(world: Any) -> None:
    task, attempts = scripted(world, USER_FAILURE, USER_FAILURE, SUCCEEDED, retries=RetryPolicy(user=3))
    result = world.run(task)
    assert result.value == 1
    assert [attempt.number for attempt in attempts] == [1, 2, 3]
    assert [attempt.id for attempt in attempts] == [f"{result.name}/a0/{n}" for n in (1, 2, 3)]
    assert [record.outcome for record in result.root.attempts] == [USER_FAILURE, USER_FAILURE, SUCCEEDED]
    assert [record.error.code if record.error else None for record in result.root.attempts] == [
        USER_FAILURE,
        USER_FAILURE,
        None,
    ]
    assert result.root.error is None
    phases = [event.phase for event in world.events]
    assert phases == ["queued", "running", "retrying", "running", "retrying", "running", "succeeded"]
    assert [event.attempt for event in world.events] == [0, 1, 1, 2, 2, 3, 3]


@pytest.mark.parametrize("kind", USER_KINDS)
def test_the_users_budget(world: Any, kind: str) -> None:
    task, attempts = scripted(world, kind, retries=RetryPolicy(user=2, system=50))
    result = world.run(task)
    assert len(attempts) == 3
    assert result.error.code == kind


@pytest.mark.parametrize("kind", SYSTEM_KINDS)
def test_the_platforms_budget(world: Any, kind: str) -> None:
    task, attempts = scripted(world, kind, retries=RetryPolicy(user=50, system=2))
    result = world.run(task)
    assert len(attempts) == 3
    assert result.error.code == kind


def test_one_budget_for_whatever_made_attempts_fail(world: Any) -> None:
    policy = RetryPolicy(user=3, system=None)
    task, attempts = scripted(world, USER_FAILURE, LOST, OUT_OF_MEMORY, PREEMPTED, interruptible=True, retries=policy)
    result = world.run(task)
    assert result.error.code == PREEMPTED
    assert [attempt.interruptible for attempt in attempts] == [True, True, True, False]


def test_the_platforms_budget_is_three_unless_said_otherwise(world: Any) -> None:
    task, attempts = scripted(world, PREEMPTED)
    world.run(task)
    assert len(attempts) == 4


@given(st.lists(st.sampled_from([*USER_KINDS, *SYSTEM_KINDS]), max_size=20), st.integers(0, 5), st.integers(0, 5))
def test_the_budgets_are_counted_apart(kinds: list[str], user: int, system: int) -> None:
    budget = RetryBudget(RetryPolicy(user=user, system=system))
    users = systems = 0
    for kind in kinds:
        assert budget.last_system_attempt == (systems >= system)
        delay = budget.spend(failed(kind))
        users += kind in USER_KINDS
        systems += kind in SYSTEM_KINDS
        assert (delay is None) == (users > user if kind in USER_KINDS else systems > system)
        if delay is None:
            return


@pytest.mark.parametrize("kind", [*USER_KINDS, *SYSTEM_KINDS])
def test_what_is_not_recoverable_is_not_tried_again(kind: str) -> None:
    assert RetryBudget(RetryPolicy(user=9, system=9)).spend(failed(kind, recoverable=False)) is None


@pytest.mark.parametrize("kind", [CANCELLED, "unknown"])
def test_kinds_that_belong_to_no_budget(kind: str) -> None:
    assert RetryBudget(RetryPolicy(user=9, system=9)).spend(failed(kind)) is None


def test_non_recoverable_errors(world: Any) -> None:
    def give_up() -> int:
        raise NonRecoverableError("no use")

    result = world.run(world.task(give_up, retries=RetryPolicy(user=5)))
    assert world.log == ["give_up"]
    assert result.error.code == "NonRecoverableError"
    assert isinstance(result.original, NonRecoverableError)


def test_an_attempt_that_was_cancelled_from_outside_ends_the_action(world: Any) -> None:
    task, attempts = scripted(world, CANCELLED, retries=RetryPolicy(user=5, system=5))
    result = world.run(world.workflow(world.node("n0", task)))
    assert len(attempts) == 1
    assert result.phases == {"a0.n0": "aborted"}
    assert result.root.phase is Phase.FAILED


def test_the_last_attempt_leaves_capacity_that_can_be_taken_away(world: Any) -> None:
    task, attempts = scripted(world, PREEMPTED, interruptible=True, retries=RetryPolicy(user=0, system=3))
    world.run(task)
    assert [attempt.interruptible for attempt in attempts] == [True, True, True, False]


def test_failures_of_the_user_do_not_move_a_task_off_that_capacity(world: Any) -> None:
    task, attempts = scripted(world, USER_FAILURE, interruptible=True, retries=RetryPolicy(user=3, system=1))
    world.run(task)
    assert [attempt.interruptible for attempt in attempts] == [True] * 4


def test_a_task_without_system_retries_is_never_put_on_that_capacity(world: Any) -> None:
    task, attempts = scripted(world, SUCCEEDED, interruptible=True, retries=RetryPolicy(system=0))
    world.run(task)
    assert [attempt.interruptible for attempt in attempts] == [False]


def test_overrides_change_the_budget(world: Any) -> None:
    task, attempts = scripted(world, USER_FAILURE, retries=RetryPolicy(user=0))
    world.run(world.workflow(world.node("n0", task, overrides=Overrides(retries=RetryPolicy(user=4)))))
    assert len(attempts) == 5


def test_checkpoints_and_reports_are_handed_on(world: Any) -> None:
    seen: list[str] = []

    def run(call: Any) -> Any:
        seen.append(call.attempt.previous_checkpoint)
        number = call.attempt.number
        error = ActionError(code="E", message="e")
        if number == 1:
            return Outcome(kind=USER_FAILURE, error=error, checkpoint="memory://c/1", report="memory://r/1")
        if number == 2:
            return Outcome(kind=USER_FAILURE, error=error)
        return Outcome(kind=SUCCEEDED, outputs={"o0": world.to_literal(1)}, checkpoint="memory://c/3")

    result = world.run(world.task(run, retries=RetryPolicy(user=5)))
    assert seen == ["", "memory://c/1", "memory://c/1"]
    assert result.root.checkpoint == "memory://c/3"
    assert result.root.report == "memory://r/1"


# --- delays --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("backoff", "delays"),
    [
        (None, [0, 0, 0]),
        (Backoff(2), [2, 2, 2]),
        (Backoff(1, factor=2), [1, 2, 4, 8]),
        (Backoff(1, factor=3, cap_seconds=10), [1, 3, 9, 10, 10]),
        (Backoff(0), [0, 0]),
        (Backoff(100, cap_seconds=1), [1, 1]),
    ],
)
def test_delays(backoff: Backoff | None, delays: list[float]) -> None:
    assert [delay_seconds(backoff, retry) for retry in range(len(delays))] == delays


def test_a_delay_beyond_all_floats_is_the_cap() -> None:
    assert delay_seconds(Backoff(1, factor=10, cap_seconds=60), 100_000) == 60


@given(st.floats(0.1, 100), st.floats(0, 1), st.integers(0, 5))
def test_jitter_only_takes_off(base: float, jitter: float, retry: int) -> None:
    delay = delay_seconds(Backoff(base, factor=2, cap_seconds=1000, jitter=jitter), retry)
    whole = min(base * 2**retry, 1000)
    assert whole * (1 - jitter) <= delay <= whole


def test_jitter_spreads() -> None:
    delays = {delay_seconds(Backoff(1, jitter=0.5), 0) for _ in range(50)}
    assert len(delays) > 40


def test_each_budget_has_its_own_sequence_of_delays() -> None:
    budget = RetryBudget(RetryPolicy(user=9, system=9, backoff=Backoff(1, factor=2)))
    kinds = [USER_FAILURE, PREEMPTED, TIMED_OUT, LOST, USER_FAILURE]
    assert [budget.spend(failed(kind)) for kind in kinds] == [1, 1, 2, 2, 4]


def test_delays_are_waited_for(world: Any) -> None:
    backoff = Backoff(0.05, factor=2)
    task, _ = scripted(world, USER_FAILURE, USER_FAILURE, SUCCEEDED, retries=RetryPolicy(user=5, backoff=backoff))
    result = world.run(task)
    starts = [record.started_at for record in result.root.attempts]
    assert starts[1] - starts[0] >= 0.049
    assert starts[2] - starts[1] >= 0.099


def test_others_run_while_one_waits_for_its_next_attempt(world: Any) -> None:
    policy = RetryPolicy(user=1, backoff=Backoff(0.05))
    task, _ = scripted(world, USER_FAILURE, SUCCEEDED, retries=policy)
    other = world.task(lambda: 2, "other")
    world.run(world.workflow(world.node("n0", task), world.node("n1", other)), max_parallelism=1)
    assert world.log == ["run", "other", "run"]


# --- deadlines -----------------------------------------------------------------------------------------------------------


def test_a_deadline_ends_retries_whatever_is_left_of_the_budget(world: Any) -> None:
    def slow() -> int:
        time.sleep(0.05)
        raise ValueError("it broke")

    task = world.task(slow, retries=RetryPolicy(user=1000), timeout=TimeoutPolicy(deadline_seconds=1))
    result = world.run(world.workflow(world.node("n0", task)))
    assert result.phases == {"a0.n0": "timed_out"}
    assert result.error.code == "Timeout"
    assert 2 <= len(result.actions["a0.n0"].attempts) <= 20
    assert result.root.phase is Phase.FAILED


def test_a_deadline_tells_of_the_last_failure(world: Any) -> None:
    policy = RetryPolicy(user=5, backoff=Backoff(3600))
    task, attempts = scripted(world, USER_FAILURE, retries=policy, timeout=TimeoutPolicy(deadline_seconds=60))
    result = world.run(task)  # which does not wait for a delay beyond the deadline
    assert len(attempts) == 1
    assert result.root.phase is Phase.TIMED_OUT
    assert result.error.message == (
        "did not succeed within 60 s; the last attempt failed with user_failure: user_failure"
    )


def test_a_failure_before_the_deadline_that_is_not_tried_again_is_a_failure(world: Any) -> None:
    task, _ = scripted(world, USER_FAILURE, timeout=TimeoutPolicy(deadline_seconds=60))
    result = world.run(task)
    assert result.root.phase is Phase.FAILED
    assert result.error.code == USER_FAILURE


def test_the_deadline_bounds_each_attempt(make_world: Any) -> None:
    now = itertools.count(1000, 10)
    world = make_world(clock=lambda: float(next(now)))
    task, attempts = scripted(
        world,
        USER_FAILURE,
        retries=RetryPolicy(user=100),
        timeout=TimeoutPolicy(runtime_seconds=200, deadline_seconds=300),
    )
    result = world.run(task)
    limits = [attempt.timeout_seconds for attempt in attempts]
    assert limits[0] == 200
    assert limits == sorted(limits, reverse=True)
    assert limits[-1] < 100
    assert result.root.phase is Phase.TIMED_OUT


def test_events_of_a_run_with_retries_are_complete(world: Any) -> None:
    task, _ = scripted(world, LOST, SUCCEEDED)
    world.run(task, name="r")
    last: ActionEvent = world.events[-1]
    assert (last.run, last.action, last.phase, last.attempt, last.error) == ("r", "a0", "succeeded", 2, None)


def test_an_abort_while_waiting_for_the_next_attempt(world: Any, in_loop: Any) -> None:
    policy = RetryPolicy(user=1, backoff=Backoff(3600))
    task, attempts = scripted(world, USER_FAILURE, retries=policy)

    async def scenario() -> None:
        running = asyncio.ensure_future(world.run_async(task, name="r"))
        while not attempts:
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        assert world.actions("r")["a0"].phase is Phase.RETRYING
        running.cancel("enough")
        with pytest.raises(asyncio.CancelledError):
            await running

    in_loop(scenario())
    assert (world.actions("r")["a0"].phase, world.actions("r")["a0"].message) == (Phase.ABORTED, "enough")
