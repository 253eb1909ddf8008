"""Stopping a run: Ctrl-C, a signal, a kill; and what is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import PROGRAM, Answer, Write

Run = Callable[..., Answer]
HANG_SECONDS = 120.0

SCRIPT = """
import asyncio
import os
import subprocess
import time

import alula
from alula import File, ShellTask, TaskEnvironment, task, workflow

env = TaskEnvironment(name="env")


def note(*lines: object) -> None:
    with open("notes.part", "w") as file:
        file.write("\\n".join(map(str, lines)))
    os.replace("notes.part", "notes")


@task
def waits() -> int:
    folder = alula.current_context().working_directory
    child = subprocess.Popen(["sleep", "60"])
    try:
        note(folder, child.pid)
        child.wait()
    finally:
        child.kill()
    return 1


@env.task
async def waits_async() -> int:
    note(alula.ctx().working_directory, os.getpid())
    await asyncio.sleep(60)
    return 1


shell = ShellTask(name="shell", script="sleep 60 & echo $! > pid.part; mv pid.part pid; wait")


@workflow
def wf() -> int:
    return waits()


@task
def dies() -> int:
    note("", os.getpid())
    time.sleep(60)
    return 1
"""


@pytest.fixture(autouse=True)
def script(write: Write) -> None:
    write("waiting.py", SCRIPT)


def started(folder: Path, *arguments: str, notes: str = "notes") -> tuple[subprocess.Popen[str], list[str]]:
    """Start a run and wait until its task has left a note."""
    process = subprocess.Popen(
        [*PROGRAM, "run", *arguments], text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=folder
    )
    end = time.monotonic() + HANG_SECONDS
    while not (folder / notes).exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)
    return process, (folder / notes).read_text().splitlines()


def lives(pid: int) -> bool:
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def gone_soon(pid: int) -> bool:
    end = time.monotonic() + HANG_SECONDS
    while lives(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not lives(pid)


def removed_soon(folder: Path) -> bool:
    end = time.monotonic() + HANG_SECONDS
    while folder.exists() and time.monotonic() < end:
        time.sleep(0.05)
    return not folder.exists()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)], ids=["int", "term", "hup"]
)
@pytest.mark.parametrize("executor", ["inline", "process"])
def test_a_signal_stops_children_and_removes_temporary_files(
    folder: Path, alula: Run, executor: str, number: signal.Signals, code: int
) -> None:
    process, (temporary, child) = started(folder, "--name", "mine", "--executor", executor, "waiting.py", "wf")
    assert Path(temporary).is_dir()
    process.send_signal(number)
    out, err = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == code
    assert out == ""
    lines = err.splitlines()
    assert lines[0] == "run mine of workflow waiting.wf"
    assert lines[1].startswith("interrupted: run mine was stopped after ")
    assert len(lines) == 2
    assert executor == "process" or not Path(temporary).exists()
    assert removed_soon(Path(temporary))  # by the template of the processes, which may outlive the command by a moment
    assert gone_soon(int(child))
    shown = json.loads(alula("runs", "show", "mine", "--output", "json").out)
    assert (shown["phase"], shown["message"]) == ("aborted", "interrupted")
    assert [action["phase"] for action in shown["actions"]] == ["aborted", "aborted"]


def test_ctrl_c_stops_coroutines(folder: Path) -> None:
    process, (temporary, _pid) = started(folder, "waiting.py", "waits_async")
    process.send_signal(signal.SIGINT)
    _out, err = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert not Path(temporary).exists()


def test_ctrl_c_stops_the_script_of_a_shell_task(folder: Path) -> None:
    process, (child,) = started(folder, "waiting.py", "shell", notes="pid")
    assert lives(int(child))
    # On a terminal Ctrl-C reaches the whole group; here only the command hears it and must stop the script itself.
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == 130
    os.kill(int(child), signal.SIGKILL)  # what a script put into the background is its own


def test_json_tells_of_the_interruption(folder: Path) -> None:
    process, _notes = started(folder, "--output", "json", "waiting.py", "wf")
    process.send_signal(signal.SIGINT)
    out, _err = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == 130
    assert json.loads(out)["phase"] == "aborted"


def test_ctrl_c_while_the_file_is_loaded(folder: Path, write: Write) -> None:
    write("slow.py", "import time\nopen('notes', 'w').close()\ntime.sleep(60)\n")
    process, _notes = started(folder, "slow.py", "x")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=HANG_SECONDS)
    assert (process.returncode, out, err) == (130, "", "interrupted\n")


def test_a_run_that_was_killed_is_lost(folder: Path, alula: Run) -> None:
    process, _notes = started(folder, "--name", "mine", "waiting.py", "dies")
    assert json.loads(alula("runs", "list", "--output", "json").out)[0]["phase"] == "running"
    assert alula("runs", "clear", "--yes").err == "forgot 0 runs\n"
    process.kill()
    process.communicate(timeout=HANG_SECONDS)
    assert json.loads(alula("runs", "list", "--output", "json").out)[0]["phase"] == "lost"
    assert "mine" in alula("runs", "list", "--status", "lost").out
    assert alula("runs", "list", "--status", "running").out == ""
    assert "status   lost" in alula("runs", "show", "mine").out
