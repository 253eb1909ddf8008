"""Times, sleeps and random numbers that do not change when a task runs again."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from typing import Any

import alula
from alula import durable

env = alula.TaskEnvironment("durable")


def _fails_once() -> None:
    context = alula.ctx()
    assert context is not None
    if context.attempt_number == 1:
        raise ValueError("not yet")


def test_a_task_that_runs_again_finds_what_it_found() -> None:
    seen: list[tuple[Any, ...]] = []

    @env.task(retries=1)
    def again() -> None:
        seen.append((durable.now(), durable.time(), durable.random(), durable.random()))
        _fails_once()

    alula.run(again).raise_for_error()
    first, second = seen
    assert first == second
    assert first[0].tzinfo is dt.timezone.utc
    assert abs(first[1] - time.time()) < 600
    assert first[2] != first[3]
    assert 0 <= first[2] < 1


def test_a_sleep_ends_when_it_would_have_ended_at_first() -> None:
    spent: list[float] = []

    @env.task(retries=1)
    async def again() -> None:
        begun = time.monotonic()
        await durable.sleep.aio(0.6)
        durable.sleep(0.0)
        spent.append(time.monotonic() - begun)
        _fails_once()

    alula.run(again).raise_for_error()
    assert spent[0] >= 0.55
    assert spent[1] < spent[0]


def test_outside_of_a_task_nothing_is_recorded() -> None:
    begun = time.monotonic()
    durable.sleep(0.05)
    assert time.monotonic() - begun >= 0.04
    assert durable.random() != durable.random()
    assert asyncio.run(durable.now.aio()) <= durable.now()
