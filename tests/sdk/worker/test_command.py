"""`python -m alula.worker`: exit codes, signals, and what it says."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from alula._app import current_app
from alula._bundle import code_for
from alula_kernel.contracts import Attempt
from alula_kernel.literals import Scalar
from alula_kernel.worker_protocol import load_outcome, outcome_uri, store_attempt

from .conftest import HANG_SECONDS

TASKS = """
    import time
    from pathlib import Path

    from alula import current_context, task

    @task
    def inc(x: int) -> int:
        print("working")
        return x + 1

    @task
    def fails(x: int) -> int:
        raise ValueError(f"bad {x}")

    @task
    def waits(mark: str) -> int:
        try:
            Path(mark).write_text("begun")
            time.sleep(600)
        finally:
            Path(mark).write_text("ended")
        return 1

    class Odd(BaseException):
        pass

    @task
    def odd(x: int) -> int:
        raise Odd("neither")

    @task
    def exits(x: int) -> int:
        raise SystemExit(9)

    @task(enable_deck=True)
    def reports(x: int) -> int:
        checkpoint = current_context().checkpoint
        checkpoint.write(b"half")
        return x
"""


@pytest.fixture
def tasks(project: Any) -> Any:
    return project.load("command_tasks", TASKS)


@pytest.fixture
def stored(tmp_path: Path) -> Any:
    """Store an attempt and return its URI and its prefix."""

    def store(task: Any, **inputs: Any) -> tuple[str, str]:
        attempt = Attempt(
            id="r/a0/1",
            run="r",
            action="a0",
            number=1,
            task=task.spec(current_app()),
            inputs={name: Scalar(value) for name, value in inputs.items()},
            code=code_for(task),
            output_prefix=str(tmp_path / "attempt"),
        )
        return store_attempt(current_app().storage, attempt), attempt.output_prefix

    return store


def test_success_is_0(project: Any, tasks: Any, stored: Any) -> None:
    uri, prefix = stored(tasks.inc, x=1)
    process = project.python("-m", "alula.worker", "--attempt", uri)
    assert (process.returncode, process.stdout, process.stderr) == (0, "working\n", "")
    outcome = load_outcome(current_app().storage, prefix)
    assert outcome is not None
    assert outcome.outputs == {"o0": Scalar(2)}


@pytest.mark.parametrize(("name", "code"), [("fails", "ValueError"), ("odd", "Odd"), ("exits", "SystemExit")])
def test_any_other_outcome_is_1_and_is_told(project: Any, tasks: Any, stored: Any, name: str, code: str) -> None:
    uri, prefix = stored(getattr(tasks, name), x=1)
    process = project.python("-m", "alula.worker", "--attempt", uri)
    assert process.returncode == 1
    outcome = load_outcome(current_app().storage, prefix)
    assert outcome is not None
    assert outcome.error is not None
    assert (outcome.kind, outcome.error.code) == ("user_failure", code)
    assert "command_tasks.py" in outcome.error.traceback
    assert process.stderr.startswith(f"user_failure: {code}: ")
    assert "command_tasks.py" in process.stderr, "whoever reads the log of a pod sees why"


@pytest.mark.parametrize(
    "arguments", [[], ["--attempt"], ["--attempt", "x", "--channel", "1", "2"], ["--channel", "a", "b"]]
)
def test_a_bad_command_line_is_2(project: Any, arguments: list[str]) -> None:
    process = project.python("-m", "alula.worker", *arguments)
    assert process.returncode == 2
    assert "usage: python -m alula.worker" in process.stderr


def test_an_attempt_that_is_not_there_is_named(project: Any, tmp_path: Path) -> None:
    process = project.python("-m", "alula.worker", "--attempt", str(tmp_path / "nothing.msgpack"))
    assert process.returncode == 1
    assert "nothing.msgpack" in process.stderr
    assert "Traceback" not in process.stderr


def test_an_attempt_that_is_damaged_is_named(project: Any, tmp_path: Path) -> None:
    damaged = tmp_path / "attempt.msgpack"
    damaged.write_bytes(b"\x81\xa2id")
    process = project.python("-m", "alula.worker", "--attempt", str(damaged))
    assert process.returncode == 1
    assert process.stderr.startswith(f"error: {damaged} is no attempt: ")
    assert "Traceback" not in process.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_as_the_signal_would(tasks: Any, stored: Any, tmp_path: Path, number: signal.Signals) -> None:
    mark = tmp_path / "mark"
    uri, prefix = stored(tasks.waits, mark=str(mark))
    process = subprocess.Popen(
        [sys.executable, "-m", "alula.worker", "--attempt", uri], stderr=subprocess.PIPE, text=True, cwd="/"
    )
    while not mark.exists() or not mark.read_text():
        assert process.poll() is None
    process.send_signal(number)
    _, errors = process.communicate(timeout=HANG_SECONDS)
    assert (process.returncode, errors) == (-number, "")
    assert mark.read_text() == "ended"
    assert not current_app().storage.exists(outcome_uri(prefix)), "what ended it knows why"


def test_reports_and_checkpoints_are_stored(project: Any, tasks: Any, stored: Any) -> None:
    uri, prefix = stored(tasks.reports, x=1)
    assert project.python("-m", "alula.worker", "--attempt", uri).returncode == 0
    outcome = load_outcome(current_app().storage, prefix)
    assert outcome is not None
    assert current_app().storage.exists(outcome.report)
    assert current_app().storage.exists(outcome.checkpoint)


def test_importing_alula_imports_nothing_of_the_worker(project: Any) -> None:
    listed = project.python(
        "-c", "import sys, alula; print([m for m in sys.modules if 'worker' in m or 'bundle' in m or m == 'pathspec'])"
    )
    assert listed.stdout == "[]\n"
