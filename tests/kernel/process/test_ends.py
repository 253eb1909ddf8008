"""How attempts end, told apart."""

from __future__ import annotations

import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from alula_kernel.builtin.process.endings import outcome_of
from alula_kernel.builtin.process.files import AttemptFiles, Claim
from alula_kernel.builtin.process.templates import Template
from alula_kernel.contracts import (
    CANCELLED,
    LOST,
    OUT_OF_MEMORY,
    PREEMPTED,
    SUCCEEDED,
    SYSTEM_FAILURE,
    TIMED_OUT,
    USER_FAILURE,
    ExecutorContext,
    Outcome,
)
from alula_kernel.errors import MissingDependencyError
from alula_kernel.literals import Scalar
from alula_kernel.processes import ProcessId
from alula_kernel.specs import RetryPolicy
from alula_kernel.testing import NoCalls


def test_one_that_begins_while_it_is_looked_at_is_not_lost(tmp_path: Path) -> None:
    class BegunMeanwhile(AttemptFiles):
        def outcome(self) -> Outcome | None:
            found = super().outcome()
            self.take(Claim(ProcessId.own(), ProcessId.own(), ""))
            return found

    assert outcome_of(BegunMeanwhile(f"{tmp_path}/run/a0-1"), str(tmp_path)) is None


def test_a_success_tells_what_it_used(world: Any) -> None:
    outcome = world.run(world.finish("add", {"a": 1, "b": 2}))
    assert (outcome.kind, outcome.outputs) == (SUCCEEDED, {"o0": Scalar(3)})
    assert outcome.resources["peak_memory_bytes"] > 1 << 20
    assert outcome.resources["cpu_seconds"] >= 0


@pytest.mark.parametrize(
    ("number", "kind", "code"),
    [
        (signal.SIGKILL, SYSTEM_FAILURE, "Killed"),
        (signal.SIGTERM, PREEMPTED, "Interrupted"),
        (signal.SIGUSR1, USER_FAILURE, "SIGUSR1"),
        (signal.SIGABRT, USER_FAILURE, "SIGABRT"),
    ],
)
def test_signals(world: Any, number: int, kind: str, code: str) -> None:
    outcome = world.run(world.finish("kill_self", {"number": int(number)}))
    assert (outcome.kind, outcome.error.code) == (kind, code)
    assert signal.Signals(number).name in outcome.error.message


@pytest.mark.parametrize("megabytes", [0.1, 4])
def test_a_task_with_a_lot_to_tell(world: Any, megabytes: float) -> None:
    """More than a socket takes at once."""
    custom = {"text": "x" * int(megabytes * (1 << 20))}
    outcome = world.run(world.finish("add", {"a": 1, "b": 2}, custom=custom))
    assert outcome.outputs == {"o0": Scalar(3)}


def test_tasks_with_a_lot_to_tell_in_several_threads(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them are told at once, by a template that was busy until then."""

    async def first() -> int:
        handle = await world.submit("pid")
        await world.executor.wait(handle)
        claim = AttemptFiles(str(world.files(handle))).claim()
        assert claim is not None
        return claim.template.pid

    send, begun = Template.send, list[str]()

    def noting(template: Template, *order: Any) -> None:
        begun.append("")
        send(template, *order)

    def finish(number: int) -> Any:
        return world.run(world.finish("add", {"a": number, "b": 0}, custom={"text": "x" * (4 << 20)}))

    template = world.run(first())
    monkeypatch.setattr(Template, "send", noting)
    os.kill(template, signal.SIGSTOP)
    with ThreadPoolExecutor(2) as pool:
        finishing = [pool.submit(finish, number) for number in range(2)]
        try:
            world.run(world.until(lambda: len(begun) == 2))
        finally:
            os.kill(template, signal.SIGCONT)
    assert [one.result().outputs for one in finishing] == [{"o0": Scalar(number)} for number in range(2)]


def test_a_crash_names_the_signal(world: Any) -> None:
    outcome = world.run(world.finish("crash"))
    assert (outcome.kind, outcome.error.code) == (USER_FAILURE, "SIGSEGV")


def test_an_exit_names_the_status(world: Any) -> None:
    outcome = world.run(world.finish("leave", {"status": 7}))
    assert (outcome.kind, outcome.error.code) == (USER_FAILURE, "ProcessExit")
    assert "exit status 7" in outcome.error.message


@pytest.mark.parametrize("name", ["allocate_slowly", "allocate_in_child"])
def test_out_of_memory_says_limit_and_peak(world: Any, name: str) -> None:
    async def scenario() -> Any:
        outcome = await world.finish(name, {"megabytes": 400}, memory="150Mi")
        return outcome, await world.finish("add", {"a": 1, "b": 2})

    outcome, following = world.run(scenario())
    assert (outcome.kind, outcome.error.code) == (OUT_OF_MEMORY, "OutOfMemory")
    assert "it may use 150 MiB, and its peak was " in outcome.error.message
    assert outcome.resources["peak_memory_bytes"] > 150 << 20
    assert following.kind == SUCCEEDED


def test_one_huge_allocation_is_refused(world: Any) -> None:
    outcome = world.run(world.finish("allocate_at_once", {"megabytes": 4_000}, memory="100Mi"))
    assert (outcome.kind, outcome.error.code) == (OUT_OF_MEMORY, "OutOfMemory")
    assert "it may use 100 MiB" in outcome.error.message
    assert "MemoryError" in outcome.error.traceback


def test_memory_within_the_limit_is_nothing_special(world: Any) -> None:
    outcome = world.run(world.finish("allocate_slowly", {"megabytes": 20}, memory="400Mi"))
    assert outcome.outputs == {"o0": Scalar(20)}


def test_more_memory_after_running_out_of_it(world: Any) -> None:
    retries = RetryPolicy(user=3, memory_factor=4.0)
    result = world.run_engine("allocate_slowly", {"megabytes": 200}, memory="120Mi", retries=retries)
    assert result.outputs == {"o0": Scalar(200)}
    assert [attempt.outcome for attempt in result.root.attempts] == [OUT_OF_MEMORY, SUCCEEDED]


def test_a_timeout_ends_also_who_does_not_listen(world: Any, tmp_path: Path) -> None:
    async def scenario() -> Any:
        handle = await world.submit("ignore_term", {"path": str(tmp_path / "pid")}, timeout_seconds=0.5)
        return await world.executor.wait(handle), await world.pid_in(tmp_path / "pid")

    outcome, pid = world.run(scenario())
    assert (outcome.kind, outcome.error.code) == (TIMED_OUT, "Timeout")
    assert outcome.error.message == "ran longer than 0.5 s"
    assert not world.alive(pid)


def test_cancelling_ends_descendants(world: Any, tmp_path: Path) -> None:
    async def scenario() -> Any:
        handle = await world.submit("note_and_wait", {"path": str(tmp_path / "pid")})
        pid = await world.pid_in(tmp_path / "pid")
        await world.executor.cancel(handle)
        return await world.executor.wait(handle), pid

    outcome, pid = world.run(scenario())
    assert outcome.kind == CANCELLED
    assert not world.alive(pid)


def test_what_a_task_leaves_running_ends_with_it(world: Any, tmp_path: Path) -> None:
    async def scenario() -> None:
        outcome = await world.finish("leave_child_behind", {"path": str(tmp_path)})
        left = outcome.outputs["o0"]
        assert isinstance(left, Scalar)
        await world.until(lambda: not world.alive(left.value))  # type: ignore[arg-type]

    world.run(scenario())


def test_cancelling_what_waits_for_the_machine(world: Any, tmp_path: Path) -> None:
    async def scenario() -> Any:
        running = [await world.submit("note_and_wait", {"path": str(tmp_path / str(n))}) for n in range(2)]
        for n in range(2):
            await world.pid_in(tmp_path / str(n))
        queued = await world.submit("note_and_wait", {"path": str(tmp_path / "never")})
        waiting = world.executor.wait(queued)
        await world.executor.cancel(queued)
        outcome = await waiting
        for handle in running:
            await world.executor.cancel(handle)
            await world.executor.wait(handle)
        return outcome

    assert world.run(scenario()).kind == CANCELLED
    assert not (tmp_path / "never").exists()


def test_code_that_only_this_process_has(world: Any) -> None:
    outcome = world.run(world.finish("add", {"a": 1, "b": 2}, code=None))
    assert outcome.kind == SYSTEM_FAILURE
    assert not outcome.error.recoverable
    assert "exists in this process only" in outcome.error.message


def test_a_worker_that_does_not_start(world: Any) -> None:
    executor = world.open(command=("python-that-is-not-there", "-c", "pass"))

    async def scenario() -> Any:
        return await executor.wait(await executor.submit(world.attempt("add", {"a": 1, "b": 2}), NoCalls()))

    outcome = world.run(scenario())
    assert outcome.kind == SYSTEM_FAILURE
    assert "python-that-is-not-there" in outcome.error.message


def test_an_environment_that_cannot_be_built_is_not_tried_again(world: Any) -> None:
    def no_uv(task: Any) -> str:
        raise MissingDependencyError("the environment is built by uv, which is not installed", hint="Install it.")

    world.executor.open(ExecutorContext(world.storage, str(world.home), {}, no_uv))
    outcome = world.run(world.finish("add", {"a": 1, "b": 2}, image="an image"))
    assert outcome.kind == SYSTEM_FAILURE
    assert "built by uv" in outcome.error.message
    assert not outcome.error.recoverable


def test_a_worker_that_dies_before_it_begins_shows_what_it_printed(world: Any) -> None:
    executor = world.open(command=(sys.executable, "-c", "raise SystemExit('there is no such thing')"))

    async def scenario() -> Any:
        return await executor.wait(await executor.submit(world.attempt("add", {"a": 1, "b": 2}), NoCalls()))

    outcome = world.run(scenario())
    assert outcome.kind == SYSTEM_FAILURE
    assert "there is no such thing" in outcome.error.message


def test_killed_together_with_its_template(world: Any, tmp_path: Path) -> None:
    """Nobody saw how it ended, and that is what is said."""

    async def scenario() -> Any:
        handle = await world.submit("note_and_wait", {"path": str(tmp_path / "pid")})
        pid = await world.pid_in(tmp_path / "pid")
        template = int(os.readlink(f"{world.files(handle)}.claim").split(":")[1].partition(".")[0])
        os.kill(template, signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        return await world.executor.wait(handle)

    assert world.run(scenario()).kind == LOST
