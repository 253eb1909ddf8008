"""The store of one machine beyond its contract: transactions, what is wrong with files, forks, what is kept."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from alula_kernel.engine import Action, Phase, RunRecord, StoreError, this_process
from alula_kernel.engine.sqlite_store import SqliteStore
from alula_kernel.errors import EngineError
from alula_kernel.literals import Scalar
from alula_kernel.specs import EntityId


class Counting(SqliteStore):
    """A store that counts its transactions, and can be told to fail.

    Attributes:
        transactions: How many there were.
        fails: Whether writing fails.
    """

    transactions = 0
    fails = False

    def _write_changes(self, connection: sqlite3.Connection) -> None:
        if self.fails:
            raise sqlite3.OperationalError("database or disk is full")
        self.transactions += 1
        super()._write_changes(connection)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "runs.db"


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def store(path: Path, warnings: list[str]) -> Iterator[Counting]:
    opened = Counting(path, warn=warnings.append)
    yield opened
    opened.close()


def begun(store: SqliteStore, name: str = "r") -> RunRecord:
    record = RunRecord(name=name, entity=EntityId("task", "m.f"), owner=this_process())
    store.begin_run(record)
    return record


def ids(store: SqliteStore, run: str = "r") -> list[str]:
    return [action.id for action in store.actions(run)]


# --- transactions ----------------------------------------------------------------------------------------------------


def test_one_transaction_serves_all_that_wait_in_a_turn(store: Counting) -> None:
    begun(store)

    async def work(number: int) -> None:
        action = Action(id=f"a0[{number}]")
        for phase in (Phase.RUNNING, Phase.SUCCEEDED):
            action.phase = phase
            store.record("r", action)
            pending = store.commit()
            assert pending is not None
            await pending

    async def scenario() -> None:
        await asyncio.gather(*(work(number) for number in range(500)))

    asyncio.run(scenario())
    assert store.transactions == 2
    assert len(ids(store)) == 500


def test_a_commit_takes_along_what_others_recorded(store: Counting) -> None:
    begun(store, "r")
    begun(store, "s")
    store.record("r", Action(id="a0"))
    store.record("s", Action(id="a0"))
    store.commit_now()
    assert store.commit() is None
    assert store.commit_now() is True
    assert store.transactions == 1


def test_many_changes_of_an_action_are_one_write(store: Counting, path: Path) -> None:
    begun(store)
    action = Action(id="a0")
    for phase in (Phase.RUNNING, Phase.RETRYING, Phase.RUNNING, Phase.SUCCEEDED):
        action.phase = phase
        store.record("r", action)
    store.commit_now()
    assert store.transactions == 1
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT id, parent, phase, seq FROM actions").fetchall()
    connection.close()
    assert rows == [("a0", "", "succeeded", 1)]


@pytest.mark.parametrize("in_loop", [False, True])
def test_a_commit_that_failed_is_not_forgotten(store: Counting, in_loop: bool) -> None:
    """Everybody who waits is told; what was recorded goes with the next commit that works."""
    begun(store)
    store.fails = True

    async def wait() -> None:
        pending = [store.commit() for _ in range(3)]
        ended = await asyncio.gather(*pending, return_exceptions=True)  # type: ignore[arg-type]
        assert [type(end) for end in ended] == [StoreError] * 3
        raise StoreError(str(ended[0]))

    store.record("r", Action(id="a0"))
    with pytest.raises(StoreError, match=r"cannot record the runs in .*runs\.db: database or disk is full"):
        asyncio.run(wait()) if in_loop else store.commit_now()
    store.record("r", Action(id="a0.n0"))
    store.fails = False
    store.commit_now()
    assert ids(store) == ["a0", "a0.n0"]


def test_actions_of_a_run_that_has_not_begun(store: Counting) -> None:
    store.record("nobody", Action(id="a0"))
    with pytest.raises(EngineError, match="the run 'nobody', which has not begun"):
        store.commit_now()


def test_a_run_that_another_process_forgot_takes_no_part_in_others(store: Counting, path: Path) -> None:
    """Its later actions belong to nobody, also not to a run that is begun meanwhile."""
    begun(store)
    other = SqliteStore(path)
    other.forget("r")
    begun(other, "s")
    store.record("r", Action(id="a0"))
    store.commit_now()
    assert ids(other, "s") == []
    other.close()


# --- files -----------------------------------------------------------------------------------------------------------


def test_a_file_is_made_for_its_owner_alone(store: Counting, path: Path) -> None:
    begun(store)
    assert path.stat().st_mode & 0o777 == 0o600


def test_reading_makes_no_file(store: Counting, path: Path) -> None:
    assert (store.find("r", "a0"), store.find_run("r"), store.names()) == (None, None, [])
    store.forget("r")
    assert not path.parent.exists()


@pytest.mark.parametrize("content", [b"no database" * 100, b"SQLite format 3\0" + b"\xff" * 5_000])
def test_a_damaged_file_is_put_aside(store: Counting, path: Path, warnings: list[str], content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    begun(store)
    assert store.names() == ["r"]
    assert (path.parent / "runs.db.damaged-1").read_bytes() == content
    (warning,) = warnings
    assert "is damaged (" in warning
    assert warning.endswith("it was moved to " + str(path.parent / "runs.db.damaged-1") + " and a new one begun")


def test_damage_that_is_found_later(store: Counting, path: Path, warnings: list[str]) -> None:
    """A file whose first page is whole; nothing of it is open any more when it is found out."""
    begun(store)
    for number in range(200):
        store.record("r", Action(id=f"a0[{number}]", inputs={"x": Scalar("x" * 500)}))
    store.commit_now()
    store.close()
    data = bytearray(path.read_bytes())
    data[4096:] = b"\xff" * (len(data) - 4096)
    path.write_bytes(bytes(data))
    assert store.names() == []
    assert "is damaged" in warnings[0]
    begun(store)


def test_damage_in_the_middle_of_a_run_stops_it(store: Counting, path: Path) -> None:
    """To begin a new file then would lose what the run is resumed by."""
    begun(store)
    store.record("r", Action(id="a0"))
    store.commit_now()

    def write(connection: sqlite3.Connection) -> None:
        raise sqlite3.DatabaseError("database disk image is malformed")

    store._write_changes = write  # type: ignore[method-assign]
    store.record("r", Action(id="a0"))
    with pytest.raises(StoreError, match="malformed"):
        store.commit_now()
    assert [file.name for file in path.parent.glob("*damaged*")] == []


@pytest.mark.parametrize("version", [1, 3])
def test_a_file_of_another_version_is_put_aside(store: Counting, path: Path, warnings: list[str], version: int) -> None:
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE runs (name TEXT)")
    connection.execute(f"PRAGMA user_version = {version}")
    connection.close()
    begun(store)
    assert (path.parent / f"runs.db.format-{version}-1").exists()
    assert f"was written by another version of Alula (format {version})" in warnings[0]


def test_a_file_that_cannot_be_made(store: Counting, path: Path) -> None:
    path.parent.touch()
    with pytest.raises(StoreError, match="cannot record the runs in "):
        store.prepare()
    path.parent.unlink()
    store.prepare()


_OPEN = """
import sys
from alula_kernel.engine import *
from alula_kernel.engine.sqlite_store import SqliteStore
from alula_kernel.specs import EntityId
store = SqliteStore(sys.argv[1])
sys.stdin.readline()
store.begin_run(RunRecord(name=sys.argv[2], entity=EntityId("task", "m.f")))
for number in range(20):
    store.record(sys.argv[2], Action(id=f"a0[{number}]"))
    store.commit_now()
store.close()
"""


@pytest.mark.parametrize("content", [b"", b"no database" * 100])
def test_many_processes_open_a_file_at_once(store: Counting, path: Path, content: bytes) -> None:
    if content:
        path.parent.mkdir()
        path.write_bytes(content)
    command = [sys.executable, "-c", _OPEN, str(path)]
    processes = [
        subprocess.Popen([*command, f"r{n}"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for n in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in processes:
        _out, err = process.communicate()
        assert process.returncode == 0, err
    assert sorted(store.names()) == ["r0", "r1", "r2", "r3"]
    assert [len(ids(store, f"r{n}")) for n in range(4)] == [20] * 4


# --- forks -----------------------------------------------------------------------------------------------------------


def test_a_forked_child_opens_the_file_anew(path: Path) -> None:
    """And what its parent recorded and has not committed stays the parent's."""
    code = f"""
import os
from alula_kernel.engine import *
from alula_kernel.engine.sqlite_store import SqliteStore
from alula_kernel.specs import EntityId
store = SqliteStore({str(path)!r})
store.begin_run(RunRecord(name="r", entity=EntityId("task", "m.f")))
store.record("r", Action(id="a0"))
child = os.fork()
if not child:
    assert store.find("r", "a0") is None
    store.record("r", Action(id="a0.child"))
    store.commit_now()
    os._exit(0)
_pid, status = os.waitpid(child, 0)
assert status == 0
store.commit_now()
print([action.id for action in store.actions("r")])
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout == "['a0.child', 'a0']\n"


# --- what is kept ----------------------------------------------------------------------------------------------------


def test_old_runs_are_dropped_with_their_actions(path: Path) -> None:
    store = SqliteStore(path, most_runs=2)
    for number in range(4):
        begun(store, f"r{number}")
        store.record(f"r{number}", Action(id="a0"))
        store.commit_now()
    assert store.names() == ["r3", "r2"]
    store.close()
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM actions").fetchone() == (2,)
    connection.close()


def test_a_run_is_shortened(store: Counting, path: Path) -> None:
    """Large values go, and so does the room that they took; the rest stays."""

    def cut(literals: dict[str, Any]) -> dict[str, Any]:
        return {name: Scalar("cut") if len(value.value) > 10 else value for name, value in literals.items()}

    record = begun(store)
    large, small = {"x": Scalar("x" * 1_000_000)}, {"x": Scalar("x")}
    record.inputs, record.status = large, "succeeded"
    store.record("r", Action(id="a0", phase=Phase.SUCCEEDED, inputs=large, outputs=small))
    store.record("r", Action(id="a0.n0", phase=Phase.SUCCEEDED, inputs=small, outputs=large))
    store.change_run(record)
    store.shorten(record, cut)
    assert record.inputs == large, "it is the caller's"
    found = store.find_run("r")
    assert found is not None
    assert (found.inputs, found.action_count) == ({"x": Scalar("cut")}, 2)
    kept = [(action.inputs["x"].value, action.outputs["x"].value) for action in store.actions("r")]  # type: ignore[union-attr]
    assert kept == [("cut", "x"), ("x", "cut")]
    store.close()
    assert path.stat().st_size < 100_000


def test_importing_the_engine_imports_no_database(in_process: Callable[[str], str]) -> None:
    assert in_process("import sys, alula_kernel.engine.sqlite_store; print('sqlite3' in sys.modules)") == "False"


@pytest.fixture
def in_process() -> Callable[[str], str]:
    def run(code: str) -> str:
        environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-c", code]
        return subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout.strip()

    return run


# --- what another process looks at -----------------------------------------------------------------------------------


def test_actions_are_read_in_pages_by_another_process(store: Counting, path: Path) -> None:
    begun(store)
    begun(store, "other")
    store.record("r", Action(id="a0"))
    for number in range(5):
        phase = Phase.FAILED if number == 3 else Phase.SUCCEEDED
        store.record("r", Action(id=f"a0.{number}", parent="a0", phase=phase))
        store.record("other", Action(id=f"a0.{number}", parent="a0"))
    store.commit_now()
    reader = SqliteStore(path)
    pages, after = [], 0
    while page := reader.page("r", after=after, limit=4):
        after = page[-1][0]
        pages.append([action.id for _, action in page])
    assert pages == [["a0", "a0.0", "a0.1", "a0.2"], ["a0.3", "a0.4"]]
    assert [action.id for _, action in reader.page("r", parent="")] == ["a0"]
    assert [action.id for _, action in reader.page("r", parent="a0", limit=2)] == ["a0.0", "a0.1"]
    assert [action.id for _, action in reader.page("r", parent="a0", phases=("failed", "aborted"))] == ["a0.3"]
    assert reader.page("nothing") == []
    assert reader.child_counts("r") == {"": {"queued": 1}, "a0": {"succeeded": 4, "failed": 1}}
    assert reader.child_counts("nothing") == {}
    reader.close()


def test_positions_stay_when_actions_change(store: Counting) -> None:
    begun(store)
    for name in ("a0", "a0.0"):
        store.record("r", Action(id=name))
    store.commit_now()
    before = [position for position, _ in store.page("r")]
    store.record("r", Action(id="a0", phase=Phase.SUCCEEDED))
    store.commit_now()
    assert [(position, action.phase) for position, action in store.page("r")] == [
        (before[0], Phase.SUCCEEDED),
        (before[1], Phase.QUEUED),
    ]


def test_the_edition_is_another_one_after_a_change_of_another_process(store: Counting, path: Path) -> None:
    reader = SqliteStore(path)
    assert reader.edition() == 0
    assert not path.exists()
    begun(store)
    first = reader.edition()
    assert reader.edition() == first
    store.record("r", Action(id="a0"))
    store.commit_now()
    assert reader.edition() != first
    reader.close()
