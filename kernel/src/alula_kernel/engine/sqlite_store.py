"""The store of one machine: runs and their actions in a SQLite file, shared by any number of processes.

The file is in WAL mode with ``synchronous=NORMAL``: what was committed survives the death of the process, however it died;
after a power cut the newest commits may be gone, and the file is whole. Actions are rows of msgpack, with the columns that
are asked for beside them.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import TYPE_CHECKING, TypeVar

import msgspec

from ..builtin.sqlite_files import between_processes, fork_guard, inode_of, put_aside
from ..errors import EngineError
from ..literals import Literal
from .actions import Action
from .phases import FINAL
from .runs import RunRecord
from .store import Store, StoreError, name_taken

if TYPE_CHECKING:
    import asyncio
    import sqlite3

T = TypeVar("T")

MOST_RUNS = 10_000
"""Runs that are kept; older ones are dropped."""
MOST_ACTIONS = 5_000
"""Actions of a run that are kept when it has been shortened; of those that succeeded the last are left out first."""

_BUSY_SECONDS = 60.0
_LARGE_BYTES = 4_096
_SCHEMA_VERSION = 2
_SCHEMA = """
CREATE TABLE runs (
    key INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    entity TEXT NOT NULL,
    status TEXT NOT NULL,
    owner TEXT NOT NULL,
    data BLOB NOT NULL
);
CREATE TABLE actions (
    seq INTEGER PRIMARY KEY,
    run INTEGER NOT NULL,
    id TEXT NOT NULL,
    parent TEXT NOT NULL,
    phase TEXT NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (run, id)
)
"""
_RECORD = (
    "INSERT INTO actions (run, id, parent, phase, data) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (run, id) DO UPDATE SET phase = excluded.phase, data = excluded.data"
)
_PAGE = """
SELECT seq, data FROM actions WHERE seq IN (
    SELECT seq FROM actions
    WHERE run = (SELECT key FROM runs WHERE name = :name) AND seq > :after AND (:parent IS NULL OR parent = :parent)
        AND (:phases = '' OR instr(:phases, ',' || phase || ',') > 0)
    ORDER BY seq LIMIT :limit
) ORDER BY seq
"""
_FINAL_PHASES = ", ".join(f"'{phase.value}'" for phase in sorted(FINAL))

_encode = msgspec.msgpack.Encoder().encode


@functools.lru_cache(maxsize=1)
def _decoders() -> tuple[Callable[[bytes], Action], Callable[[bytes], RunRecord]]:
    """Return what decodes rows; made when one is read, which a run that is not resumed hardly does."""
    return msgspec.msgpack.Decoder(Action).decode, msgspec.msgpack.Decoder(RunRecord).decode


class SqliteStore(Store):
    """Keeps runs in one SQLite file.

    The file is opened, and made with its folder, at the first use; only its owner may read it. A file that is damaged, or
    was written by another version of Alula, is put aside and a new one begun. Changes that were recorded and not committed
    are gone when the process ends. A process that was forked opens the file anew.

    Args:
        path: The file.
        warn: Told what is wrong with the file; by default the logger ``alula.store`` is.
        most_runs: Runs that are kept; older ones are dropped when one begins.
    """

    def __init__(
        self, path: str | os.PathLike[str], *, warn: Callable[[str], None] | None = None, most_runs: int = MOST_RUNS
    ) -> None:
        self.path = os.path.abspath(os.path.expanduser(path))
        self._warn = warn or _log_warning
        self._most_runs = most_runs
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._inherited: list[sqlite3.Connection] = []
        self._keys: dict[str, int] = {}
        self._changed: dict[tuple[str, str], Action] = {}
        self._waiting: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
        fork_guard().watch(self)

    # --- actions -----------------------------------------------------------------------------------------------------

    def record(self, run: str, action: Action) -> None:
        with self._lock:
            self._changed[run, action.id] = action

    def commit(self) -> Awaitable[None] | None:
        """Commit once for all that ask for it in this turn of the event loop."""
        with self._lock:
            if not self._changed:
                return None
        import asyncio

        loop = asyncio.get_running_loop()
        waiting = self._waiting.get(loop)
        if waiting is None:
            waiting = self._waiting[loop] = []
            loop.call_soon(self._commit_turn, loop)
        # One for each, since who is cancelled cancels what it waits for.
        turn = loop.create_future()
        waiting.append(turn)
        return turn

    def _commit_turn(self, loop: asyncio.AbstractEventLoop) -> None:
        waiting = self._waiting.pop(loop)
        failure: BaseException | None = None
        try:
            self.commit_now()
        except Exception as problem:  # noqa: BLE001 - raised where it is waited for
            failure = problem
        for turn in waiting:
            if turn.done():
                continue
            if failure is None:
                turn.set_result(None)
            else:
                turn.set_exception(failure)

    def commit_now(self) -> bool:
        with self._lock:
            if self._changed:
                self._run("record", self._write_changes)
        return True

    def _write_changes(self, connection: sqlite3.Connection) -> None:
        """Write what was recorded. What a failure leaves unwritten is written with the next commit, if there is one."""
        changed = self._changed
        rows = [
            (self._key(connection, run), action.id, action.parent, action.phase.value, _encode(action))
            for (run, _), action in changed.items()
        ]
        if len(rows) == 1:
            connection.execute(_RECORD, rows[0])
        else:
            _in_transaction(connection, lambda: connection.executemany(_RECORD, rows))
        changed.clear()

    def find(self, run: str, action: str) -> Action | None:
        with self._lock:
            recorded = self._changed.get((run, action))
            if recorded is not None:
                return recorded
            query = "SELECT data FROM actions WHERE run = (SELECT key FROM runs WHERE name = ?) AND id = ?"
            row = self._read(lambda c: c.execute(query, (run, action)).fetchone(), None)
        return None if row is None else self._decoded(_decoders()[0], row[0], f"the action {action} of the run {run!r}")

    def actions(self, run: str) -> Sequence[Action]:
        return self._actions(run, "SELECT data FROM actions WHERE run = ? ORDER BY seq")

    def open_actions(self, run: str) -> Sequence[Action]:
        final = f"SELECT data FROM actions WHERE run = ? AND phase NOT IN ({_FINAL_PHASES}) ORDER BY seq"  # noqa: S608
        return [action for action in self._actions(run, final) if not action.final]

    def _actions(self, run: str, query: str) -> list[Action]:
        def select(connection: sqlite3.Connection) -> list[Action]:
            rows = connection.execute(query, (self._known_key(connection, run),))
            return [self._decoded(_decoders()[0], data, f"an action of the run {run!r}") for (data,) in rows]

        with self._lock:
            recorded = {action.id: action for (name, _), action in self._changed.items() if name == run}
            nothing: list[Action] = []
            found = [recorded.pop(action.id, action) for action in self._read(select, nothing)]
            return [*found, *recorded.values()]

    def page(
        self, run: str, *, parent: str | None = None, phases: Collection[str] = (), after: int = 0, limit: int = 1_000
    ) -> list[tuple[int, Action]]:
        """Return some of the actions of a run, in the order in which they were created, as another process sees them.

        Args:
            run: Name of the run.
            parent: Only the children of this action; None for all actions.
            phases: Only actions in one of these phases; none for all.
            after: Position of the last action of the page before; 0 for the first page.
            limit: Most actions to return.

        Returns:
            Each action after its position, which stays the same.

        Raises:
            StoreError: One cannot be read.
        """
        listed = f",{','.join(phases)}," if phases else ""
        arguments = {"name": run, "parent": parent, "phases": listed, "after": after, "limit": limit}
        nothing: list[tuple[int, bytes]] = []
        with self._lock:
            rows = self._read(lambda c: c.execute(_PAGE, arguments).fetchall(), nothing)
        decode = _decoders()[0]
        return [(seq, self._decoded(decode, data, f"an action of the run {run!r}")) for seq, data in rows]

    def child_counts(self, run: str) -> dict[str, dict[str, int]]:
        """Return for each action that has children how many of them are in each phase, as another process sees them."""
        query = (
            "SELECT parent, phase, count(*) FROM actions WHERE run = (SELECT key FROM runs WHERE name = ?) "
            "GROUP BY parent, phase"
        )
        nothing: list[tuple[str, str, int]] = []
        with self._lock:
            rows = self._read(lambda c: c.execute(query, (run,)).fetchall(), nothing)
        counts: dict[str, dict[str, int]] = {}
        for parent, phase, count in rows:
            counts.setdefault(parent, {})[phase] = count
        return counts

    def edition(self) -> int:
        """Return a number that is another one once another process has changed anything; 0 where there is nothing."""
        with self._lock:
            return self._read(lambda c: int(c.execute("PRAGMA data_version").fetchone()[0]), 0)

    # --- runs --------------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Open the file, and make it if there is none; tells early whether it can be written.

        Raises:
            StoreError: It cannot.
        """
        with self._lock:
            self._run("record", lambda connection: connection.execute(f"PRAGMA user_version = {_SCHEMA_VERSION}"))

    def begin_run(self, record: RunRecord) -> None:
        insert = "INSERT OR IGNORE INTO runs (name, entity, status, owner, data) VALUES (?, ?, ?, ?, ?)"

        def begin(connection: sqlite3.Connection) -> int | None:
            row = (record.name, record.entity.name, record.status, record.owner, _encode(record))
            cursor = connection.execute(insert, row)
            if not cursor.rowcount:
                return None
            key = cursor.lastrowid
            assert key is not None
            oldest = (key - self._most_runs,)
            if connection.execute("DELETE FROM runs WHERE key <= ?", oldest).rowcount:
                connection.execute("DELETE FROM actions WHERE run <= ?", oldest)
            return key

        with self._lock:
            key = self._run("record", lambda c: _in_transaction(c, lambda: begin(c)))
            if key is None:
                raise name_taken(record.name)
            self._keys[record.name] = key

    def change_run(self, record: RunRecord) -> None:
        def change(connection: sqlite3.Connection) -> None:
            row = (record.status, record.owner, _encode(record), record.name)
            connection.execute("UPDATE runs SET status = ?, owner = ?, data = ? WHERE name = ?", row)

        with self._lock:
            self.commit_now()
            self._run("record", change)

    def claim_run(self, name: str, owner: str, before: str) -> bool:
        claim = "UPDATE runs SET owner = ? WHERE name = ? AND owner = ? AND status = 'running'"
        with self._lock:
            return self._run("record", lambda c: c.execute(claim, (owner, name, before)).rowcount) == 1

    def find_run(self, name: str) -> RunRecord | None:
        with self._lock:
            query = "SELECT owner, data FROM runs WHERE name = ?"
            row = self._read(lambda c: c.execute(query, (name,)).fetchone(), None)
        return None if row is None else self._record(name, *row)

    def runs(self, *, status: str = "", entity: str = "") -> Sequence[RunRecord]:
        query = (
            "SELECT name, owner, data FROM runs WHERE :status IN ('', status) AND "
            "(:entity IN ('', entity) OR entity LIKE '%.' || :end ESCAPE '\\') ORDER BY key DESC"
        )
        end = entity.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
        arguments = {"status": status, "entity": entity, "end": end}
        nothing: list[tuple[str, str, bytes]] = []
        with self._lock:
            rows = self._read(lambda c: c.execute(query, arguments).fetchall(), nothing)
        records = []
        for row in rows:
            try:
                records.append(self._record(*row))
            except StoreError as damage:
                self._warn(f"{damage}; it is left out")
        return records

    def names(self) -> list[str]:
        """Return the names of all runs, newest first."""
        nothing: list[tuple[str]] = []
        with self._lock:
            rows = self._read(lambda c: c.execute("SELECT name FROM runs ORDER BY key DESC").fetchall(), nothing)
        return [name for (name,) in rows]

    def forget(self, run: str) -> None:
        def delete(connection: sqlite3.Connection) -> None:
            key = self._known_key(connection, run)
            connection.execute("DELETE FROM actions WHERE run = ?", (key,))
            connection.execute("DELETE FROM runs WHERE key = ?", (key,))

        with self._lock:
            for changed in [key for key in self._changed if key[0] == run]:
                del self._changed[changed]
            self._keys.pop(run, None)
            if os.path.exists(self.path):
                self._run("record", lambda c: _in_transaction(c, lambda: delete(c)))

    def shorten(self, record: RunRecord, cut: Callable[[dict[str, Literal]], dict[str, Literal]]) -> None:
        """Keep of a run that is over what people want to look at.

        Large inputs and outputs are cut, of very many actions the first ones and those that did not succeed are kept, and
        environment variables are dropped.

        Args:
            record: The run; it is not changed.
            cut: Returns named literals with the large ones cut.
        """
        options = msgspec.structs.replace(record.options, environment={})
        short = msgspec.structs.replace(record, inputs=cut(record.inputs), outputs=cut(record.outputs), options=options)
        with self._lock:
            self._run("record", lambda connection: self._shorten(connection, short, cut))

    def _shorten(
        self,
        connection: sqlite3.Connection,
        record: RunRecord,
        cut: Callable[[dict[str, Literal]], dict[str, Literal]],
    ) -> None:
        key = self._known_key(connection, record.name)
        facts = (
            "SELECT (SELECT count(*) FROM actions WHERE run = :key), (SELECT length(data) FROM runs WHERE key = :key)"
        )
        record.action_count, size = connection.execute(facts, {"key": key}).fetchone()
        query = "SELECT seq FROM actions WHERE run = ? AND length(data) > ?"
        large = connection.execute(query, (key, _LARGE_BYTES)).fetchall()

        def write() -> None:
            connection.execute("UPDATE runs SET data = ? WHERE key = ?", (_encode(record), key))
            extra = record.action_count - MOST_ACTIONS
            if extra > 0:
                last = "SELECT seq FROM actions WHERE run = ? ORDER BY phase = 'succeeded' DESC, seq DESC LIMIT ?"
                connection.execute(f"DELETE FROM actions WHERE seq IN ({last})", (key, extra))  # noqa: S608
            for (seq,) in large:  # one at a time, since they are
                row = connection.execute("SELECT data FROM actions WHERE seq = ?", (seq,)).fetchone()
                if row is None:
                    continue
                (data,) = row
                action = self._decoded(_decoders()[0], data, f"an action of the run {record.name!r}")
                action.inputs, action.outputs = cut(action.inputs), cut(action.outputs)
                for attempt in action.attempts:
                    attempt.graph, attempt.entities = None, ()
                connection.execute("UPDATE actions SET data = ? WHERE seq = ?", (_encode(action), seq))

        _in_transaction(connection, write)
        if large or size > _LARGE_BYTES:
            _give_space_back(connection)

    # --- rows --------------------------------------------------------------------------------------------------------

    def _key(self, connection: sqlite3.Connection, run: str) -> int:
        key = self._keys.get(run)
        if key is None:
            key = self._keys[run] = self._known_key(connection, run)
            if not key:
                del self._keys[run]
                raise EngineError(f"actions of the run {run!r}, which has not begun")
        return key

    @staticmethod
    def _known_key(connection: sqlite3.Connection, run: str) -> int:
        """Return the key of a run; 0, which is none, for one that is not there."""
        row = connection.execute("SELECT key FROM runs WHERE name = ?", (run,)).fetchone()
        return 0 if row is None else row[0]

    def _record(self, name: str, owner: str, data: bytes) -> RunRecord:
        record = self._decoded(_decoders()[1], data, f"the entry of the run {name!r}")
        record.owner = owner
        return record

    def _decoded(self, decode: Callable[[bytes], T], data: bytes, what: str) -> T:
        try:
            return decode(data)
        except (msgspec.MsgspecError, TypeError) as damage:  # a cell of another type is no bytes
            raise StoreError(f"{what} in {self.path} is damaged: {damage}") from damage

    # --- the database ------------------------------------------------------------------------------------------------

    def _read(self, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """Read from the database; reading makes none."""
        if self._connection is None and not os.path.exists(self.path):
            return otherwise
        return self._run("read", work)

    def _run(self, doing: str, work: Callable[[sqlite3.Connection], T]) -> T:
        """Do something with the database.

        Raises:
            StoreError: It cannot be done.
        """
        try:
            return work(self._connection or self._open())
        except (EngineError, StoreError):
            raise
        except Exception as problem:  # noqa: BLE001 - sorted out there, where SQLite is imported
            return self._run_again(doing, problem, work)

    def _run_again(self, doing: str, problem: Exception, work: Callable[[sqlite3.Connection], T]) -> T:
        """Replace a damaged database and do it again, unless it has runs of this process; refuse after any other problem."""
        import sqlite3

        try:
            # Damage is the only failure without a subclass of its own: SQLITE_CORRUPT and SQLITE_NOTADB.
            if type(problem) is not sqlite3.DatabaseError or self._keys:
                raise problem
            self._replace(f"is damaged ({problem})", "damaged")
            return work(self._open())
        except (sqlite3.Error, OSError) as failure:
            if not self._keys:
                self._disconnect()
            raise StoreError(f"cannot {doing} the runs in {self.path}: {failure}") from failure

    def _open(self) -> sqlite3.Connection:
        """Open the database, and make it if there is none."""
        version = self._connect()
        if version != _SCHEMA_VERSION:
            self._replace(f"was written by another version of Alula (format {version})", f"format-{version}")
            if self._connect() != _SCHEMA_VERSION:
                self._disconnect()
                raise StoreError(f"the database of runs {self.path} was replaced by another version of Alula")
        assert self._connection is not None
        self._connection.execute("PRAGMA synchronous = NORMAL")
        return self._connection

    def _connect(self) -> int:
        """Connect, make the tables if the file is new, and return the version of its tables."""
        import sqlite3

        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with between_processes(self.path):
            if not os.path.exists(self.path):
                os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            self._inode = inode_of(self.path)
            connection = self._connection = sqlite3.connect(
                self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            version = _version(connection)
            if version == 0:
                connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
                connection.execute("PRAGMA journal_mode = WAL").fetchone()
                statements = [*_SCHEMA.split(";"), f"PRAGMA user_version = {_SCHEMA_VERSION}"]
                _in_transaction(connection, lambda: [connection.execute(statement) for statement in statements])
                version = _version(connection)
            return version

    def _replace(self, reason: str, label: str) -> None:
        """Put the database aside."""
        self._disconnect()
        aside = put_aside(self.path, self._inode, label)
        if aside:
            self._warn(f"the database of runs {self.path} {reason}; it was moved to {aside} and a new one begun")

    def close(self) -> None:
        """Close the database; what was not committed is dropped. It is opened again when it is needed."""
        with self._lock:
            self._changed.clear()
            self._disconnect()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        self._keys.clear()
        if connection is not None:
            try:
                connection.close()
            except Exception:  # noqa: BLE001 - closing writes; that a damaged file cannot be written is known
                pass

    def __del__(self) -> None:
        connection = getattr(self, "_connection", None)
        if connection is not None:
            connection.close()

    def before_fork(self) -> None:
        """Wait until no thread is inside the database."""
        self._lock.acquire()

    def after_fork_in_parent(self) -> None:
        """Let other threads go on."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Begin anew; what the parent has not committed is the parent's."""
        self._lock = threading.RLock()
        self._changed = {}
        self._waiting = {}
        if self._connection is not None:
            self._inherited.append(self._connection)
            self._connection = None


def _version(connection: sqlite3.Connection) -> int:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return int(version)


def _give_space_back(connection: sqlite3.Connection) -> None:
    """Make the file as small as what is in it."""
    query = "SELECT freelist_count, page_count FROM pragma_freelist_count, pragma_page_count"
    free, pages = connection.execute(query).fetchone()
    if free > pages // 2:
        connection.execute("VACUUM")  # copies what is left; taking free pages away one at a time would take long
    else:
        # Only a script is run to its end; `execute` would free one page.
        connection.executescript("PRAGMA incremental_vacuum")


def _in_transaction(connection: sqlite3.Connection, work: Callable[[], T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        result = work()
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # some failures, as a full disk, have rolled back already
            connection.execute("ROLLBACK")
        raise
    return result


def _log_warning(message: str) -> None:
    import logging

    logging.getLogger("alula.store").warning(message)
