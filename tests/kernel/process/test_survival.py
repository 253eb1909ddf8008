"""Killing engines, templates and children at named points: attempts are found again, and none runs twice."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from alula_kernel.contracts import CANCELLED, LOST, SUCCEEDED, SYSTEM_FAILURE, TIMED_OUT, USER_FAILURE
from alula_kernel.literals import Scalar
from alula_kernel.testing import NoCalls


def kill_engine(engine: int) -> None:
    os.kill(engine, signal.SIGKILL)
    os.waitpid(engine, 0)


def template_of(world: Any, handle: Any) -> int:
    return int(os.readlink(f"{world.files(handle)}.claim").split(":")[1].partition(".")[0])


def test_an_attempt_goes_on_after_its_engine(world: Any, tmp_path: Path) -> None:
    engine, handle = world.engine_in_another_process("wait_for", {"path": str(tmp_path / "go")})

    async def scenario() -> Any:
        await world.until(Path(f"{world.files(handle)}.claim").is_symlink)
        kill_engine(engine)
        world.write(tmp_path / "go", "gone on")
        return await world.executor.wait(handle)

    assert world.run(scenario()).outputs == {"o0": Scalar("gone on")}


def test_submitting_again_after_the_engine_died_finds_the_attempt(world: Any, tmp_path: Path) -> None:
    inputs = {"path": str(tmp_path / "go")}
    engine, handle = world.engine_in_another_process("wait_for", inputs)

    async def scenario() -> Any:
        claim = f"{world.files(handle)}.claim"
        await world.until(Path(claim).is_symlink)
        before = os.readlink(claim)
        kill_engine(engine)
        again = await world.submit("wait_for", inputs, id=handle["attempt"])
        world.write(tmp_path / "go", "once")
        outcome = await world.executor.wait(again)
        return outcome, before, os.readlink(claim)

    outcome, before, after = world.run(scenario())
    assert outcome.outputs == {"o0": Scalar("once")}
    assert before == after


@pytest.mark.parametrize(
    ("name", "inputs", "fields", "kind"),
    [
        ("leave", {"status": 9}, {}, USER_FAILURE),
        ("kill_self", {"number": 9}, {}, SYSTEM_FAILURE),
        ("pause", {"seconds": 600.0}, {"timeout_seconds": 0.5}, TIMED_OUT),
    ],
)
def test_how_an_attempt_ended_is_told_to_who_asks_later(
    world: Any, tmp_path: Path, name: str, inputs: dict[str, Any], fields: dict[str, Any], kind: str
) -> None:
    """The template goes on seeing to its child's limits, and notes its end."""
    engine, handle = world.engine_in_another_process(name, inputs, **fields)

    async def scenario() -> Any:
        await world.until(Path(f"{world.files(handle)}.claim").is_symlink)
        kill_engine(engine)
        return await world.executor.wait(handle)

    assert world.run(scenario()).kind == kind


def test_an_attempt_that_was_never_begun_is_lost_and_stays_so(world: Any, tmp_path: Path) -> None:
    """Its engine died while it waited for the machine, in which two others run."""
    engine, handle = world.engine_in_another_process("note_and_wait", {"path": str(tmp_path / "never")}, busy=True)
    kill_engine(engine)

    async def scenario() -> Any:
        outcome = await world.executor.wait(handle)
        return outcome, await world.executor.wait(handle)

    first, second = world.run(scenario())
    assert first.kind == second.kind == LOST
    assert not (tmp_path / "never").exists()


def test_a_template_that_is_killed_is_replaced_and_its_child_waited_for(world: Any, tmp_path: Path) -> None:
    async def scenario() -> Any:
        first = await world.submit("wait_for", {"path": str(tmp_path / "go")})
        await world.until(Path(f"{world.files(first)}.claim").is_symlink)
        killed = template_of(world, first)
        os.kill(killed, signal.SIGKILL)
        second = await world.submit("add", {"a": 1, "b": 2})
        other = await world.executor.wait(second)
        world.write(tmp_path / "go", "still there")
        return other, await world.executor.wait(first), killed, template_of(world, second)

    other, outcome, killed, replacement = world.run(scenario())
    assert other.outputs == {"o0": Scalar(3)}
    assert outcome.outputs == {"o0": Scalar("still there")}
    assert killed != replacement


def test_templates_killed_again_and_again(world: Any) -> None:
    async def scenario() -> list[Any]:
        import asyncio

        outcomes = []
        for number in range(6):
            handles = [await world.submit("add", {"a": number, "b": n}) for n in range(4)]
            first = await world.executor.wait(handles[0])
            os.kill(template_of(world, handles[0]), signal.SIGKILL)
            outcomes += [first, *await asyncio.gather(*(world.executor.wait(handle) for handle in handles[1:]))]
        return outcomes

    outcomes = world.run(scenario())
    assert all(outcome.kind in {SUCCEEDED, LOST, SYSTEM_FAILURE} for outcome in outcomes)
    assert sum(outcome.kind == SUCCEEDED for outcome in outcomes) >= 12


def test_an_attempt_runs_once_although_two_engines_submit_it(world: Any, tmp_path: Path) -> None:
    async def scenario() -> list[Any]:
        import asyncio

        second = world.open()
        outcomes = []
        for number in range(5):
            attempt = world.attempt("note_and_return", {"path": str(tmp_path / f"ran-{number}")})
            handles = await asyncio.gather(*(e.submit(attempt, NoCalls()) for e in (world.executor, second)))
            waits = (e.wait(handle) for e, handle in zip((world.executor, second), handles, strict=True))
            outcomes.append(await asyncio.gather(*waits))
        return outcomes

    for number, (first, second) in enumerate(world.run(scenario())):
        assert first == second
        assert first.kind == SUCCEEDED
        assert len((tmp_path / f"ran-{number}").read_text().split()) == 1


def test_close_leaves_children_alone_that_are_to_survive(world: Any, tmp_path: Path) -> None:
    executor = world.open(children_survive=True)

    async def begin() -> Any:
        handle = await executor.submit(world.attempt("wait_for", {"path": str(tmp_path / "go")}), NoCalls())
        await world.until(Path(f"{world.files(handle)}.claim").is_symlink)
        return handle

    handle = world.run(begin())
    executor.close()
    world.write(tmp_path / "go", "survived")
    assert world.run(world.executor.wait(handle)).outputs == {"o0": Scalar("survived")}


def test_close_lets_nothing_begin_that_is_on_its_way(world: Any, tmp_path: Path) -> None:
    async def submit() -> tuple[int, Any]:
        first = await world.submit("pid")
        await world.executor.wait(first)
        template = template_of(world, first)
        os.kill(template, signal.SIGSTOP)
        return template, await world.submit("note_and_return", {"path": str(tmp_path / "ran")})

    template, handle = world.run(submit())
    closing = threading.Thread(target=world.executor.close)  # it waits for the template
    closing.start()
    try:
        world.run(world.until(Path(f"{world.files(handle)}.claim").is_symlink))
    finally:
        os.kill(template, signal.SIGCONT)
        closing.join()
    assert not (tmp_path / "ran").exists()
    assert world.run(world.open().wait(handle)).kind == LOST


def test_close_ends_children(world: Any, tmp_path: Path) -> None:
    executor = world.open()

    async def begin() -> Any:
        handle = await executor.submit(world.attempt("note_and_wait", {"path": str(tmp_path / "pid")}), NoCalls())
        return handle, await world.pid_in(tmp_path / "pid")

    handle, pid = world.run(begin())
    executor.close()
    assert not world.alive(pid)
    assert world.run(world.executor.wait(handle)).kind in {SYSTEM_FAILURE, CANCELLED}
