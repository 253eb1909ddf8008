"""What attempts printed, as the command line shows it: afterwards, and while they run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .conftest import PROGRAM, Answer, Write

Run = Callable[..., Answer]

SCRIPT = """
import os, sys, time
from alula import map_task, task, workflow


@task
def talk(n: int) -> int:
    for i in range(n):
        print("line", i)
    print("to stderr", file=sys.stderr)
    return n


@task(retries=1)
def fails(n: int) -> int:
    print("trying")
    raise ValueError("no")


@task
def quiet() -> int:
    return 1


@task
def waits(n: int) -> int:
    print("before", n, flush=True)
    while not os.path.exists("go"):
        time.sleep(0.02)
    print("after", n, flush=True)
    return n


@workflow
def wf(n: int = 2) -> int:
    return fails(n=talk(n=n))


@workflow
def silent() -> int:
    return quiet()


@workflow
def live() -> int:
    return waits(n=talk(n=1))


@workflow
def both() -> list[int]:
    return map_task(waits)(n=[1, 2])


@task
def lots(n: int) -> int:
    sys.stdout.writelines(f"{i:063}\\n" for i in range(n))
    return n
"""
PROCESS = ("run", "--executor", "process", "-j", "2")


@pytest.fixture(autouse=True)
def script(write: Write) -> None:
    write("prog.py", SCRIPT)


class Background:
    """A command that runs while the test goes on.

    Args:
        folder: Its working directory.
        arguments: Its arguments.
    """

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.printed = folder / f"printed-{time.monotonic_ns()}"
        with self.printed.open("wb") as file:
            self.process = subprocess.Popen([*PROGRAM, *arguments], cwd=folder, stdout=file, stderr=subprocess.PIPE)

    def wait_for(self, text: str) -> None:
        until = time.monotonic() + 60
        while text not in self.printed.read_text():
            assert time.monotonic() < until, self.printed.read_text()
            assert self.process.poll() is None or text in self.printed.read_text(), self.process.communicate()
            time.sleep(0.02)

    def end(self) -> tuple[int, str, str]:
        _, err = self.process.communicate(timeout=60)
        return self.process.returncode, self.printed.read_text(), err.decode()


@pytest.fixture
def background(folder: Path) -> Iterator[Callable[..., Background]]:
    begun: list[Background] = []

    def begin(*arguments: str) -> Background:
        begun.append(Background(folder, *arguments))
        return begun[-1]

    yield begin
    (folder / "go").touch()
    for one in begun:
        if one.process.poll() is None:
            one.process.send_signal(signal.SIGINT)
            one.process.communicate(timeout=60)
        assert one.process.stderr is not None
        one.process.stderr.close()


def test_each_attempt_has_a_heading(alula: Run, program: Run) -> None:
    assert program(*PROCESS, "prog.py", "wf").code == 1
    answer = alula("runs", "logs")
    assert answer == Answer(
        0,
        "==> talk #1 (n0) <==\nline 0\nline 1\nto stderr\n\n"
        "==> fails #1 (n1) <==\ntrying\n\n==> fails #2 (n1) <==\ntrying\n",
        "",
    )
    shown = alula("runs", "show", "--logs")
    assert shown.out == f"{alula('runs', 'show').out}\nlogs\n{answer.out}"


@pytest.mark.parametrize("action", ["fails", "n1", "a0.n1"])
def test_one_attempt_of_an_action_is_shown_without_a_heading(alula: Run, program: Run, action: str) -> None:
    program(*PROCESS, "--name", "mine", "prog.py", "wf")
    assert alula("runs", "logs", "mine", action, "--attempt", "2") == Answer(0, "trying\n", "")
    assert alula("runs", "logs", "mine", action).out.count("==>") == 2


def test_lines_as_json(alula: Run, program: Run) -> None:
    program(*PROCESS, "--name", "mine", "prog.py", "wf")
    lines = [json.loads(line) for line in alula("runs", "logs", "--output", "json").out.splitlines()]
    assert lines[0] == {"action": "a0.n0", "name": "talk", "attempt": 1, "line": "line 0"}
    assert [(line["name"], line["attempt"], line["line"]) for line in lines[2:]] == [
        ("talk", 1, "to stderr"),
        ("fails", 1, "trying"),
        ("fails", 2, "trying"),
    ]
    refused = alula("runs", "show", "--logs", "--output", "json")
    assert refused.code == 2
    assert "alula runs logs --output json" in refused.err


def test_an_unknown_action_is_named(alula: Run, program: Run) -> None:
    program(*PROCESS, "--name", "mine", "prog.py", "wf")
    answer = alula("runs", "logs", "mine", "tolk")
    assert answer == Answer(2, "", "error: run mine: unknown action 'tolk'\n  Did you mean 'talk'?\n")


def test_what_ran_in_the_process_of_the_run_is_not_kept(alula: Run) -> None:
    alula("run", "prog.py", "wf")
    for arguments in (["runs", "logs"], ["runs", "logs", "-f"], ["runs", "show", "--logs"]):
        answer = alula(*arguments)
        assert answer.code == 0
        assert answer.err == (
            "not shown: the executor inline runs tasks in the process of the run: what they print appears there, and is not "
            "kept; alula run --executor process keeps it\n"
        )


def test_nothing_printed(alula: Run, program: Run) -> None:
    program(*PROCESS, "prog.py", "silent")
    assert alula("runs", "logs") == Answer(0, "", "nothing was printed\n")


def test_an_executor_that_is_gone_is_named(alula: Run, program: Run, alula_home: Path) -> None:
    from alula_kernel.engine.sqlite_store import SqliteStore

    program(*PROCESS, "--name", "mine", "prog.py", "wf")
    store = SqliteStore(alula_home / "runs.db")
    action = store.find("mine", "a0.n0")
    assert action is not None
    action.attempts[0].executor = "slurm"
    store.record("mine", action)
    store.commit_now()
    store.close()
    assert alula("runs", "logs", "mine", "talk").err == "not shown: the executor slurm is not installed here\n"


def test_a_run_is_followed_from_another_process(
    alula: Run, background: Callable[..., Background], folder: Path
) -> None:
    run = background(*PROCESS, "--name", "mine", "prog.py", "live")
    until = time.monotonic() + 60
    while "before" not in alula("runs", "logs", "mine").out:  # what there is so far; it does not wait for the end
        assert time.monotonic() < until
        assert run.process.poll() in {None, 0}
    follower = background("runs", "logs", "mine", "--follow")
    follower.wait_for("before 1")
    assert "after" not in follower.printed.read_text()
    (folder / "go").touch()
    assert follower.end() == (
        0,
        "==> talk #1 (n0) <==\nline 0\nto stderr\n\n==> waits #1 (n1) <==\nbefore 1\nafter 1\n",
        "",
    )
    assert run.end()[0] == 0


def test_attempts_at_the_same_time_are_followed_together(
    alula: Run, background: Callable[..., Background], folder: Path
) -> None:
    run = background(*PROCESS, "--name", "mine", "prog.py", "both")
    until = time.monotonic() + 60
    while "before" not in (alula("runs", "logs", "mine").out if run.process.poll() is None else "before"):
        assert time.monotonic() < until
    follower = background("runs", "logs", "mine", "-f", "--output", "json")
    follower.wait_for("before 1")
    follower.wait_for("before 2")
    (folder / "go").touch()
    code, out, err = follower.end()
    assert (code, err) == (0, "")
    lines = [json.loads(line) for line in out.splitlines()]
    for item in (1, 2):
        mine = [line["line"] for line in lines if line["line"].endswith(str(item))]
        assert mine == [f"before {item}", f"after {item}"]
    assert run.end()[0] == 0


def test_following_ends_with_ctrl_c(alula: Run, background: Callable[..., Background]) -> None:
    background(*PROCESS, "--name", "mine", "prog.py", "live")
    until = time.monotonic() + 60
    while "mine" not in alula("runs", "list").out:
        assert time.monotonic() < until
    follower = background("runs", "logs", "mine", "-f")
    follower.wait_for("before 1")
    follower.process.send_signal(signal.SIGINT)
    code, _out, err = follower.end()
    assert (code, err) == (130, "interrupted\n")


@pytest.mark.one_python
def test_a_million_lines_are_never_in_memory(program: Run, folder: Path) -> None:
    assert program(*PROCESS, "--name", "mine", "prog.py", "lots", "--n", "1_000_000", timeout_seconds=300).code == 0
    measured = (
        "import sys, tracemalloc\n"
        "from alula._cli import main\n"
        "tracemalloc.start()\n"
        "code = main(['runs', 'logs', 'mine'])\n"
        "print(tracemalloc.get_traced_memory()[1], file=sys.stderr)\n"
        "sys.exit(code)\n"
    )
    with (folder / "out").open("wb") as file:
        done = subprocess.run([sys.executable, "-c", measured], stdout=file, stderr=subprocess.PIPE, check=True)
    assert (folder / "out").stat().st_size > 64_000_000
    assert int(done.stderr) < 32 << 20


def test_a_reader_that_stops_reading_is_no_error(program: Run, folder: Path) -> None:
    program(*PROCESS, "prog.py", "lots", "--n", "100_000")
    script = f"{' '.join(PROGRAM)} runs logs | head -n 2"
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=False, env=os.environ)
    assert done.stderr == ""
    assert done.stdout.startswith("==> lots #1 <==\n0000")
