"""The inline executor: who waits for a coroutine function runs it, and stops with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import msgspec
import pytest

from alula_kernel.builtin.inline import InlineExecutor
from alula_kernel.contracts import CANCELLED, LOST, SUCCEEDED, Attempt, Controller, Outcome
from alula_kernel.testing import NoCalls, sample_attempt

Code = Callable[[], Coroutine[Any, Any, object]]


def executor_of(code: Code) -> InlineExecutor:
    async def body(attempt: Attempt, controller: Controller) -> Outcome:
        await code()
        return Outcome(kind=SUCCEEDED)

    return InlineExecutor(lambda task: body)


async def submitted(executor: InlineExecutor, number: int = 1) -> Awaitable[Outcome]:
    attempt = sample_attempt("echo", id=f"run/a0/{number}")
    attempt = msgspec.structs.replace(attempt, task=msgspec.structs.replace(attempt.task, blocking=False))
    return executor.wait(await executor.submit(attempt, NoCalls()))


def in_loop(steps: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(steps())


def test_a_wait_that_is_cancelled_goes_on_until_the_code_has_ended() -> None:
    told: list[object] = []

    async def code() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError as stop:
            told.append(str(stop))
            for step in range(3):
                await asyncio.sleep(0)
                told.append(step)
            raise

    async def steps() -> None:
        waiting = asyncio.ensure_future(await submitted(executor_of(code)))
        await asyncio.sleep(0.001)
        waiting.cancel("enough")
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert told == ["enough", 0, 1, 2]

    in_loop(steps)


def test_a_second_cancellation_ends_the_cleaning_up_and_leaves_nothing_behind() -> None:
    ended: list[str] = []

    async def code() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            try:
                await asyncio.sleep(3600)
            finally:
                ended.append("here")

    async def steps() -> None:
        waiting = asyncio.ensure_future(await submitted(executor_of(code)))
        await asyncio.sleep(0.001)
        waiting.cancel("first")
        await asyncio.sleep(0.001)
        assert not waiting.done()
        waiting.cancel("second")
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert ended == ["here"]
        assert asyncio.all_tasks() == {asyncio.current_task()}

    in_loop(steps)


def test_code_that_swallows_the_cancellation_does_not_keep_who_waits() -> None:
    async def code() -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            await asyncio.sleep(0)

    told: list[str] = []

    async def wait() -> None:
        try:
            await (await submitted(executor_of(code)))
        except asyncio.CancelledError as stop:
            told.append(str(stop))
            raise

    async def steps() -> None:
        waiting = asyncio.ensure_future(wait())
        await asyncio.sleep(0.001)
        waiting.cancel("enough")
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert told == ["enough"]

    in_loop(steps)


def test_a_cancellation_that_comes_just_after_the_end_counts() -> None:
    async def steps() -> None:
        async def code() -> None:
            asyncio.get_running_loop().call_soon(waiting.cancel, "late")

        waiting = asyncio.ensure_future(await submitted(executor_of(code)))
        with pytest.raises(asyncio.CancelledError):
            await waiting

    in_loop(steps)


def test_a_cancellation_before_the_start_keeps_the_code_from_running() -> None:
    async def code() -> None:
        raise AssertionError("it ran")

    async def steps() -> None:
        waiting = asyncio.ensure_future(await submitted(executor_of(code)))
        asyncio.get_running_loop().call_soon(waiting.cancel)
        with pytest.raises(asyncio.CancelledError):
            await waiting

    in_loop(steps)


def test_code_that_cancels_itself_is_an_outcome_and_stops_nobody_else() -> None:
    async def code() -> None:
        current = asyncio.current_task()
        assert current is not None
        current.cancel()
        await asyncio.sleep(0)

    async def steps() -> None:
        outcome = await (await submitted(executor_of(code)))
        assert outcome.kind == CANCELLED
        await asyncio.sleep(0)  # a cancellation that went too far would arrive here

    in_loop(steps)


def test_the_last_outcomes_are_kept() -> None:
    async def code() -> None:
        await asyncio.sleep(0)

    async def steps() -> None:
        executor = executor_of(code)
        for number in range(1_000):
            assert (await (await submitted(executor, number))).kind == SUCCEEDED
        kinds = [(await executor.wait({"attempt": f"run/a0/{number}"})).kind for number in range(1_000)]
        assert kinds[-64:] == [SUCCEEDED] * 64
        assert kinds[:800] == [LOST] * 800

    in_loop(steps)


def test_coroutine_functions_may_call_each_other_deeply(world: Any) -> None:
    """Each runs in a task of its own, so that none stands on the stack of the one that calls it."""

    async def down(depth: int, call: Any) -> int:
        return 0 if depth == 0 else 1 + await call.aio(task, depth=depth - 1)

    task = world.task(down)
    assert world.run(task, {"depth": 150}).value == 150
