"""AU-31, AU-32: a process dies in the middle of a task, and the run is resumed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import os
import signal
from pathlib import Path
from typing import Iterator

import alula

env = alula.TaskEnvironment(name="crash")

def note(what: str) -> None:
    with open("notes.txt", "a") as file:
        print(what, file=file)

@alula.trace
def ask(prompt: str) -> str:
    note(f"ask {prompt}")
    return prompt.upper()

@alula.trace
def refuse(prompt: str) -> str:
    note(f"refuse {prompt}")
    raise LookupError(prompt)

@alula.trace
def words(text: str) -> Iterator[str]:
    note(f"words {text}")
    yield from text.split()

@env.task
def step(x: int) -> int:
    note(f"step {x}")
    return x

@env.task
def main() -> str:
    again = Path("crashed").exists()
    order = reversed(range(5)) if again else range(3)
    with alula.group("again" if again else "first"):
        total = sum(alula.map(step, order))
    try:
        refuse("b")
    except LookupError:
        pass
    answers = ask("a") + ask("a") + "".join(words("c d"))
    if not again:
        Path("crashed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return f"{answers} {total}"
"""


def test_what_was_done_before_the_crash_is_not_done_again(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)

    def cli(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "alula", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            cwd=tmp_path,
            env={**os.environ, "NO_COLOR": "1"},
        )

    crashed = cli("run", "--name", "crashing", "script.py", "main")
    assert crashed.returncode < 0
    resumed = cli("run", "--resume", "crashing")
    assert resumed.returncode == 0, resumed.stderr
    assert "AAcd 10" in resumed.stdout
    notes = (tmp_path / "notes.txt").read_text().splitlines()
    assert sorted(notes) == sorted([*(f"step {x}" for x in range(5)), "refuse b", "ask a", "ask a", "words c d"])
    shown = cli("runs", "show", "crashing").stdout
    assert "group      first/step_map" in shown
    assert "ask (trace)" in shown
