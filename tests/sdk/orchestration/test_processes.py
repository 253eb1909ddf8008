"""The same orchestration where every task runs in a process of its own, and reaches the engine by messages."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import asyncio
import os

import alula

env = alula.TaskEnvironment(name="processes")

class StepError(Exception):
    pass

@env.task
def step(x: int) -> int:
    if x == 2:
        raise StepError("two")
    return os.getpid()

@alula.trace
def ask(x: int) -> int:
    with open("notes.txt", "a") as file:
        print("asked", file=file)
    return x

@alula.trace
def refuse() -> None:
    with open("notes.txt", "a") as file:
        print("refused", file=file)
    raise StepError("no")

@env.task
def user() -> str:
    return alula.get_custom_context().get("user", "nobody")

@env.task
async def awaited(n: int) -> list[str]:
    return [type(x).__name__ async for x in alula.map.aio(step, range(n), concurrency=2)]

@env.task(retries=1)
def main() -> str:
    context = alula.ctx()
    with alula.group("stage"), alula.custom_context(user="ada"):
        results = list(alula.map(step, range(4)))
        name = user()
    assert len({str(result) for result in results}) == 4
    assert isinstance(results[2], StepError)
    try:
        refuse()
    except StepError:
        pass
    number = alula.new_condition("number", data_type=int, timeout=60)
    if context.attempt_number == 1:
        alula.signal(context.run_name, "number", 5)
    answer = ask(1) + number.wait()
    if context.attempt_number == 1:
        raise OSError("again")
    return f"{name} {answer} {asyncio.run(awaited(3))}"
"""


def test_everything_works_across_processes(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)

    def cli(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "alula", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "NO_COLOR": "1"},
        )

    done = cli("run", "--executor", "process", "--jobs", "2", "--name", "many", "script.py", "main")
    assert done.returncode == 0, done.stderr
    assert "ada 6 ['int', 'int', 'StepError']" in done.stdout
    assert sorted((tmp_path / "notes.txt").read_text().split()) == ["asked", "refused"]
    shown = cli("runs", "show", "many").stdout
    assert "group      stage/step_map" in shown
    assert "number (gate)" in shown
