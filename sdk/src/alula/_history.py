"""The history of the runs of this machine: what ``alula run`` did, kept in ``<home>/runs.db``.

The database is opened only to write down that a run began and how it ended, and to read. Whatever is wrong with it is a
warning: a damaged file is moved aside, and a run goes on without a history if there is no other way.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from alula_kernel.engine import Action, Phase
from alula_kernel.errors import ActionError, UnknownNameError, UsageError
from alula_kernel.literals import Literal

from ._plain import cut_to_preview

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")

RUNNING = "running"
LOST = "lost"
STATUSES = ("running", "succeeded", "failed", "aborted", "timed_out", "lost")
"""What a run in the history may be; `LOST` is a run whose process ended without saying how."""

MOST_RUNS = 10_000
"""Runs that are kept; older ones are dropped."""
_MOST_ACTIONS = 5_000
_LITERAL_BYTES = 4_096
_BUSY_SECONDS = 2.0
_SCHEMA_VERSION = 1
_SCHEMA = """
    CREATE TABLE runs (
        name TEXT NOT NULL UNIQUE,
        entity TEXT NOT NULL,
        status TEXT NOT NULL,
        started_at REAL NOT NULL,
        record BLOB NOT NULL,
        actions BLOB NOT NULL
    )
"""


class RunRecord(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One run as the history keeps it.

    Attributes:
        name: Name of the run.
        entity: Qualified name of what was run.
        kind: ``task``, ``workflow`` or ``launch_plan``.
        source: The file or module that it was loaded from, as the user gave it.
        project: Its project.
        domain: Its domain.
        status: One of `STATUSES`.
        labels: Its labels.
        process: The process that runs it, as `this_process` names it.
        started_at: Seconds since the epoch.
        ended_at: Seconds since the epoch; None while it runs, and for a lost run.
        inputs: Its inputs; large ones are cut to previews.
        outputs: Its outputs; large ones are cut to previews.
        error: Why it failed.
        message: Free text, as the reason of an abort.
        actions: Its tree, parents before children, at most `_MOST_ACTIONS`; what succeeded is left out first.
        action_count: How many actions there were.
    """

    name: str
    entity: str
    kind: str
    source: str = ""
    project: str = "default"
    domain: str = "development"
    status: str = RUNNING
    labels: dict[str, str] = {}
    process: str = ""
    started_at: float = 0.0
    ended_at: float | None = None
    inputs: dict[str, Literal] = {}
    outputs: dict[str, Literal] = {}
    error: ActionError | None = None
    message: str = ""
    actions: list[Action] = []
    action_count: int = 0


class History:
    """The runs of this machine.

    Args:
        path: The database file; it is made when it is first written to.
        warn: Told, once, what is wrong with the database.
    """

    def __init__(self, path: Path, warn: Callable[[str], None]) -> None:
        self.path = path
        self._warn = warn
        self._usable = True
        self._connection: sqlite3.Connection | None = None

    # --- writing -----------------------------------------------------------------------------------------------------

    def begin(self, record: RunRecord) -> None:
        """Write down that a run begins.

        Raises:
            UsageError: There is a run of that name.
        """
        small = self._small(record)

        def insert(connection: sqlite3.Connection) -> bool:
            with connection:
                added = connection.execute("INSERT OR IGNORE INTO runs VALUES (?, ?, ?, ?, ?, ?)", _row(small)).rowcount
                connection.execute("DELETE FROM runs WHERE rowid <= (SELECT max(rowid) FROM runs) - ?", (MOST_RUNS,))
            return added == 1

        if not self._run("write", insert, True):
            raise UsageError(
                f"there is a run with the name {record.name!r} already",
                hint=f"Choose another name, or forget the old run: alula runs delete {record.name}",
            )

    def finish(self, record: RunRecord) -> None:
        """Write down how a run ended."""
        small = self._small(record)

        def update(connection: sqlite3.Connection) -> None:
            name, _entity, status, _started_at, data, actions = _row(small)
            with connection:
                connection.execute(
                    "UPDATE runs SET status = ?, record = ?, actions = ? WHERE name = ?", (status, data, actions, name)
                )

        self._run("write", update, None)

    def delete(self, names: list[str]) -> None:
        """Forget runs.

        Raises:
            UnknownNameError: There is no run of a name; none is forgotten then.
        """
        known = self.names()
        for name in names:
            if name not in known:
                raise UnknownNameError.among("run", name, known)

        def delete(connection: sqlite3.Connection) -> None:
            with connection:
                connection.executemany("DELETE FROM runs WHERE name = ?", [(name,) for name in names])

        self._run("write", delete, None)

    def clear(self) -> int:
        """Forget every run that is not under way, and return how many there were."""
        ended = [record.name for record in self.records() if record.status != RUNNING]
        self.delete(ended)
        return len(ended)

    # --- reading -----------------------------------------------------------------------------------------------------

    def names(self) -> list[str]:
        """Return the names of all runs, newest first."""
        if not self.path.exists():
            return []
        query = "SELECT name FROM runs ORDER BY rowid DESC"
        return self._run("read", lambda c: [name for (name,) in c.execute(query)], [])

    def records(self, *, limit: int | None = None, status: str = "", entity: str = "") -> list[RunRecord]:
        """Return runs, newest first, without their actions.

        Args:
            limit: Most runs to return; None for all.
            status: Only those of this status.
            entity: Only those of this entity, by its qualified name or the last part of it.
        """
        if not self.path.exists():
            return []
        stored = RUNNING if status == LOST else status
        query = (
            "SELECT record FROM runs WHERE :status IN ('', status) AND (:entity IN ('', entity) OR entity LIKE '%.' || :end "
            "ESCAPE '\\') ORDER BY rowid DESC"
        )
        end = entity.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        arguments = {"status": stored, "entity": entity, "end": end}
        rows: list[bytes] = self._run("read", lambda c: [data for (data,) in c.execute(query, arguments)], [])
        found: list[RunRecord] = []
        for data in rows:
            record = self._decoded(data)
            if record is not None and status in {"", record.status}:
                found.append(record)
            if limit is not None and len(found) >= limit:
                break
        return found

    def find(self, name: str = "") -> RunRecord:
        """Return a run with its actions.

        Args:
            name: Its name, or the beginning of it if that is unique; empty for the newest run.

        Raises:
            UnknownNameError: There is none, or several begin like that.
        """
        names = self.names()
        matching = [name] if name in names else [known for known in names if known.startswith(name)]
        if not name:
            matching = names[:1]
        if len(matching) != 1:
            raise UnknownNameError.among("run", name, matching or names)
        query = "SELECT record, actions FROM runs WHERE name = ?"
        row = self._run("read", lambda c: c.execute(query, (matching[0],)).fetchone(), None)
        record = self._decoded(row[0]) if row is not None else None
        if record is None:
            raise UsageError(f"the entry of the run {matching[0]!r} cannot be read")
        try:
            record.actions = msgspec.msgpack.decode(row[1], type=list[Action])
        except msgspec.MsgspecError as problem:
            self._warn(f"the actions of the run {record.name} cannot be read: {problem}")
        return record

    def close(self) -> None:
        """Close the database. It is opened again when it is needed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def __enter__(self) -> History:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()

    # --- rows --------------------------------------------------------------------------------------------------------

    def _small(self, record: RunRecord) -> RunRecord:
        """Return a copy that is fit to be kept."""
        return msgspec.structs.replace(
            record,
            inputs=_cut(record.inputs),
            outputs=_cut(record.outputs),
            actions=[
                msgspec.structs.replace(action, inputs=_cut(action.inputs), outputs=_cut(action.outputs))
                for action in _kept(record.actions)
            ],
            action_count=len(record.actions),
        )

    def _decoded(self, data: bytes) -> RunRecord | None:
        try:
            record = msgspec.msgpack.decode(data, type=RunRecord)
        except msgspec.MsgspecError as problem:
            self._warn(f"an entry of the run history {self.path} is damaged and left out: {problem}")
            return None
        if record.status == RUNNING and not _lives(record.process):
            record.status = LOST
        return record

    # --- the database ------------------------------------------------------------------------------------------------

    def _run(self, doing: str, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """Do something with the database; if that is not possible, warn and return `otherwise`."""
        if not self._usable:
            return otherwise
        import sqlite3

        try:
            try:
                return work(self._open())
            except sqlite3.DatabaseError as damage:
                # Damage has no class of its own; everything else that can happen to a database has one.
                if type(damage) is not sqlite3.DatabaseError:
                    raise
                self._move_aside(damage)
                return work(self._open())
        except (sqlite3.Error, OSError) as problem:
            self._usable = False
            self._abandon()
            self._warn(f"cannot {doing} the run history {self.path}: {problem}")
            return otherwise

    def _open(self) -> sqlite3.Connection:
        if self._connection is not None:
            return self._connection
        import sqlite3

        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = self._connection = sqlite3.connect(self.path, timeout=_BUSY_SECONDS)
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version == 0:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            with connection:
                connection.execute(_SCHEMA.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS"))
                connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}")
        elif version != _SCHEMA_VERSION:
            raise sqlite3.NotSupportedError(f"it was written by another version of Alula (format {version})")
        connection.execute("PRAGMA synchronous = NORMAL")
        return connection

    def _abandon(self) -> None:
        """Close the connection, whatever state it is in."""
        try:
            self.close()
        except Exception:  # noqa: BLE001 - that the database cannot be written is known
            self._connection = None

    def _move_aside(self, damage: Exception) -> None:
        self._abandon()
        aside = self.path.with_name(f"{self.path.name}.damaged-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}")
        os.replace(self.path, aside)
        for suffix in ("-wal", "-shm"):
            beside = self.path.with_name(self.path.name + suffix)
            if beside.exists():
                os.replace(beside, aside.with_name(aside.name + suffix))
        self._warn(f"the run history {self.path} is damaged ({damage}); it was moved to {aside} and a new one begun")


def _row(record: RunRecord) -> tuple[Any, ...]:
    encode = msgspec.msgpack.encode
    actions = encode(record.actions)
    rest = msgspec.structs.replace(record, actions=[])
    return record.name, record.entity, record.status, record.started_at, encode(rest), actions


def _cut(literals: dict[str, Literal]) -> dict[str, Literal]:
    return {name: cut_to_preview(literal, _LITERAL_BYTES) for name, literal in literals.items()}


def _kept(actions: list[Action]) -> list[Action]:
    """Leave out what succeeded, from the end, where there are too many actions."""
    if len(actions) <= _MOST_ACTIONS:
        return actions
    room = _MOST_ACTIONS - sum(action.phase is not Phase.SUCCEEDED for action in actions)
    kept = []
    for action in actions:
        if action.phase is Phase.SUCCEEDED:
            room -= 1
            if room < 0:
                continue
        kept.append(action)
    return kept[:_MOST_ACTIONS]


def this_process() -> str:
    """Name this process so that another can tell whether it still lives: host, id, and when it started, if known."""
    return f"{os.uname().nodename}:{os.getpid()}:{_start_of(os.getpid())}"


def _start_of(pid: int) -> str:
    """Return when a process started, in the kernel's own count; empty where the system does not tell."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name of the program, in parentheses, may hold spaces; the start is the 20th field after it (proc(5)).
            return file.read().rpartition(b")")[2].split()[19].decode()
    except (OSError, IndexError):
        return ""


def _lives(process: str) -> bool:
    """Tell whether a process still runs; one of another machine is taken to."""
    host, _, rest = process.partition(":")
    pid, _, start = rest.partition(":")
    if host != os.uname().nodename or not pid.isdigit():
        return bool(process)
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return not start or _start_of(int(pid)) == start
