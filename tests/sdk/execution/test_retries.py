"""EX-01, EX-28, EX-06: retries with back-off, budgets, and what is never retried."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

import alula
from alula import Backoff, NonRecoverableError, RecoverableError, RetryStrategy, TaskEnvironment, errors, task, workflow


def failing(times: int, error: BaseException, **settings: Any) -> tuple[Any, list[float]]:
    """Make a task that fails a number of times, and the list of the moments at which it ran."""
    moments: list[float] = []

    @task(**settings)
    def flaky(x: int) -> int:
        moments.append(time.monotonic())
        if len(moments) <= times:
            raise error
        return x

    return flaky, moments


@pytest.mark.parametrize(
    "error", [ValueError("v"), OSError("o"), RecoverableError("r"), SystemExit(3), AssertionError("a")]
)
def test_any_exception_is_retried(error: BaseException) -> None:
    flaky, moments = failing(2, error, retries=2)
    run = alula.run(flaky, x=5)
    assert run.result == 5
    assert len(moments) == 3
    assert [a.outcome for a in run.actions[0].attempts] == ["user_failure", "user_failure", "succeeded"]


def test_an_exception_that_says_that_it_is_of_no_use_is_not() -> None:
    flaky, moments = failing(5, NonRecoverableError("no use"), retries=3)
    with pytest.raises(NonRecoverableError, match="no use"):
        flaky(x=1)
    assert len(moments) == 1


@pytest.mark.parametrize(
    ("error", "runs"), [(ConnectionError("c"), 3), (BrokenPipeError("b"), 3), (ValueError("v"), 1)]
)
def test_retries_can_be_limited_to_some_exceptions(error: Exception, runs: int) -> None:
    flaky, moments = failing(2, error, retries=2, retry_on=(ConnectionError,))
    if runs == 1:
        with pytest.raises(ValueError, match="v"):
            flaky(x=5)
    else:
        assert flaky(x=5) == 5
    assert len(moments) == runs


def test_a_task_of_an_environment_limits_its_retries_too() -> None:
    moments: list[int] = []
    env = TaskEnvironment("env")

    @env.task(retries=2, retry_on=[TimeoutError])
    async def flaky() -> int:
        moments.append(1)
        raise KeyError("k")

    with pytest.raises(KeyError):
        asyncio.run(flaky())
    assert len(moments) == 1


def test_what_is_no_exception_cannot_be_retried_on() -> None:
    with pytest.raises(errors.UsageError, match="retry_on: expected classes of exceptions, found"):
        failing(1, ValueError(), retry_on=("ValueError",))


def test_values_that_do_not_fit_are_not_retried() -> None:
    tries: list[int] = []

    @task(retries=3)
    def wrong(x: int) -> int:
        tries.append(x)
        return "text"  # type: ignore[return-value]

    with pytest.raises(errors.ValueConversionError):
        wrong(x=1)
    assert tries == [1]


def test_when_the_budget_is_used_up_the_last_error_comes_out() -> None:
    errors_left = [ValueError("first"), KeyError("second"), OSError("third")]

    @task(retries=2)
    def broken() -> None:
        raise errors_left.pop(0)

    run = alula.run(broken)
    assert run.error is not None
    assert (run.error.code, run.error.message) == ("OSError", "third")
    assert [a.error.code for a in run.actions[0].attempts if a.error] == ["ValueError", "KeyError", "OSError"]
    assert [a.number for a in run.actions[0].attempts] == [1, 2, 3]


def test_without_retries_there_is_one_attempt() -> None:
    flaky, moments = failing(1, OSError("once"))
    with pytest.raises(OSError, match="once"):
        flaky(x=1)
    assert len(moments) == 1


def test_exponential_back_off_shows_in_the_times() -> None:
    strategy = RetryStrategy(3, Backoff(base=timedelta(milliseconds=50), factor=2, cap=timedelta(milliseconds=150)))
    flaky, moments = failing(3, OSError("again"), retries=strategy)
    run = alula.run(flaky, x=1)
    gaps = [later - earlier for earlier, later in itertools.pairwise(moments)]
    assert [gap >= least for gap, least in zip(gaps, (0.05, 0.1, 0.15), strict=True)] == [True] * 3
    attempts = run.actions[0].attempts
    recorded = [b.started_at - (a.ended_at or 0) for a, b in itertools.pairwise(attempts)]
    assert all(gap >= least - 0.005 for gap, least in zip(recorded, (0.05, 0.1, 0.15), strict=True))
    assert recorded[2] < 0.4, "the cap was not kept"


def test_a_delay_holds_up_nobody_else() -> None:
    env = TaskEnvironment(name="delays")

    attempts: list[int] = []

    @env.task(retries=RetryStrategy(1, Backoff(base=0.3)))
    async def flaky(x: int) -> int:
        number = alula.ctx().attempt_number  # type: ignore[union-attr]
        attempts.append(number)
        if number == 1:
            raise OSError
        return x

    @env.task
    async def main() -> int:
        return sum(await asyncio.gather(*(flaky(x=i) for i in range(10))))

    assert asyncio.run(main()) == 45
    assert attempts == [1] * 10 + [2] * 10, "a delay came before another item's first attempt"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Backoff(base=1, factor=2), "has no cap"),
        (lambda: Backoff(base=-1), "expected a duration above 0"),
        (lambda: Backoff(base=1, factor=0.5), "expected at least 1"),
        (lambda: Backoff(base=1, jitter=2), "expected 0 to 1"),
        (lambda: task(retries=RetryStrategy(-1))(lambda: None), "at least 0"),
        (lambda: task(retries=RetryStrategy(1, system=-1))(lambda: None), "at least 0"),
        (lambda: task(retries=True)(lambda: None), "found True"),
        (lambda: task(retries="3")(lambda: None), "found '3'"),
    ],
)
def test_wrong_strategies_are_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(errors.UsageError, match=message):
        make()


def test_jitter_shortens_delays() -> None:
    spec = Backoff(base=2, factor=3, cap=10, jitter=0.5).spec()
    assert (spec.base_seconds, spec.factor, spec.cap_seconds, spec.jitter) == (2.0, 3.0, 10.0, 0.5)


def test_the_attempt_number_is_known_to_the_task() -> None:
    @task(retries=2)
    def numbered() -> int:
        number: int = alula.current_context().attempt_number
        if number < 3:
            raise OSError(number)
        return number

    assert numbered() == 3


def test_async_tasks_are_retried_as_well() -> None:
    tries: list[int] = []

    @task(retries=1)
    async def flaky() -> int:
        tries.append(1)
        if len(tries) == 1:
            raise OSError
        return 5

    assert asyncio.run(flaky()) == 5


def test_a_retried_task_in_a_workflow() -> None:
    flaky, moments = failing(1, OSError("again"), retries=1)

    @workflow
    def flow(x: int) -> int:
        return flaky(x=flaky(x=x))  # type: ignore[no-any-return]

    run = alula.run(flow, x=2)
    assert run.result == 2
    assert [len(a.attempts) for a in run.actions[1:]] == [2, 1]
    assert len(moments) == 3


def test_ctrl_c_is_not_an_error_of_the_task() -> None:
    tries: list[int] = []

    @task(retries=5)
    def interrupted() -> None:
        tries.append(1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert tries == [1]
