"""AU-37: conditions, answered by people, beforehand, and by other processes."""

from __future__ import annotations

import asyncio
import io
import os
import subprocess
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import alula
from alula import App, TaskEnvironment, approve, errors, task, workflow

env = TaskEnvironment(name="conditions")


@pytest.fixture(autouse=True)
def _nobody_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(""))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def type_in(monkeypatch: pytest.MonkeyPatch, *lines: str) -> list[str]:
    """Answer questions at a terminal, and give the list of what was asked."""
    asked: list[str] = []
    waiting = list(lines)

    def answer(prompt: str = "") -> str:
        asked.append(prompt)
        return waiting.pop(0)

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("builtins.input", answer)
    return asked


def test_another_thread_answers_while_a_plain_task_waits() -> None:
    @env.task
    def main() -> str:
        go = alula.new_condition("go", prompt="Go?", timeout=60)
        text = alula.new_condition("text", data_type=str, description="Any text.", timeout=timedelta(seconds=60))
        run = alula.ctx().run_name  # type: ignore[union-attr]
        threading.Thread(target=lambda: (alula.signal(run, "text", "hello"), alula.signal(run, "go", True))).start()
        return f"{go.wait()} {text.wait()} {text.wait()}"

    run = alula.run(main)
    assert run.result == "True hello hello"
    assert [(a.name, a.kind, a.phase.value) for a in run.actions[1:]] == [
        ("go", "gate", "succeeded"),
        ("text", "gate", "succeeded"),
    ]


def test_a_coroutine_goes_on_while_it_waits() -> None:
    @env.task
    async def main() -> list[int]:
        number = await alula.new_condition.aio("number", data_type=int, timeout=60)
        run = alula.ctx().run_name  # type: ignore[union-attr]

        async def answer() -> None:
            await asyncio.sleep(0.01)
            alula.signal(run, "number", 7)

        found, _ = await asyncio.gather(number.wait.aio(), answer())
        return [found, await number.wait.aio()]

    assert asyncio.run(main()) == [7, 7]


def test_a_condition_made_by_a_plain_call_can_be_awaited() -> None:
    @env.task
    async def main() -> int:
        number = alula.new_condition("number", data_type=int, timeout=60)
        alula.signal(alula.ctx().run_name, "number", 3)  # type: ignore[union-attr]
        return await number.wait.aio()

    assert asyncio.run(main()) == 3

    @env.task
    async def wrong() -> int:
        number = await alula.new_condition.aio("number", data_type=int, timeout=60)
        return number.wait()

    with pytest.raises(errors.UsageError, match=r"condition\.wait\.aio"):
        asyncio.run(wrong())


def test_an_answer_that_was_given_counts_when_the_task_runs_again() -> None:
    tries: list[int] = []

    @env.task(retries=1)
    def main() -> int:
        number = alula.new_condition("number", data_type=int, timeout=60, prompt=f"Attempt {len(tries)}?")
        tries.append(1)
        if len(tries) == 1:
            alula.signal(alula.ctx().run_name, "number", 5)  # type: ignore[union-attr]
            number.wait()
            raise OSError("again")
        return number.wait()

    run = alula.run(main)
    assert run.result == 5
    assert len(run.actions) == 2


def test_nobody_answers_in_time() -> None:
    @env.task
    async def main() -> str:
        late = await alula.new_condition.aio("late", timeout=0.05)
        try:
            await late.wait.aio()
        except errors.ConditionTimedoutError as problem:
            return str(problem)
        return "answered"

    assert issubclass(errors.ConditionTimedoutError, errors.GateTimeoutError)

    run = alula.run(main)
    assert run.result == "no answer to 'late' within 0.05 s"
    assert run.actions[1].phase.value == "failed"


def test_the_person_at_the_terminal_is_asked_until_the_answer_fits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = type_in(monkeypatch, "many", "3")

    @env.task
    def main() -> int:
        return alula.new_condition("n", prompt="How many?", data_type=int, description="Of them.").wait()

    assert main() == 3
    assert asked == ["How many? (int): "] * 2
    told = capsys.readouterr().err
    assert "expected int" in told
    assert "Of them." in told


def test_without_a_terminal_it_says_how_to_answer(capsys: pytest.CaptureFixture[str]) -> None:
    @env.task
    def main() -> bool:
        return alula.new_condition("ready", timeout=0.01).wait()

    alula.with_runcontext(name="waiting").run(main)
    assert "alula signal waiting ready VALUE" in capsys.readouterr().err


def test_an_answer_given_beforehand() -> None:
    @env.task
    def main() -> bool:
        return alula.new_condition("ready").wait()

    app = App(answers={"ready": False})
    try:
        assert alula.run(main, app=app).result is False
    finally:
        app.close()


def test_a_gate_of_a_workflow_can_be_answered_by_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    @task
    def make() -> int:
        return 4

    @workflow
    def flow() -> int:
        return approve(make(), "check", timeout=timedelta(minutes=1))

    over = threading.Event()

    def answer_soon() -> None:
        while not alula.current_app().signals.questions("gated"):
            if over.wait(0.01):
                return
        alula.signal("gated", "check", True)

    monkeypatch.setattr("sys.stdin", Terminal())
    monkeypatch.setattr("builtins.input", lambda _prompt="": over.wait(60) and "n")
    thread = threading.Thread(target=answer_soon)
    thread.start()
    try:
        run = alula.with_runcontext(name="gated").run(flow)
    finally:
        over.set()
        thread.join()
    assert run.result == 4


def test_wrong_answers_are_refused_where_they_are_given(alula_home: Path) -> None:
    @env.task
    async def main() -> int:
        number = await alula.new_condition.aio("number", data_type=int, timeout=60)
        run = alula.ctx().run_name  # type: ignore[union-attr]
        with pytest.raises(errors.ConditionNotFoundError, match="unknown question 'numbr'"):
            alula.signal(run, "numbr", 1)
        with pytest.raises(errors.ValueConversionError, match="answer to 'number'"):
            alula.signal(run, "number", "x")
        with pytest.raises(errors.UsageError, match="plain data"):
            alula.signal(run, "number", object())
        with pytest.raises(errors.ConditionAlreadyExistsError, match="'number'"):
            await alula.new_condition.aio("number")
        alula.signal(run, "number", 1)
        return await number.wait.aio()

    assert asyncio.run(main()) == 1
    with pytest.raises(errors.ConditionNotFoundError, match="waits for no answer"):
        alula.signal("none", "number", 1)
    assert not any((alula_home / "signals").iterdir())


def test_what_cannot_be_a_condition_is_refused() -> None:
    with pytest.raises(errors.UsageError, match="outside of a running task"):
        alula.new_condition("x")

    @env.task
    def main(name: str, timeout: float) -> None:
        alula.new_condition(name, timeout=timeout)

    with pytest.raises(errors.UsageError, match="needs a name"):
        main("", 1.0)
    with pytest.raises(errors.UsageError, match="above 0"):
        main("x", 0.0)


def test_a_condition_that_is_left_is_aborted(alula_home: Path) -> None:
    @env.task
    async def main(blocking: bool) -> None:
        if blocking:
            alula.new_condition("left")
        else:
            await alula.new_condition.aio("left")

    for blocking in (True, False):
        run = alula.run(main, blocking=blocking)
        assert [a.phase.value for a in run.actions] == ["succeeded", "aborted"]
    assert not any((alula_home / "signals").iterdir())


# --- another process -------------------------------------------------------------------------------------------------

SCRIPT = """
import alula

env = alula.TaskEnvironment(name="script")

@env.task
def main() -> str:
    number = alula.new_condition("number", prompt="How many?", data_type=int, timeout=60)
    return f"got {number.wait()}"
"""


def cli(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "alula", *arguments], capture_output=True, text=True, check=False, timeout=60, **options
    )


def test_the_command_lists_and_answers_the_questions_of_a_run(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    waiting = subprocess.Popen(
        [sys.executable, "-m", "alula", "run", "--name", "asks", "script.py", "main"],
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1"},
    )
    try:
        listed = cli("signal", "asks").stdout
        while "How many?" not in listed:
            assert waiting.poll() is None
            time.sleep(0.05)
            listed = cli("signal", "asks").stdout
        assert listed.split()[:8] == ["NAME", "KIND", "TYPE", "QUESTION", "number", "condition", "int", "How"]
        refused = cli("signal", "asks", "number", "many")
        assert (refused.returncode, "expected int" in refused.stderr) == (2, True)
        missing = cli("signal", "asks", "number")
        assert (missing.returncode, "VALUE is missing" in missing.stderr) == (2, True)
        answered = cli("signal", "asks", "number", "12")
        assert (answered.returncode, "answered a0." in answered.stderr) == (0, True)
        out, err = waiting.communicate(timeout=60)
    finally:
        waiting.kill()
        waiting.wait()
    assert waiting.returncode == 0, err
    assert "got 12" in out
    assert "waits for no answer" in cli("signal", "asks").stderr
