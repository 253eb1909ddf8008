"""``alula run --resume``: going on with a run whose process has died."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import PROGRAM, Answer, Write

Run = Callable[..., Answer]

SCRIPT = """
import os
import time
from datetime import timedelta

from alula import TaskEnvironment, approve, dynamic, map_task, task, workflow

env = TaskEnvironment(name="env")


def note(name: str) -> None:
    with open("effects", "a") as file:
        file.write(f"{name}\\n")
    if os.path.exists(f"die-at-{name}"):
        os.remove(f"die-at-{name}")
        os._exit(9)


@task
def step(x: int) -> int:
    note(f"step{x}")
    return x + 1


@dynamic
def fan(n: int) -> list[int]:
    note("fan")
    return [step(x=10 + i) for i in range(n)]


@env.task
async def child(x: int) -> int:
    note(f"child{x}")
    return x


@env.task
async def parent(n: int) -> int:
    note("parent")
    return sum([await child(i) for i in range(n)])


@task
def total(a: list[int], b: list[int], c: int) -> int:
    note("total")
    return sum(a) + sum(b) + c


@workflow
def wf(n: int = 3) -> int:
    a = map_task(step)(x=[0, 1, 2])
    b = fan(n=n)
    return total(a=a, b=b, c=parent(n=n))


@task
def waits() -> int:
    note("waits")
    time.sleep(0 if os.path.exists("go") else 60)
    return 1


@workflow
def asks(x: int) -> int:
    return step(x=approve(step(x=x), "go on?", timeout=timedelta(seconds=60)))
"""

ALL = {*(f"step{x}" for x in (0, 1, 2, 10, 11, 12)), "fan", "parent", *(f"child{x}" for x in range(3)), "total"}


@pytest.fixture(autouse=True)
def script(write: Write) -> None:
    write("prog.py", SCRIPT)


def effects(folder: Path) -> Counter[str]:
    return Counter((folder / "effects").read_text().split())


def lose(program: Run, folder: Path, at: str, *arguments: str) -> None:
    """Run until the process dies at a point."""
    (folder / f"die-at-{at}").touch()
    answer = program("run", "--name", "mine", *(arguments or ("prog.py", "wf")))
    assert answer.code == 9, answer


@pytest.mark.parametrize("at", ["step1", "fan", "step11", "parent", "child1", "total"])
def test_a_run_goes_on_where_it_was(program: Run, folder: Path, at: str) -> None:
    lose(program, folder, at)
    answer = program("run", "--resume", "mine")
    assert (answer.code, answer.out) == (0, "o0: 45\n")
    assert answer.err.startswith("run mine of workflow prog.wf, resumed\n")
    assert "run mine succeeded in " in answer.err
    expected = Counter({name: 2 if name == at or (at == "child1" and name == "parent") else 1 for name in ALL})
    assert effects(folder) == expected
    assert program("run", "--resume", "mine").err == (
        "error: the run 'mine' has ended: succeeded\n  Only a run whose engine died can be resumed.\n"
    )


def test_a_run_can_be_lost_again_and_again(program: Run, folder: Path) -> None:
    lose(program, folder, "step0")
    for at in ("step2", "step12", "child2", "total"):
        (folder / f"die-at-{at}").touch()
        assert program("run", "--resume", "mine").code == 9
    assert program("run", "--resume", "mine").out == "o0: 45\n"
    assert max(effects(folder).values()) == 2


def test_a_lost_run_says_how_to_go_on(program: Run, folder: Path) -> None:
    lose(program, folder, "fan")
    listed = program("runs", "list")
    assert listed.out.splitlines()[1].split()[:3] == ["mine", "lost", "prog.wf"]
    assert listed.err == "the process of a lost run is gone; go on with it: alula run --resume NAME\n"
    assert "status   lost (go on with it: alula run --resume mine)\n" in program("runs", "show").out


def test_the_document_of_a_resumed_run(program: Run, folder: Path) -> None:
    lose(program, folder, "step2", "--label", "a=b", "prog.py", "wf", "--n", "2")
    document = json.loads(program("run", "--resume", "mi", "--output", "json").out)
    assert (document["run"], document["phase"], document["labels"]) == ("mine", "succeeded", {"a": "b"})
    assert document["inputs"] == {"n": 2}
    (again,) = (action for action in document["actions"] if len(action["attempts"]) > 1)
    assert [attempt["outcome"] for attempt in again["attempts"]] == ["lost", "succeeded"]
    shown = json.loads(program("runs", "show", "mine", "--output", "json").out)
    assert shown == document


def test_large_values_are_whole_for_the_one_that_goes_on(program: Run, folder: Path, write: Write) -> None:
    write(
        "large.py",
        "import os\nfrom alula import task, workflow\n\n@task\ndef make(n: int) -> str:\n    return 'x' * n\n\n"
        "@task\ndef size(text: str) -> int:\n    if os.path.exists('die-at-size'):\n"
        "        os.remove('die-at-size')\n        os._exit(9)\n    return len(text)\n\n"
        "@workflow\ndef wf(text: str, n: int) -> tuple[int, int]:\n    return size(text=make(n=n)), size(text=text)\n",
    )
    (folder / "large.txt").write_text("y" * 50_000)
    lose(program, folder, "size", "large.py", "wf", "--text", "@large.txt", "--n", "40000")
    assert program("run", "--resume", "mine").out == "o0: 40000\no1: 50000\n"


def test_a_process_that_was_killed(program: Run, folder: Path) -> None:
    process = subprocess.Popen([*PROGRAM, "run", "--name", "mine", "prog.py", "waits"], stderr=subprocess.DEVNULL)
    while not (folder / "effects").exists():
        assert process.poll() is None
        time.sleep(0.02)
    answer = program("run", "--resume", "mine")
    assert answer.code == 2
    assert f"the run 'mine' is under way in the process {os.uname().nodename}:{process.pid}" in answer.err
    process.kill()
    process.wait()
    (folder / "go").touch()
    assert program("run", "--resume", "mine").out == "o0: 1\n"


def test_a_run_that_was_interrupted_stays_aborted(program: Run, folder: Path) -> None:
    process = subprocess.Popen([*PROGRAM, "run", "--name", "mine", "prog.py", "waits"], stderr=subprocess.DEVNULL)
    while not (folder / "effects").exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    process.wait()
    assert "the run 'mine' has ended: aborted" in program("run", "--resume", "mine").err


def test_a_question_is_answered_when_the_run_goes_on(program: Run, folder: Path) -> None:
    lose(program, folder, "step2", "--answer", "go on?=yes", "prog.py", "asks", "--x", "1")
    assert program("run", "--resume", "mine").out == "o0: 3\n", "it was answered before the process died"
    program("runs", "delete", "mine")
    lose(program, folder, "step1", "prog.py", "asks", "--x", "1")
    assert program("run", "--resume", "mine", "--answer", "go on?=yes").out == "o0: 3\n"


def test_modules_are_found_again(program: Run, folder: Path) -> None:
    lose(program, folder, "total", "-m", "prog", "wf")
    assert program("run", "--resume", "mine").out == "o0: 45\n"


def test_files_are_found_from_elsewhere(program: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lose(program, folder, "total")
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    assert program("run", "--resume", "mine").out == "o0: 45\n"


# --- what is refused -------------------------------------------------------------------------------------------------


def refused(answer: Answer) -> str:
    assert (answer.code, answer.out) == (2, ""), answer
    assert answer.err.startswith("error: ")
    return answer.err


def test_unknown_runs(alula: Run) -> None:
    alula("run", "--name", "mine", "prog.py", "step", "--x", "1")
    assert refused(alula("run", "--resume", "mime")) == "error: unknown run 'mime'\n  Did you mean 'mine'?\n"


def test_files_and_options_that_the_run_has(alula: Run) -> None:
    assert "--resume takes no file and no inputs, found 'prog.py'" in refused(alula("run", "--resume", "r", "prog.py"))
    for option, value in (("--name", "x"), ("--env", "A=1"), ("-m", "prog"), ("--inputs-file", "f")):
        message = refused(alula("run", "--resume", "r", option, value))
        assert f"{option} cannot be given together with --resume" in message
    assert "--no-cache cannot be given" in refused(alula("run", "--resume", "r", "--no-cache"))


def test_code_that_is_gone_or_changed(program: Run, folder: Path, write: Write) -> None:
    lose(program, folder, "total")
    write("prog.py", SCRIPT.replace("def wf(n: int = 3)", "def wf(n: int, m: int = 1)"))
    message = refused(program("run", "--resume", "mine"))
    assert "workflow prog.wf has changed since the run 'mine' began: its interface was (n: int) -> (o0: int)" in message
    write("prog.py", SCRIPT.replace("def wf(", "def other("))
    assert "unknown entity 'prog.wf'" in refused(program("run", "--resume", "mine"))
    (folder / "prog.py").unlink()
    assert "unknown file " in refused(program("run", "--resume", "mine"))
    write("prog.py", SCRIPT)
    assert program("run", "--resume", "mine").out == "o0: 45\n", "it can still be resumed"


# --- attempts that survive -------------------------------------------------------------------------------------------


def test_an_attempt_in_another_process_is_waited_for(program: Run, folder: Path, write: Write) -> None:
    """Neither the task that ran nor its parent's finished child is started again."""
    write(
        "far.py",
        "import os, time\nfrom alula import task, workflow\n\n"
        "def note(name):\n    with open('effects', 'a') as file:\n        file.write(f'{name}\\n')\n\n"
        "@task\ndef waits(x: int) -> int:\n    note(f'begin{x}')\n"
        "    while not os.path.exists('go'):\n        time.sleep(0.01)\n    note(f'end{x}')\n    return x\n\n"
        "@task\ndef quick(x: int) -> int:\n    note(f'quick{x}')\n    return x\n\n"
        "@workflow\ndef wf() -> int:\n    return quick(x=waits(x=quick(x=1)))\n",
    )
    command = [*PROGRAM, "run", "--name", "mine", "--executor", "process", "far.py", "wf"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while not (folder / "effects").exists() or "begin1" not in effects(folder):
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    (folder / "go").touch()
    assert program("run", "--resume", "mine").out == "o0: 1\n"
    assert effects(folder) == Counter({"quick1": 2, "begin1": 1, "end1": 1})


def test_a_parent_in_another_process_finds_its_children(program: Run, folder: Path, write: Write) -> None:
    """The child that had succeeded answers at once, and the one that runs is waited for, by an engine that met neither."""
    write(
        "far.py",
        "import os, time\nfrom alula import TaskEnvironment\n\nenv = TaskEnvironment('env')\n\n"
        "def note(name):\n    with open('effects', 'a') as file:\n        file.write(f'{name}\\n')\n\n"
        "@env.task\ndef child(x: int) -> int:\n    note(f'begin{x}')\n"
        "    while x == 1 and not os.path.exists('go'):\n        time.sleep(0.01)\n    note(f'end{x}')\n    return x\n\n"
        "@env.task\ndef parent() -> int:\n    note('parent')\n    return sum(child(x=x) for x in range(3))\n",
    )
    command = [*PROGRAM, "run", "--name", "mine", "--executor", "process", "far.py", "parent"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while not (folder / "effects").exists() or "begin1" not in effects(folder):
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    (folder / "go").touch()
    assert program("run", "--resume", "mine").out == "o0: 3\n"
    assert effects(folder) == Counter({"parent": 2, **{f"{what}{x}": 1 for what in ("begin", "end") for x in range(3)}})
