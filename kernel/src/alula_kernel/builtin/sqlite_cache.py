"""The caches that come with the kernel: one in a SQLite file for a machine, one in memory for tests.

A cache never fails a run. What is damaged is put aside, what cannot be read is a miss, what cannot be written is not
kept; each is told once, as a warning of the logger ``alula.cache``.
"""

from __future__ import annotations

import functools
import os
import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from ..contracts import Cache, CacheEntry
from .sqlite_files import between_processes, fork_guard, inode_of, put_aside

if TYPE_CHECKING:
    import sqlite3

T = TypeVar("T")

MAX_ENTRIES = 100_000
"""Default number of entries after which those that were not used for longest are dropped."""

MAX_BYTES = 1024 * 1024 * 1024
"""Default size of all entries after which those that were not used for longest are dropped."""

_APPLICATION_ID = 0x616C7561  # "alua", so that a database of another program is recognised and left alone
_SCHEMA_VERSION = 1
_BUSY_SECONDS = 5.0
_TRIM_TO = 0.9
_TOUCHES_KEPT = 1_024
_REOPEN_SECONDS = 5.0

_SCHEMA = f"""
CREATE TABLE entries (
    digest TEXT NOT NULL UNIQUE,
    task TEXT NOT NULL,
    created_at REAL NOT NULL,
    used_at REAL NOT NULL,
    size INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    data BLOB NOT NULL
);
CREATE INDEX entries_by_use ON entries (used_at, size);
CREATE TABLE reservations (
    digest TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    expires_at REAL NOT NULL
) WITHOUT ROWID;
PRAGMA application_id = {_APPLICATION_ID};
PRAGMA user_version = {_SCHEMA_VERSION};
"""
_GET = "SELECT checksum, data FROM entries WHERE digest = ?"
_PUT = (
    "INSERT OR REPLACE INTO entries (digest, task, created_at, used_at, size, checksum, data) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_RESERVE = (
    "INSERT INTO reservations (digest, owner, expires_at) VALUES (?, ?, ?) ON CONFLICT (digest) DO UPDATE "
    "SET owner = excluded.owner, expires_at = excluded.expires_at "
    "WHERE owner = excluded.owner OR expires_at <= ?"
)

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(CacheEntry).decode


class _Unusable(Exception):
    """The database cannot be used now, for a reason that is not damage and that was told."""


class SqliteCache(Cache):
    """Keeps outputs in one SQLite file, shared by any number of threads and processes of a machine.

    The file is opened, and made with its folder, at the first use. It is in WAL mode with ``synchronous=NORMAL``: after a
    power cut the newest entries may be gone, but the file is whole. A process that was forked opens it anew.

    Args:
        path: The file.
        max_entries: Entries after which those that were not used for longest are dropped, now and then.
        max_bytes: The same for the size of all entries together; an entry of more than a quarter of it is not kept.
    """

    name = "sqlite"

    def __init__(
        self, path: str | os.PathLike[str], *, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES
    ) -> None:
        self.path = os.path.abspath(os.path.expanduser(path))
        self.max_entries = max_entries
        self.max_bytes = max_bytes
        self._lock = threading.RLock()
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._inherited: list[sqlite3.Connection] = []
        self._touched: set[str] = set()
        self._puts_until_trim = self._trim_interval()
        self._retry_at = 0.0
        self._warned: set[str] = set()
        fork_guard().watch(self)

    # --- the contract ------------------------------------------------------------------------------------------------

    def get(self, digest: str) -> CacheEntry | None:
        return self._run("read", lambda connection: self._load(connection, digest, touch=True), None)

    def put(self, entry: CacheEntry) -> None:
        data = _encode(entry)
        if len(data) > self.max_bytes // 4:
            task = entry.key.task
            self._warn(f"large {task}", "outputs of %s are too large to be cached: %d bytes", task, len(data))
            return
        now = time.time()
        row = (
            entry.key.digest,
            entry.key.task,
            entry.created_at or now,
            now,
            len(data),
            zlib.crc32(data),
            data,
        )
        self._run("write", lambda connection: self._store(connection, row), None)

    def delete(self, digest: str) -> bool:
        def delete(connection: sqlite3.Connection) -> bool:
            return connection.execute("DELETE FROM entries WHERE digest = ?", (digest,)).rowcount > 0

        return self._run("write", delete, False)

    def entries(self, task: str = "") -> Iterator[CacheEntry]:
        def digests(connection: sqlite3.Connection) -> list[str]:
            rows = connection.execute(
                "SELECT digest FROM entries WHERE ? IN ('', task) ORDER BY created_at DESC, rowid DESC", (task,)
            )
            return [digest for (digest,) in rows]

        # Entry by entry, so that a slow reader holds no transaction open and the data of all is never in memory.
        nothing: list[str] = []
        for digest in self._run("read", digests, nothing):
            entry = self._run("read", functools.partial(self._load, digest=digest, touch=False), None)
            if entry is not None:
                yield entry

    def clear(self, task: str = "") -> int:
        def clear(connection: sqlite3.Connection) -> int:
            count = connection.execute("DELETE FROM entries WHERE ? IN ('', task)", (task,)).rowcount
            if not task:
                self._give_back(connection)
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            return count

        return self._run("write", clear, 0)

    def reserve(self, digest: str, owner: str, ttl_seconds: float) -> str:
        def reserve(connection: sqlite3.Connection) -> str:
            now = time.time()

            def take_or_look() -> str:
                connection.execute(_RESERVE, (digest, owner, now + ttl_seconds, now))
                (holder,) = connection.execute("SELECT owner FROM reservations WHERE digest = ?", (digest,)).fetchone()
                return str(holder)

            return self._in_transaction(connection, take_or_look)

        # Without a database nobody can hold a reservation, and the work must be done.
        return self._run("write", reserve, owner)

    def release(self, digest: str, owner: str) -> None:
        self._run(
            "write",
            lambda c: c.execute("DELETE FROM reservations WHERE digest = ? AND owner = ?", (digest, owner)),
            None,
        )

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                try:
                    self._flush_touches(self._connection)
                except Exception:  # noqa: BLE001 - which entries were used is worth no warning
                    pass
            self._disconnect()

    def __del__(self) -> None:
        connection = getattr(self, "_connection", None)
        if connection is not None:
            connection.close()

    # --- rows --------------------------------------------------------------------------------------------------------

    def _load(self, connection: sqlite3.Connection, digest: str, *, touch: bool) -> CacheEntry | None:
        row = connection.execute(_GET, (digest,)).fetchone()
        if row is None:
            return None
        checksum, data = row
        try:
            if zlib.crc32(data) != checksum:
                raise ValueError("its checksum differs")
            entry = _decode(data)
        except (ValueError, TypeError, msgspec.MsgspecError) as error:
            self._warn("", "the entry %s of the cache %s is damaged and was removed: %s", digest, self.path, error)
            connection.execute("DELETE FROM entries WHERE digest = ?", (digest,))
            return None
        if touch:
            self._touched.add(digest)
            if len(self._touched) >= _TOUCHES_KEPT:
                self._flush_touches(connection)
        return entry

    def _store(self, connection: sqlite3.Connection, row: tuple[Any, ...]) -> None:
        connection.execute(_PUT, row)
        self._puts_until_trim -= 1
        if self._puts_until_trim <= 0:
            self._puts_until_trim = self._trim_interval()
            self._trim(connection)

    def _trim_interval(self) -> int:
        """Return after how many entries it is worth counting them all."""
        return max(1, min(1_000, self.max_entries // 10))

    def _trim(self, connection: sqlite3.Connection) -> None:
        """Drop the entries that were not used for longest, if there are too many or they are too large."""
        self._flush_touches(connection)
        connection.execute("DELETE FROM reservations WHERE expires_at <= ?", (time.time(),))
        count, size = self._extent(connection)
        if count <= self.max_entries and size <= self.max_bytes:
            return
        doomed = []
        for rowid, entry_size in connection.execute("SELECT rowid, size FROM entries ORDER BY used_at, rowid"):
            if count <= self.max_entries * _TRIM_TO and size <= self.max_bytes * _TRIM_TO:
                break
            doomed.append((rowid,))
            count, size = count - 1, size - entry_size
        self._in_transaction(connection, lambda: connection.executemany("DELETE FROM entries WHERE rowid = ?", doomed))
        self._give_back(connection)

    @staticmethod
    def _give_back(connection: sqlite3.Connection) -> None:
        """Return free pages to the file system; only a script is run to its end, `execute` would free one page."""
        connection.executescript("PRAGMA incremental_vacuum")

    @staticmethod
    def _extent(connection: sqlite3.Connection) -> tuple[int, float]:
        """Return the number of entries and their size; an index has both, so no entry is read."""
        count, size = connection.execute("SELECT count(*), total(size) FROM entries").fetchone()
        return count, size

    def _flush_touches(self, connection: sqlite3.Connection) -> None:
        """Write down which entries were used; doing it for each use would make every hit a write.

        While there is room for as many entries again, nothing will be dropped for long, and it is not worth a write.
        """
        touched, self._touched = self._touched, set()
        if not touched:
            return
        count, size = self._extent(connection)
        if count > self.max_entries // 2 or size > self.max_bytes // 2:
            now = time.time()
            rows = [(now, digest) for digest in touched]
            update = "UPDATE entries SET used_at = ? WHERE digest = ?"
            self._in_transaction(connection, lambda: connection.executemany(update, rows))

    @staticmethod
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

    # --- the database ------------------------------------------------------------------------------------------------

    def _run(self, doing: str, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """Do something with the database; if that is not possible, warn and return `otherwise`."""
        with self._lock:
            try:
                return work(self._connection or self._open())
            except _Unusable:
                return otherwise
            except Exception as error:  # noqa: BLE001 - sorted out there
                failure = error
            return self._run_again(doing, failure, work, otherwise)

    def _run_again(self, doing: str, failure: Exception, work: Callable[[sqlite3.Connection], T], otherwise: T) -> T:
        """Mend a damaged database and do it again; with any other failure of the database, do without."""
        import sqlite3

        try:
            # Damage is the only failure without a subclass of its own: SQLITE_CORRUPT and SQLITE_NOTADB.
            if type(failure) is not sqlite3.DatabaseError:
                raise failure
            self._move_aside(failure)
            return work(self._open())
        except _Unusable:
            return otherwise
        except (sqlite3.Error, OSError) as error:
            self._warn(str(error), "cannot %s the cache %s: %s; the run goes on without it", doing, self.path, error)
            self._disconnect()
            self._retry_at = time.monotonic() + _REOPEN_SECONDS
            return otherwise

    def _disconnect(self) -> None:
        """Close the connection, whatever state it is in."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                connection.close()
            except Exception:  # noqa: BLE001 - closing writes; that a damaged file cannot be written is known
                pass

    def _open(self) -> sqlite3.Connection:
        """Open the database, and make it if there is none."""
        import sqlite3

        if time.monotonic() < self._retry_at:
            raise _Unusable
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        with between_processes(self.path):
            connection = self._connection = sqlite3.connect(
                self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=32
            )
            self._inode = inode_of(self.path)
            self._prepare(connection)
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Set up a connection, and the tables if the file is new."""
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA cache_size = -16384")  # KiB; taken only as it fills
        if self._is_new(connection):
            self._create_tables(connection)
        if self._identity(connection) != (_APPLICATION_ID, _SCHEMA_VERSION):
            self._disconnect()
            self._retry_at = float("inf")
            self._warn(
                "foreign",
                "%s is a database of another program, or of another version of Alula, and is left alone; nothing is "
                "cached; choose another file for the cache",
                self.path,
            )
            raise _Unusable

    def _is_new(self, connection: sqlite3.Connection) -> bool:
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return not tables and self._identity(connection) == (0, 0)

    @staticmethod
    def _identity(connection: sqlite3.Connection) -> tuple[int, int]:
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        return application, version

    def _create_tables(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA auto_vacuum = INCREMENTAL")
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        self._in_transaction(connection, lambda: [connection.execute(statement) for statement in _SCHEMA.split(";")])

    def _move_aside(self, error: Exception) -> None:
        """Put a damaged database aside."""
        self._disconnect()
        aside = put_aside(self.path, self._inode, "corrupt")
        if aside:
            self._inode = 0
            self._warn(
                "", "the cache %s is damaged (%s); it was moved to %s and a new one begun", self.path, error, aside
            )

    def before_fork(self) -> None:
        """Wait until no thread is inside the database, and keep it so: a lock of SQLite's would stay locked in the child."""
        self._lock.acquire()

    def after_fork_in_parent(self) -> None:
        """Let other threads go on."""
        self._lock.release()

    def after_fork_in_child(self) -> None:
        """Begin anew: SQLite forbids to use a connection that was opened before a fork, and even to close it."""
        self._lock = threading.RLock()
        if self._connection is not None:
            self._inherited.append(self._connection)
            self._connection = None
        self._touched = set()

    def _warn(self, once: str, message: str, *arguments: object) -> None:
        """Log a warning; the second of the same kind is left out.

        Args:
            once: The kind; empty to log it each time.
            message: As for `logging`.
            arguments: As for `logging`.
        """
        import logging

        if once in self._warned:
            return
        if once:
            self._warned.add(once)
        logging.getLogger("alula.cache").warning(message, *arguments)


class MemoryCache(Cache):
    """Keeps outputs in memory, for tests and for programs that run once.

    Args:
        max_entries: Entries after which the one that was not used for longest is dropped.
    """

    name = "memory"

    def __init__(self, *, max_entries: int = MAX_ENTRIES) -> None:
        self.max_entries = max_entries
        self._entries: OrderedDict[str, CacheEntry] = OrderedDict()
        self._reservations: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def get(self, digest: str) -> CacheEntry | None:
        with self._lock:
            entry = self._entries.get(digest)
            if entry is not None:
                self._entries.move_to_end(digest)
            return entry

    def put(self, entry: CacheEntry) -> None:
        with self._lock:
            self._entries[entry.key.digest] = entry
            self._entries.move_to_end(entry.key.digest)
            if len(self._entries) > self.max_entries:
                self._entries.popitem(last=False)

    def delete(self, digest: str) -> bool:
        with self._lock:
            return self._entries.pop(digest, None) is not None

    def entries(self, task: str = "") -> Iterator[CacheEntry]:
        with self._lock:
            found = [entry for entry in reversed(self._entries.values()) if task in {"", entry.key.task}]
        found.sort(key=lambda entry: entry.created_at, reverse=True)
        yield from found

    def clear(self, task: str = "") -> int:
        with self._lock:
            doomed = [digest for digest, entry in self._entries.items() if task in {"", entry.key.task}]
            for digest in doomed:
                del self._entries[digest]
            return len(doomed)

    def reserve(self, digest: str, owner: str, ttl_seconds: float) -> str:
        now = time.monotonic()
        with self._lock:
            holder, expires_at = self._reservations.get(digest, (owner, 0.0))
            if holder != owner and expires_at > now:
                return holder
            self._reservations[digest] = (owner, now + ttl_seconds)
            return owner

    def release(self, digest: str, owner: str) -> None:
        with self._lock:
            if self._reservations.get(digest, ("", 0.0))[0] == owner:
                del self._reservations[digest]
