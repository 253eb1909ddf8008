"""EX-09, EX-13, EX-14, EX-21, EX-30, EX-36: phases, names, parallelism, the record of errors, the limit of inline data."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import os
import pickle
import re
from collections.abc import Callable
from typing import Any

import pytest

import alula
from alula import Run, RunOptions, TaskEnvironment, errors, map_task, task, workflow
from alula_kernel.contracts import ActionEvent
from alula_kernel.errors import MAX_MESSAGE_CHARS

env = TaskEnvironment(name="runs")


@task
def double(x: int) -> int:
    return 2 * x


@task
def broken(x: int) -> int:
    raise ValueError(f"broken {x}")


# --- runs ------------------------------------------------------------------------------------------------------------------


def test_a_run_shows_what_happened() -> None:
    run = alula.run(double, x=2)
    assert repr(run.outputs) == "<function: call it, or await its `aio`>"
    assert (run.result, tuple(run.outputs()), run.outputs().o0, run.output("o0")) == (4, (4,), 4, 4)
    assert run.phase.value == "succeeded"
    assert run.error is None
    assert run.outputs().named_outputs == {"o0": 4}
    assert run.wait() is None
    assert "double" in repr(run)
    assert "succeeded" in run.tree()
    with pytest.raises(AttributeError, match="there is no output 'o1'; there are o0"):
        run.outputs().o1  # noqa: B018 - the access is the test
    with pytest.raises(errors.UnknownNameError, match="unknown output 'o1'"):
        run.output("o1")
    assert run.output("o0", float) == 4.0


def test_what_a_run_tells_can_be_awaited() -> None:
    async def program() -> int:
        run = await alula.run.aio(double, x=2)
        await run.wait.aio()
        return (await run.outputs.aio()).o0  # type: ignore[no-any-return]

    assert asyncio.run(program()) == 4


def test_a_failure_that_the_program_does_not_look_at_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    _collect_runs(capsys)  # those of other tests
    name = alula.run(broken, x=1).name
    told = _collect_runs(capsys)
    assert told.startswith(
        f"run {name} of task {__name__}.broken failed, and the program did not look: ValueError: broken 1\n"
    )
    assert "run.result" in told


@pytest.mark.parametrize("look", [lambda run: run.error, lambda run: run.phase, repr, Run.tree, Run.raise_for_error])
def test_a_failure_that_the_program_looked_at_is_not_told_again(
    look: Callable[[Run], object], capsys: pytest.CaptureFixture[str]
) -> None:
    _collect_runs(capsys)  # those of other tests
    with contextlib.suppress(ValueError):
        look(alula.run(broken, x=1))
    assert _collect_runs(capsys) == ""


def _collect_runs(capsys: pytest.CaptureFixture[str]) -> str:
    gc.collect()
    return capsys.readouterr().err


def test_a_failed_run_is_returned_and_raises_when_its_result_is_asked_for() -> None:
    run = alula.run(broken, x=2)
    assert run.phase.value == "failed"
    for ask in (lambda: run.result, run.outputs, run.raise_for_error, lambda: run.output("o0")):
        with pytest.raises(ValueError, match="broken 2"):
            ask()


def test_generated_names() -> None:
    names = {alula.run(double, x=1).name for _ in range(20)}
    assert len(names) == 20
    assert all(re.fullmatch(r"a[a-z0-9]{19}", name) for name in names)


def test_given_names() -> None:
    assert alula.run(double, x=1, options=RunOptions(name="my-run-1")).name == "my-run-1"
    assert alula.with_runcontext(name="other").run(double, x=1).name == "other"


@pytest.mark.parametrize("name", ["Upper", "1a", "a_b", "-a", "a" * 64, "a b", "ä"])
def test_wrong_names_are_refused(name: str) -> None:
    with pytest.raises(errors.UsageError, match="cannot be the name of a run"):
        alula.run(double, x=1, options=RunOptions(name=name))
    with pytest.raises(errors.UsageError, match="cannot be the name of a run"):
        alula.with_runcontext(name=name)


def test_options_of_a_run(monkeypatch: pytest.MonkeyPatch) -> None:
    @task
    def seen() -> list[str]:
        context = alula.current_context()
        return [os.environ["ALULA_TEST_RUN"], context.project, context.domain, context.attempt.labels["a"]]

    run = alula.with_runcontext(
        env_vars={"ALULA_TEST_RUN": "r"}, project="p", domain="production", labels={"a": "b"}
    ).run(seen)
    assert run.result == ["r", "p", "production", "b"]
    assert "ALULA_TEST_RUN" not in os.environ
    with pytest.raises(errors.UnknownNameError, match="unknown mode of a run 'remote'"):
        alula.with_runcontext("remote")


def test_settings_of_the_process_choose_project_and_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    @task
    def seen() -> str:
        return str(alula.current_context().execution_id)

    monkeypatch.setenv("ALULA_PROJECT", "mine")
    monkeypatch.setenv("ALULA_DOMAIN", "staging")
    run = alula.run(seen)
    assert run.result == f"mine/staging/{run.name}"


def test_most_attempts_at_once() -> None:
    running, most = 0, 0

    @env.task
    async def wait(x: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return x

    @workflow
    def flow() -> list[int]:
        return [*[wait(x=i) for i in range(6)], map_task(wait)(x=[1])[0]]

    run = alula.run(flow, options=RunOptions(max_parallelism=2))
    assert run.result == [0, 1, 2, 3, 4, 5, 1]
    assert most == 2
    assert alula.run(flow).result[-1] == 1
    assert most >= 6


def test_options_of_the_workflow_and_the_launch_plan_are_those_of_the_run() -> None:
    seen: list[tuple[dict[str, str], int | None]] = []
    app = alula.App()

    @task
    def look() -> None:
        attempt = alula.current_context().attempt
        seen.append((attempt.labels, attempt.number))

    @workflow(default_options=alula.Options(labels={"a": "workflow", "b": "workflow"}, max_parallelism=1))
    def flow() -> None:
        look()

    plan = alula.LaunchPlan.create("plan", flow, labels={"b": "plan", "c": "plan"})
    flow()
    plan()
    alula.run(plan, options=RunOptions(labels={"c": "run"}), app=app)
    app.close()
    assert [labels for labels, _ in seen] == [
        {"a": "workflow", "b": "workflow"},
        {"a": "workflow", "b": "plan", "c": "plan"},
        {"a": "workflow", "b": "plan", "c": "run"},
    ]


# --- phases and events --------------------------------------------------------------------------------------------------------


def test_listeners_hear_of_every_phase_in_order() -> None:
    events: list[ActionEvent] = []
    app = alula.App(listeners=(events.append,))

    @workflow
    def flow(x: int) -> int:
        return double(x=double(x=x))

    assert alula.run(flow, app=app, x=1).result == 4
    app.close()
    assert [(e.action, e.phase) for e in events] == [
        ("a0", "queued"),
        ("a0", "running"),
        ("a0.n0", "queued"),
        ("a0.n0", "running"),
        ("a0.n0", "succeeded"),
        ("a0.n1", "queued"),
        ("a0.n1", "running"),
        ("a0.n1", "succeeded"),
        ("a0", "succeeded"),
    ]
    assert len({e.run for e in events}) == 1
    assert all(earlier.at <= later.at for earlier, later in itertools.pairwise(events))


def test_retrying_is_a_phase() -> None:
    events: list[ActionEvent] = []
    app = alula.App(listeners=(events.append,))
    tries: list[int] = []

    @task(retries=1)
    def flaky() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise OSError

    alula.run(flaky, app=app)
    app.close()
    assert [(e.phase, e.attempt) for e in events] == [
        ("queued", 0),
        ("running", 1),
        ("retrying", 1),
        ("running", 2),
        ("succeeded", 2),
    ]


def test_times_are_recorded() -> None:
    root = alula.run(double, x=1).actions[0]
    assert root.ended_at is not None
    assert root.started_at is not None
    assert root.created_at <= root.started_at <= root.ended_at
    assert root.attempts[0].ended_at is not None
    assert root.attempts[0].executor == "inline"


# --- errors -----------------------------------------------------------------------------------------------------------------------


class Own(Exception):
    def __init__(self, number: int, *, word: str) -> None:
        super().__init__(number, word)
        self.number, self.word = number, word


def failed(run: Run) -> errors.ActionError:
    assert run.error is not None
    return run.error


def test_the_record_of_an_error() -> None:
    def helper(x: int) -> int:
        raise Own(x, word="w")

    @task
    def raises(x: int) -> int:
        return helper(x)

    error = failed(alula.run(raises, x=3))
    assert (error.code, error.kind, error.recoverable, error.action) == ("Own", "user", True, "a0")
    assert error.name == raises.name
    assert error.traceback.count("File") == 2
    assert "in helper" in error.traceback
    assert "alula" not in error.traceback.replace(__file__, "")


def test_causes_are_in_the_traceback() -> None:
    @task
    def raises() -> None:
        try:
            int("x")
        except ValueError as problem:
            raise RuntimeError("outer") from problem

    error = failed(alula.run(raises))
    assert "invalid literal" in error.traceback
    assert "direct cause" in error.traceback


def test_long_messages_are_cut() -> None:
    @task
    def raises() -> None:
        raise ValueError("x" * 1_000_000)

    error = failed(alula.run(raises))
    assert len(error.message) <= MAX_MESSAGE_CHARS
    assert "(1,000,000 characters)" in error.message


def test_an_error_with_a_broken_str_is_still_recorded() -> None:
    class Broken(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    @task
    def raises() -> None:
        raise Broken

    assert failed(alula.run(raises)).code == "Broken"


def test_errors_that_callers_catch_survive_pickling() -> None:
    @env.task
    async def raises() -> None:
        raise Own(7, word="w")

    kept: list[Any] = []

    @env.task
    async def catches() -> None:
        try:
            await raises()
        except Own as problem:
            kept.append(problem)

    asyncio.run(catches())
    problem = kept[0]
    assert isinstance(problem, errors.RuntimeUserError)
    assert (problem.code, problem.kind, problem.number, problem.word) == ("Own", "user", 7, "w")
    again = pickle.loads(pickle.dumps(problem))
    assert isinstance(again, errors.RuntimeUserError)
    assert again.code == "Own"


def test_sys_exit_in_a_task_is_a_failure_of_the_task() -> None:
    @task
    def leaves() -> None:
        raise SystemExit(3)

    assert failed(alula.run(leaves)).code == "SystemExit"


def test_an_abort_reaches_every_child() -> None:
    begun: list[int] = []
    ended: list[str] = []

    @env.task
    async def waits(x: int) -> None:
        begun.append(x)
        try:
            await asyncio.sleep(30)
        finally:
            ended.append(f"stopped {x}")

    @workflow
    def flow() -> None:
        for i in range(3):
            waits(x=i)

    async def main() -> None:
        running = asyncio.ensure_future(alula.run.aio(flow))
        while len(begun) < 3:
            await asyncio.sleep(0)
        running.cancel()
        await running

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
    assert sorted(ended) == ["stopped 0", "stopped 1", "stopped 2"]


# --- inline data ----------------------------------------------------------------------------------------------------------------


def test_inputs_and_outputs_beyond_the_limit_are_refused() -> None:
    @env.task(max_inline_io_bytes=1_000)
    def grows(x: str) -> str:
        return x * 10

    assert grows(x="a" * 50) == "a" * 500
    with pytest.raises(
        errors.InlineIOMaxBytesBreached, match=r"the inputs take .* bytes, more than the 1,000"
    ) as caught:
        grows(x="a" * 2_000)
    assert "the largest is 'x'" in str(caught.value)
    with pytest.raises(errors.InlineIOMaxBytesBreached, match="the outputs take"):
        grows(x="a" * 500)
    assert grows.override(max_inline_io_bytes=100_000)(x="a" * 2_000) == "a" * 20_000


def test_the_limit_of_ten_mebibytes_is_the_default() -> None:
    @env.task
    def passes(x: bytes) -> int:
        return len(x)

    assert passes(x=bytes(10_000_000)) == 10_000_000
    with pytest.raises(errors.InlineIOMaxBytesBreached):
        passes(x=bytes(11_000_000))
