"""Errors of the platform that a task raises itself, and those that a map gives as values."""

from __future__ import annotations

import pytest

import alula
from alula import RetryStrategy, TaskEnvironment
from alula.errors import OOMError, RuntimeSystemError, RuntimeUserError, TaskError

env = TaskEnvironment("raising")
attempts: list[int] = []
caught: list[tuple[str, str, str]] = []


@env.task
def too_large(rows: int) -> int:
    if rows > 10:
        raise OOMError("OOM", f"{rows} rows")
    return rows


@env.task(retries=RetryStrategy(1))
def second_time(x: int) -> int:
    attempts.append(x)
    if len(attempts) == 1:
        raise RuntimeSystemError("Busy", "try again", worker="w1")
    return x


@env.task
def smaller(rows: int) -> int:
    try:
        return too_large(rows)
    except OOMError as problem:
        caught.append((problem.code, str(problem), problem.kind))
        return too_large(rows // 10)


def test_caller_catches_what_a_task_raised() -> None:
    assert smaller(100) == 10
    assert caught == [("OOM", "100 rows", "user")]


def test_failed_run_tells_code_kind_and_where_it_was_raised() -> None:
    error = alula.run(too_large, 11).error
    assert error is not None
    assert (error.code, error.message, error.kind) == ("OOM", "11 rows", "user")
    assert "raise OOMError" in error.traceback


def test_it_is_retried_as_any_other() -> None:
    attempts.clear()
    assert second_time(1) == 1
    assert len(attempts) == 2


def test_kind_follows_from_the_class() -> None:
    assert [kind("A", "b").kind for kind in (RuntimeUserError, RuntimeSystemError, TaskError)] == [
        "user",
        "system",
        "unknown",
    ]
    assert RuntimeSystemError("A", "b", worker="w").worker == "w"


def test_calculating_with_a_failure_raises_it() -> None:
    results = list(alula.map(too_large, [1, 20]))
    with pytest.raises(OOMError, match="20 rows"):
        sum(results)
    for calculate in (lambda e: e + 1, lambda e: 2 * e, lambda e: e / 2, lambda e: 1 // e, lambda e: e - 1):
        with pytest.raises(OOMError):
            calculate(results[1])
