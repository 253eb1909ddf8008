"""Resuming after a real death: processes that exit at a named point or are killed at any moment, and one that goes on."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from alula_kernel.engine import Action
from alula_kernel.engine.sqlite_store import SqliteStore
from alula_kernel.literals import Scalar

PROGRAM = """
import os, sys
from pathlib import Path

folder, command, when, action = sys.argv[1:]
sys.path.insert(0, {tests!r})
from conftest import World, run_loop
from test_resume import Cluster, everything

cluster = Cluster(World(), Path(folder, "runs.db"))
cluster.start("")
flow = everything(cluster)

def note(attempt):
    with open(Path(folder, "effects"), "a") as file:
        file.write(f"{{attempt.action}}/{{attempt.number}}\\n")

cluster.note = note
if when:
    cluster.kill_when(when, action)
    dies = cluster.store.dies
    cluster.store.dies = lambda at, actions: dies(at, actions) and os._exit(9)

async def main():
    if command == "run":
        return (await cluster.run(flow)).value
    result = await cluster.world.engine.resume("r")
    return cluster.world.to_plain(result.outputs["o0"])

print(run_loop(main()), flush=True)
"""


def start(folder: Path, command: str, when: str = "", action: str = "") -> subprocess.Popen[str]:
    code = PROGRAM.format(tests=str(Path(__file__).parent))
    arguments = [sys.executable, "-c", code, str(folder), command, when, action]
    return subprocess.Popen(arguments, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    out, err = process.communicate()
    assert process.returncode in {0, 9, -9}, err
    return process.returncode, out.strip()


def effects(folder: Path) -> Counter[str]:
    file = folder / "effects"
    return Counter(file.read_text().split()) if file.exists() else Counter()


def actions(folder: Path) -> dict[str, Action]:
    store = SqliteStore(folder / "runs.db")
    try:
        return {action.id: action for action in store.actions("r")}
    finally:
        store.close()


def status(folder: Path) -> str:
    store = SqliteStore(folder / "runs.db")
    try:
        record = store.find_run("r")
        return "" if record is None else record.status
    finally:
        store.close()


@pytest.fixture(scope="module")
def value(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the run gives if nobody disturbs it."""
    code, out = finish(start(tmp_path_factory.mktemp("undisturbed"), "run"))
    assert code == 0
    return out


@pytest.mark.parametrize(
    ("when", "action"),
    [
        ("before running", "a0.n0"),
        ("after running", "a0.n0"),
        ("before handle", "a0.n0"),
        ("after handle", "a0.m[2]"),
        ("before succeeded", "a0.m[1]"),
        ("after succeeded", "a0.pa"),
        ("before succeeded", "a0.pa"),
        ("after graph", "a0.dy"),
        ("before succeeded", "a0"),
    ],
)
def test_a_process_that_exits_at_a_point(tmp_path: Path, value: str, when: str, action: str) -> None:
    assert finish(start(tmp_path, "run", when, action)) == (9, "")
    ended = {action.id for action in actions(tmp_path).values() if action.final}
    before = effects(tmp_path)
    assert finish(start(tmp_path, "resume")) == (0, value)
    again = {entry.partition("/")[0] for entry in effects(tmp_path) - before}
    assert not again & ended
    assert all(action.final for action in actions(tmp_path).values())


def test_a_process_that_is_killed_at_any_moment(tmp_path: Path, value: str) -> None:
    """Again and again, each time after a few more effects: what had succeeded never runs again."""
    ended: set[str] = set()
    for kills in itertools.count():
        before = effects(tmp_path)
        process = start(tmp_path, "resume" if status(tmp_path) else "run")
        while process.poll() is None and sum(effects(tmp_path).values()) < sum(before.values()) + 3 + kills:
            time.sleep(0.001)
        process.kill()
        finish(process)
        again = {entry.partition("/")[0] for entry in effects(tmp_path) - before}
        assert not again & ended
        ended = {action.id for action in actions(tmp_path).values() if action.final}
        if status(tmp_path) == "succeeded":
            break
    assert actions(tmp_path)["a0"].outputs == {"o0": Scalar(int(value))}
    assert kills > 1
    assert all(action.final for action in actions(tmp_path).values())
