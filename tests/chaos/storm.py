"""A run in whose way processes are killed at random, again and again: its engine, its templates, its children."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from alula_kernel.engine import Action, Phase
from alula_kernel.engine.sqlite_store import SqliteStore

PROGRAM = Path(__file__).parent / "program.py"
COMMAND = [sys.executable, "-m", "alula", "run", "--output", "json"]
HANG_SECONDS = 300.0
VICTIMS = ["engine", "engine", "starting engine", "template", "template", "child", "child", "child"]


class Death(NamedTuple):
    """What there was when an engine had died.

    Attributes:
        lines: How many lines tasks had written.
        succeeded: Ids of the actions that had succeeded by the account of the store.
    """

    lines: int
    succeeded: frozenset[str]


class Storm:
    """One run, driven to its end through kills that a seed decides.

    A kill is due when the tasks have written a few lines since the one before, so that kills are spread over the run however
    fast it is.

    Args:
        folder: Where everything is.
        inputs: Inputs of the program's workflow.
        seed: Decides who is killed, and when.
        kills: How many kills there are to be.
        lines: How many lines the tasks write in an undisturbed run.
    """

    def __init__(self, folder: Path, inputs: dict[str, int], seed: int = 0, kills: int = 0, lines: int = 0) -> None:
        folder.mkdir()
        self.folder = folder
        self.home = folder / "home"
        self.effects = folder / "effects"
        self.effects.touch()
        self.killed: Counter[str] = Counter()
        self.deaths: list[Death] = []
        self._inputs = [text for name, value in inputs.items() for text in (f"--{name}", str(value))]
        self._random = random.Random(seed)
        self._left = kills
        # The last lines come undisturbed, so that there is time for every kill.
        self._lines_with_kills = 0.8 * lines
        self._templates: set[int] = set()
        self._output, self._errors = folder / "output", folder / "errors"

    def rage(self) -> dict[str, Any]:
        """Run until it has ended by itself, and return the document that tells how."""
        while True:
            engine = self._start()
            try:
                if self._disturb(engine):
                    engine.wait(HANG_SECONDS)
                    assert not engine.returncode, f"exit status {engine.returncode}: {self._errors.read_text()[-5000:]}"
                    document: dict[str, Any] = json.loads(self._output.read_text())
                    return document
            finally:
                engine.kill()
                engine.wait()
            self.deaths.append(self._death())

    def _start(self) -> subprocess.Popen[bytes]:
        known = self._store(lambda store: store.find_run("storm"))
        rest = ["--resume", "storm"] if known else ["--executor", "process", "--jobs", "4", "--name", "storm"]
        rest += [] if known else [str(PROGRAM), "flow", *self._inputs]
        with open(self._output, "w") as output, open(self._errors, "a") as errors:
            return subprocess.Popen(
                [*COMMAND, *rest],
                cwd=self.folder,
                env={**os.environ, "ALULA_HOME": str(self.home), "CHAOS_EFFECTS": str(self.effects)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
            )

    def _disturb(self, engine: subprocess.Popen[bytes]) -> bool:
        """Kill until the engine is gone; return whether it has ended, or is about to end, by itself."""
        ends = time.monotonic() + HANG_SECONDS
        due, who = self._next()
        while engine.poll() is None and self._left:
            assert time.monotonic() < ends, f"nothing happens any more: {self._errors.read_text()[-5000:]}"
            found = self._victims(engine.pid, who) if self.lines() >= due else []
            if not found or not _kill(self._random.choice(sorted(found))):
                time.sleep(0.002)
                continue
            if found == [engine.pid] and engine.wait() != -signal.SIGKILL:
                return True  # it had just ended
            self.killed[who] += 1
            self._left -= 1
            if found == [engine.pid]:
                return False
            due, who = self._next()
        return True

    def _next(self) -> tuple[float, str]:
        """Return after how many lines there is to be a kill, and of what."""
        now = self.lines()
        gap = self._random.choice([0, 0, 1, 1, 2, 3, 4, 5])
        room = max(self._lines_with_kills - now, 0) / max(self._left, 1)
        return now + min(gap, 2 * room), self._random.choice(VICTIMS)

    def _victims(self, engine: int, who: str) -> list[int]:
        """Return the processes that are what a kill is aimed at."""
        workers = processes_of(self.home)
        own = {pid for pid, parent in workers if parent == engine}
        self._templates |= own
        match who:
            case "engine":
                return [engine] if own else []
            case "starting engine":
                return [engine]
            case "template":
                return [pid for pid, _ in workers if pid in self._templates]
            case _:
                return [pid for pid, _ in workers if pid != engine and pid not in self._templates]

    def lines(self) -> int:
        """Return how many lines the tasks have written."""
        return self.effects.read_bytes().count(b"\n")

    def _death(self) -> Death:
        actions = self.actions()
        return Death(self.lines(), frozenset(each.id for each in actions if each.phase is Phase.SUCCEEDED))

    def actions(self) -> list[Action]:
        """Return the actions of the run as the store has them."""
        return self._store(lambda store: list(store.actions("storm"))) or []

    def _store(self, read: Any) -> Any:
        if not (self.home / "runs.db").exists():
            return None
        store = SqliteStore(self.home / "runs.db")
        try:
            return read(store)
        finally:
            store.close()

    # --- what must hold ----------------------------------------------------------------------------------------------

    def check(self) -> None:
        """Check that every task has had its effect, and that nothing was done again that need not be."""
        lines = [line.split() for line in self.effects.read_text().splitlines()]
        begun = Counter((action, int(number)) for what, action, number in lines if what == "begin")
        assert max(begun.values()) == 1, f"attempts that ran twice: {begun.most_common(3)}"
        ended = {(action, int(number)) for what, action, number in lines if what == "end"}
        actions = {action.id: action for action in self.actions()}
        for action in actions.values():
            if action.phase is Phase.ABORTED:  # with the attempt that called it; the next one has called again
                assert len(actions[action.parent].attempts) > 1, action
                continue
            assert action.phase is Phase.SUCCEEDED, action
            if action.kind == "task":
                last = (action.id, len(action.attempts))
                assert last in begun, f"no effect of {action}"
                assert last in ended, f"no effect of {action}"
                assert (action.id, len(action.attempts) + 1) not in begun
                assert [attempt.outcome for attempt in action.attempts].count("succeeded") == 1, action
        for death in self.deaths:
            again = {action for what, action, _ in lines[death.lines :] if what == "begin"} & death.succeeded
            assert not again, f"succeeded before an engine died, and began again: {again}"


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def processes_of(home: Path) -> list[tuple[int, int]]:
    """Return the living processes that work for a home, each with the number of its parent."""
    found = []
    wanted = f"ALULA_HOME={home}".encode()
    for entry in os.listdir("/proc"):
        if not entry.isdecimal() or int(entry) == os.getpid():
            continue
        try:
            state, parent = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[:2]
            if state not in "ZX" and wanted in Path(f"/proc/{entry}/environ").read_bytes().split(b"\0"):
                found.append((int(entry), int(parent)))
        except OSError:
            continue
    return found
