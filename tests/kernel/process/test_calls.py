"""Calls of running attempts: served by the engine, while the processors are others'."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alula_kernel.builtin.process.admission import Machine
from alula_kernel.contracts import LOST, CallRequest
from alula_kernel.engine import Phase
from alula_kernel.literals import Literal, Scalar
from alula_kernel.testing import NoCalls


@pytest.mark.parametrize("jobs", [1, None])
def test_ten_levels_on_one_processor(make_world: Callable[..., Any], jobs: int | None) -> None:
    world = make_world(Machine(cpus=1.0, memory_bytes=1 << 30))
    result = world.run_engine("parent", {"depth": 10}, jobs=jobs)
    assert result.error is None, result.error
    assert result.outputs == {"o0": Scalar(10)}


def test_ten_levels_of_kept_workers(make_world: Callable[..., Any]) -> None:
    """They wait for each other, so that there have to be more than the policy says."""
    from alula_kernel.specs import ReuseSpec

    world = make_world(Machine(cpus=1.0, memory_bytes=1 << 30))
    result = world.run_engine("parent", {"depth": 10}, reuse=ReuseSpec(1, 1), environment_name="kept")
    assert result.error is None, result.error
    assert result.outputs == {"o0": Scalar(10)}


def test_memory_that_waiting_parents_keep_does_not_stop_their_children(make_world: Callable[..., Any]) -> None:
    world = make_world(Machine(cpus=2.0, memory_bytes=1 << 30))
    result = world.run_engine("parent", {"depth": 4}, memory="700Mi")
    assert result.outputs == {"o0": Scalar(4)}


def test_children_at_the_same_time(world: Any) -> None:
    result = world.run_engine("family", {"first": 10}, "add")
    assert result.outputs == {"o0": Scalar(33)}
    assert result.root.phase is Phase.SUCCEEDED


def test_a_child_that_fails_is_an_exception_for_its_parent(world: Any) -> None:
    result = world.run_engine("call_failing", {}, "leave")
    assert "exit status 3" in result.outputs["o0"].value


def test_many_families(world: Any) -> None:
    async def scenario() -> list[Any]:
        import asyncio

        engine = world.engine("family", "add")
        options = world.options(jobs=2)
        spec = world.task("family")
        runs = (engine.run(spec, {"first": Scalar(n)}, options) for n in range(40))
        return await asyncio.gather(*runs)

    results = world.run(scenario())
    assert [result.outputs["o0"].value for result in results] == [3 * n + 3 for n in range(40)]


def test_a_call_while_the_processors_are_taken_again(make_world: Callable[..., Any], tmp_path: Path) -> None:
    """Who waits for processors again, and calls meanwhile, does not take them and wait for what needs them."""
    import asyncio

    world = make_world(Machine(cpus=1.0, memory_bytes=1 << 30))

    async def scenario() -> Any:
        engine = world.engine("call_again", "wait_for", "add")
        inputs: dict[str, Literal] = {"folder": Scalar(str(tmp_path))}
        run = asyncio.ensure_future(engine.run(world.task("call_again"), inputs, world.options()))
        await world.until(
            lambda: len(list(world.home.glob("attempts/**/*.claim"))) == 2
        )  # its own, and the first call's
        other = await world.submit("wait_for", {"path": str(tmp_path / "end")})
        world.write(tmp_path / "first", "abc")
        await world.until(Path(f"{world.files(other)}.claim").is_symlink)  # it has what the first call needed
        world.write(tmp_path / "second", "")
        await world.until((tmp_path / "called").exists)
        world.write(tmp_path / "end", "")
        return await run

    assert world.run(scenario()).outputs == {"o0": Scalar(10)}


class Withdrawn(NoCalls):
    """Answers no call, and notes when nobody waits for it any more."""

    def __init__(self) -> None:
        super().__init__()
        self.called = 0
        self.ended: list[str] = []

    async def call(self, request: CallRequest) -> dict[str, Literal]:
        import asyncio

        self.called += 1
        try:
            await asyncio.sleep(600)
        except asyncio.CancelledError as stop:
            self.ended.append(str(stop))
            raise
        return {}


def test_calls_end_with_the_attempt(world: Any) -> None:
    controller = Withdrawn()

    async def scenario() -> None:
        handle = await world.submit("family", {"first": 1}, controller)
        await world.until(lambda: controller.called == 3)
        await world.executor.cancel(handle)
        await world.executor.wait(handle)
        await world.until(lambda: len(controller.ended) == 3)

    world.run(scenario())
    assert set(controller.ended) == {"the attempt that called it has ended"}


class Answered(NoCalls):
    """Answers calls once it may."""

    def __init__(self) -> None:
        super().__init__()
        self.called = 0
        self.may_answer = False

    async def call(self, request: CallRequest) -> dict[str, Literal]:
        import asyncio

        self.called += 1
        while not self.may_answer:
            await asyncio.sleep(0.001)
        return {"o0": Scalar(1)}


def test_calls_that_wait_for_processors_end_with_the_attempt(make_world: Callable[..., Any], tmp_path: Path) -> None:
    """The answer has come, the processors are another's, and then the process of the attempt is killed."""
    import asyncio

    world = make_world(Machine(cpus=1.0, memory_bytes=1 << 30))
    controller = Answered()

    def serving() -> list[Any]:
        return [task for task in asyncio.all_tasks() if task.get_coro().__name__ == "_serve"]

    async def scenario() -> None:
        caller = await world.submit("family", {"first": 1}, controller)
        await world.until(lambda: controller.called == 3)
        other = await world.submit("wait_for", {"path": str(tmp_path / "end")})
        await world.until(Path(f"{world.files(other)}.claim").is_symlink)
        controller.may_answer = True
        await world.until(lambda: len(serving()) == 1)  # the last of the three, which waits to come back
        await world.executor.cancel(caller)
        await world.executor.wait(caller)
        await world.until(lambda: not serving())
        world.write(tmp_path / "end", "")
        await world.executor.wait(other)

    world.run(scenario())


def test_who_calls_after_its_engine_died_is_lost(world: Any, tmp_path: Path) -> None:
    """Another process submits and is killed; this one waits by the handle that it left."""
    engine, handle = world.engine_in_another_process("call_then_wait", {"path": str(tmp_path / "go")})

    async def scenario() -> Any:
        child = await world.pid_in(tmp_path / "go.pid")
        os.kill(engine, signal.SIGKILL)
        os.waitpid(engine, 0)
        assert world.alive(child)
        world.write(tmp_path / "go", "now")
        return await world.executor.wait(handle)

    outcome = world.run(scenario())
    assert (outcome.kind, outcome.error.message) == (LOST, "the engine is gone")
