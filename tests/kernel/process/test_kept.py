"""Kept workers: reused, reset, apart from each other, and gone after a while."""

from __future__ import annotations

import asyncio
import os
import selectors
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from alula_kernel.contracts import CANCELLED, OUT_OF_MEMORY, SUCCEEDED, SYSTEM_FAILURE, TIMED_OUT, CallRequest
from alula_kernel.literals import Literal, Scalar
from alula_kernel.specs import ReuseSpec
from alula_kernel.testing import NoCalls

HANG_SECONDS = 120.0
ONE = ReuseSpec(min_replicas=1, max_replicas=1)


def kept(reuse: ReuseSpec = ONE, environment_name: str = "kept") -> dict[str, Any]:
    return {"reuse": reuse, "environment_name": environment_name}


def value(outcome: Any) -> Any:
    assert outcome.kind == SUCCEEDED, outcome.error
    return outcome.outputs["o0"].value


def test_one_worker_runs_many_attempts(world: Any) -> None:
    async def scenario() -> list[Any]:
        return [value(await world.finish("pid", **kept())) for _ in range(5)]

    assert len(set(world.run(scenario()))) == 1


def test_what_an_attempt_changed_is_as_before(world: Any) -> None:
    async def scenario() -> list[Any]:
        return [value(await world.finish("remember", {"number": n}, **kept())) for n in range(3)]

    first, second, third = world.run(scenario())
    assert first.startswith("seen=[] environment=None")
    assert second == first.replace("seen=[]", "seen=[0]")  # what modules hold is what workers are kept for
    assert third == first.replace("seen=[]", "seen=[0, 1]")


def test_each_attempt_has_its_log(world: Any) -> None:
    async def scenario() -> list[bytes]:
        logs = []
        for number in range(3):
            handle = await world.submit("remember", {"number": number}, **kept())
            await world.executor.wait(handle)
            logs.append(await world.log(handle))
        return logs

    assert world.run(scenario()) == [b"attempt 0\n", b"attempt 1\n", b"attempt 2\n"]


def test_the_log_of_an_attempt_with_which_the_worker_died(world: Any, tmp_path: Path) -> None:
    async def scenario() -> tuple[bytes, bytes, bytes]:
        silent = await world.submit("add", {"a": 1, "b": 2}, **kept())
        await world.executor.wait(silent)
        pid = value(await world.finish("pid", **kept()))
        handle = await world.submit("talk_and_wait", {"path": str(tmp_path / "go")}, **kept())
        async for _ in world.executor.logs(handle):
            os.kill(pid, signal.SIGKILL)
        outcome = await world.executor.wait(handle)
        assert outcome.kind == SYSTEM_FAILURE
        (tmp_path / "go").write_text("")
        after = await world.submit("remember", {"number": 1}, **kept())
        await world.executor.wait(after)
        return await world.log(silent), await world.log(handle), await world.log(after)

    assert world.run(scenario()) == (b"", b"before\n", b"attempt 1\n")


def test_output_that_the_code_sent_elsewhere(world: Any) -> None:
    """Another attempt prints to its own log again, whatever the one before has done to the descriptors."""

    async def scenario() -> list[bytes]:
        logs = []
        for name, inputs in (("redirect", {}), ("remember", {"number": 1})):
            handle = await world.submit(name, inputs, **kept())
            await world.executor.wait(handle)
            logs.append(await world.log(handle))
        return logs

    assert world.run(scenario()) == [b"before\n", b"attempt 1\n"]


@pytest.mark.skipif(sys.platform != "linux", reason="a policy of Linux")
def test_a_kept_worker_does_not_interrupt_the_engine(world: Any) -> None:
    async def scenario() -> tuple[int, int]:
        return os.sched_getscheduler(value(await world.finish("pid", **kept()))), os.sched_getscheduler(0)

    assert world.run(scenario()) == (os.SCHED_BATCH, os.SCHED_OTHER)


def test_tenants_are_apart(world: Any) -> None:
    async def scenario() -> list[Any]:
        tenants: list[dict[str, Any]] = [
            {},
            {"project": "other"},
            {"domain": "other"},
            {"environment": {"A": "1"}},
            kept(environment_name="other"),
        ]
        return [value(await world.finish("pid", **{**kept(), **tenant})) for tenant in tenants]

    pids = world.run(scenario())
    assert len(set(pids)) == len(pids)


def test_workers_of_one_run(world: Any) -> None:
    reuse = ReuseSpec(1, 1, scope="run")

    async def scenario() -> list[Any]:
        return [value(await world.finish("pid", run=run, **kept(reuse))) for run in ("a", "a", "b")]

    first, second, third = world.run(scenario())
    assert first == second != third


def test_no_more_workers_than_the_policy_says(make_world: Any) -> None:
    from alula_kernel.builtin.process.admission import Machine

    world = make_world(Machine(cpus=8.0, memory_bytes=1 << 30))

    async def scenario() -> list[Any]:
        reuse = ReuseSpec(min_replicas=0, max_replicas=2)
        return await asyncio.gather(*(world.finish("pause", {"seconds": 0.05}, **kept(reuse)) for _ in range(8)))

    assert len({value(outcome) for outcome in world.run(scenario())}) == 2


def test_several_coroutines_in_one_worker(world: Any) -> None:
    async def scenario() -> Any:
        reuse = ReuseSpec(1, 1, concurrency=3)
        handles = [await world.submit("meet", {"number": n}, **kept(reuse)) for n in range(3)]
        outcomes = await asyncio.gather(*(world.executor.wait(handle) for handle in handles))
        logs = [await world.log(handle) for handle in handles]
        return outcomes, logs

    outcomes, logs = world.run(scenario())
    assert len({value(outcome) for outcome in outcomes}) == 1
    assert logs == [b"meeting 0\n", b"meeting 1\n", b"meeting 2\n"]


class LateSelector(selectors.DefaultSelector):
    """Tells what has happened late and all at once, the newest sockets first."""

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if super().select(timeout):
            time.sleep(0.05)
        return sorted(super().select(0), key=lambda event: -event[0].fd)


class Answers(NoCalls):
    """Answers every call."""

    async def call(self, request: CallRequest) -> dict[str, Literal]:
        return {"o0": Scalar(3)}


def test_a_worker_is_kept_whose_calls_end_before_its_outcome_is_seen(world: Any, tmp_path: Path) -> None:
    (tmp_path / "go").touch()

    async def scenario() -> list[Any]:
        before = value(await world.finish("pid", **kept()))
        inputs = {"path": str(tmp_path / "go")}
        assert value(await world.finish("call_then_wait", inputs, controller=Answers(), **kept())) == 3
        return [before, value(await world.finish("pid", **kept()))]

    loop = asyncio.SelectorEventLoop(LateSelector())
    try:
        before, after = loop.run_until_complete(asyncio.wait_for(scenario(), HANG_SECONDS))
    finally:
        loop.close()
    assert before == after


def test_a_worker_that_dies_when_it_is_about_to_call(world: Any, tmp_path: Path) -> None:
    async def scenario() -> tuple[Any, list[Any]]:
        problems: list[Any] = []
        asyncio.get_running_loop().set_exception_handler(lambda _loop, context: problems.append(context))
        handle = await world.submit("call_then_be_killed", {"path": str(tmp_path / "go")}, **kept())
        pid = await world.pid_in(tmp_path / "go.pid")
        (tmp_path / "go").touch()
        while world.alive(pid):
            time.sleep(0.005)  # the loop stands still, so that it finds the message of one that is gone
        return await world.executor.wait(handle), problems

    outcome, problems = world.run(scenario())
    assert outcome.kind == SYSTEM_FAILURE, outcome.error
    assert problems == []


def test_a_worker_whose_code_caught_the_signal_is_not_killed_later(world: Any, tmp_path: Path) -> None:
    async def scenario() -> list[Any]:
        handle = await world.submit("return_when_told_to_end", {"path": str(tmp_path / "begun")}, **kept())
        await world.until((tmp_path / "begun").exists)
        await world.executor.cancel(handle)
        return [value(await world.executor.wait(handle)), value(await world.finish("pid", **kept()))]

    cancelled, after = world.run(scenario())
    assert cancelled == after


def test_a_worker_that_ends_badly_is_replaced(world: Any, tmp_path: Path) -> None:
    async def scenario() -> list[Any]:
        outcomes = [await world.finish("pid", **kept())]
        outcomes.append(await world.finish("kill_self", {"number": 9}, **kept()))
        outcomes.append(await world.finish("pid", **kept()))
        return outcomes

    first, killed, second = world.run(scenario())
    assert killed.kind == SYSTEM_FAILURE
    assert value(first) != value(second)


def test_limits_of_kept_workers(world: Any, tmp_path: Path) -> None:
    async def scenario() -> list[Any]:
        late = await world.finish("pause", {"seconds": 600.0}, timeout_seconds=0.3, **kept())
        large = await world.finish("allocate_slowly", {"megabytes": 400}, memory="150Mi", **kept())
        handle = await world.submit("note_and_wait", {"path": str(tmp_path / "pid")}, **kept())
        await world.pid_in(tmp_path / "pid")
        await world.executor.cancel(handle)
        return [late, large, await world.executor.wait(handle), await world.finish("pid", **kept())]

    outcomes = world.run(scenario())
    assert [outcome.kind for outcome in outcomes] == [TIMED_OUT, OUT_OF_MEMORY, CANCELLED, SUCCEEDED]
    assert "it may use 150 MiB" in outcomes[1].error.message


def test_a_worker_without_work_ends(world: Any) -> None:
    async def scenario() -> tuple[int, int]:
        reuse = ReuseSpec(1, 1, idle_seconds=0.2, scaledown_seconds=0.2)
        first = value(await world.finish("pid", **kept(reuse)))
        await world.until(lambda: not world.alive(first))
        return first, value(await world.finish("pid", **kept(reuse)))

    first, second = world.run(scenario())
    assert first != second
