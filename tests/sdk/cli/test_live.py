"""The tree on a terminal."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from alula._cli.action_tree import ActionTree
from alula_kernel.contracts import ActionEvent

from .conftest import PROGRAM, Write

SCRIPT = """
import time

from alula import approve, map_task, task, workflow


@task(cache=True, cache_version="1")
def nap(x: int) -> int:
    time.sleep(0.25)
    print("napped", x)
    return x


@task
def total(xs: list[int]) -> int:
    return sum(xs)


@workflow
def wf() -> int:
    return nap(x=total(xs=map_task(nap)(x=[1, 2, 3])))


@workflow
def gated() -> int:
    return nap(x=approve(total(xs=[9]), "sure"))


@task
def long() -> int:
    time.sleep(60)
    return 1


@task
def quick() -> int:
    return 1
"""


# Makes the terminal on stdin the controlling one, as a shell does, so that Ctrl-C becomes a signal.
CONTROLLED = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    """A program on a terminal of its own.

    Args:
        folder: Its working directory.
        arguments: Arguments of ``alula run``.
        term: Kind of the terminal.
    """

    def __init__(self, folder: Path, *arguments: str, term: str = "xterm") -> None:
        self._fd, inner = pty.openpty()
        environment = {"TERM": term, "LINES": "30", "COLUMNS": "100", "PYTHONUTF8": "1", "NO_COLOR": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", CONTROLLED, *PROGRAM, "run", *arguments],
            stdin=inner,
            stdout=inner,
            stderr=inner,
            cwd=folder,
            env={**os.environ, **environment},
            start_new_session=True,
        )
        os.close(inner)
        self.shown = ""

    def write(self, text: str) -> None:
        os.write(self._fd, text.encode())

    def wait_for(self, text: str, timeout_seconds: float = 30) -> None:
        until = time.monotonic() + timeout_seconds
        while text not in self.shown:
            assert time.monotonic() < until, f"{text!r} did not appear in {self.shown!r}"
            if not self._read(0.2):
                break
        assert text in self.shown

    def end(self) -> int:
        """Wait for its end and return the exit code."""
        while self._read(30):
            pass
        os.close(self._fd)
        return self._process.wait(120)

    def _read(self, seconds: float) -> bool:
        """Read what there is; False at the end."""
        if not select.select([self._fd], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self._fd, 65_536)
        except OSError:  # the program has closed the terminal
            return False
        self.shown += data.decode(errors="replace")
        return bool(data)

    def lines(self) -> list[str]:
        """Return what is left on the terminal at the end, without what was drawn and wiped."""
        last = self.shown.rpartition("\x1b[2K")[2]
        return [line.rstrip() for line in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", last).splitlines()]


@pytest.fixture(autouse=True)
def script(write: Write) -> None:
    write("naps.py", SCRIPT)


def test_the_tree_moves_and_stays_at_the_end(folder: Path) -> None:
    terminal = Terminal(folder, "naps.py", "wf")
    terminal.wait_for("(map) [")
    assert terminal.end() == 0
    assert "\x1b[2K" in terminal.shown  # something was drawn over
    assert terminal.shown.count("napped 3") == 1
    lines = terminal.lines()
    assert re.fullmatch(r"✓ wf \(workflow\) \d\.\d s", lines[0])
    assert re.fullmatch(r"  ✓ nap \(map\) \[3 of 3 done\] .*", lines[1])
    assert lines[2].startswith("  ✓ total")
    assert lines[3].startswith("  ✓ nap")
    assert lines[-1] == "o0: 6"


def test_a_quick_run_draws_nothing_but_the_end(folder: Path) -> None:
    terminal = Terminal(folder, "naps.py", "quick")
    assert terminal.end() == 0
    assert "\x1b[2K" not in terminal.shown
    assert terminal.lines()[0].startswith("✓ quick")


def test_cache_hits_are_marked(folder: Path) -> None:
    assert Terminal(folder, "naps.py", "nap", "--x", "1").end() == 0
    terminal = Terminal(folder, "naps.py", "nap", "--x", "1")
    assert terminal.end() == 0
    assert terminal.lines()[0] == "✓ nap [cache hit]"


def test_a_question_is_asked_below_the_tree(folder: Path) -> None:
    terminal = Terminal(folder, "naps.py", "gated")
    terminal.wait_for("Approve 'sure' 9? [Y/n] ")
    time.sleep(0.6)
    assert terminal.shown.endswith("Approve 'sure' 9? [Y/n] ")  # nothing was drawn over it
    terminal.write("y\n")
    assert terminal.end() == 0
    assert terminal.lines()[-1] == "o0: 9"


def test_ctrl_c_ends_the_drawing(folder: Path) -> None:
    terminal = Terminal(folder, "naps.py", "long")
    terminal.wait_for("● long")
    terminal.write("\x03")
    assert terminal.end() == 130
    assert "Traceback" not in terminal.shown
    assert terminal.shown.rstrip().splitlines()[-1].startswith("interrupted: run ")
    assert "\x1b[?25h" in terminal.shown  # the cursor is back


def test_verbose_prints_lines_on_a_terminal_too(folder: Path) -> None:
    terminal = Terminal(folder, "-v", "naps.py", "wf")
    assert terminal.end() == 0
    assert "\x1b[2K" not in terminal.shown
    assert "n0 nap: 3 items succeeded in " in terminal.shown


def test_a_terminal_that_cannot_draw_gets_lines(folder: Path) -> None:
    terminal = Terminal(folder, "naps.py", "wf", term="dumb")
    assert terminal.end() == 0
    assert "\x1b" not in terminal.shown
    assert "of workflow naps.wf" in terminal.shown


# --- the tree itself -------------------------------------------------------------------------------------------------


def event(action: str, phase: str, **rest: object) -> ActionEvent:
    parent, _, name = action.rpartition(".")
    return ActionEvent(
        run="r", action=action, parent=parent, name=str(rest.pop("name", name)), phase=phase, at=10.0, **rest
    )  # type: ignore[arg-type]


def test_a_large_map_takes_few_lines_and_little_memory() -> None:
    tree = ActionTree()
    tree.apply(event("a0", "running", kind="map"))
    for index in range(10_000):
        for phase in ("queued", "running", "failed" if index % 10 == 0 else "succeeded"):
            tree.apply(event(f"a0.{index}", phase))
    lines = tree.lines(11.0, 100)
    assert "9,000 of 10,000 done, 1,000 failed" in lines[0].text
    assert len(lines) == 5
    assert len(tree._by_id) <= 6


def test_lines_are_limited_and_what_runs_stays() -> None:
    tree = ActionTree()
    tree.apply(event("a0", "running", kind="workflow"))
    for index in range(12):
        tree.apply(event(f"a0.n{index}", "running" if index == 11 else "succeeded"))
    lines = tree.lines(11.0, 5)
    assert len(lines) == 5
    assert any("n11" in line.text for line in lines)
    assert lines[-1].text == "  ... 9 more lines"


def test_plain_symbols_are_ascii() -> None:
    tree = ActionTree(plain_symbols=True)
    for phase in ("queued", "running", "succeeded"):
        tree.apply(event("a0", phase, name="t"))
    assert tree.lines(11.0, 5)[0].text.startswith("+ t")


def test_names_cannot_steer_the_terminal() -> None:
    tree = ActionTree()
    tree.apply(event("a0", "running", name="\x1b[2J"))
    assert "\x1b" not in tree.lines(11.0, 5)[0].text
