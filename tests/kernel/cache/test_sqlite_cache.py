"""The SQLite cache: several processes, damage, and disks that cannot be read or written."""

from __future__ import annotations

import gc
import logging
import os
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from alula_kernel.builtin import sqlite_cache
from alula_kernel.builtin.sqlite_cache import SqliteCache
from alula_kernel.contracts import CacheEntry, CacheKey
from alula_kernel.literals import Scalar


def entry(digest: str, value: object = 1) -> CacheEntry:
    key = CacheKey(digest=digest, project="p", domain="d", task="m.f", version="1", interface="i", inputs={})
    return CacheEntry(key=key, outputs={"o0": Scalar(value)})  # type: ignore[arg-type]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache.db"


@pytest.fixture
def cache(path: Path) -> Iterator[SqliteCache]:
    made = SqliteCache(path)
    yield made
    made.close()


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    assert all(record.levelno == logging.WARNING for record in caplog.records)
    assert all(record.name == "alula.cache" for record in caplog.records)
    return [record.getMessage() for record in caplog.records]


def start(script: str, *arguments: str, wrapper: list[str] | None = None) -> subprocess.Popen[str]:
    prelude = """
        import os, sys, time, logging
        logging.basicConfig(format="%(name)s: %(message)s")
        from alula_kernel.builtin.sqlite_cache import SqliteCache
        from alula_kernel.contracts import CacheEntry, CacheKey
        from alula_kernel.literals import Scalar

        def entry(digest, value=1):
            key = CacheKey(digest=digest, project="p", domain="d", task="m.f", version="1", interface="i", inputs={})
            return CacheEntry(key=key, outputs={"o0": Scalar(value)})
    """
    command = [*(wrapper or []), sys.executable, "-c", textwrap.dedent(prelude) + textwrap.dedent(script), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> tuple[str, str]:
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return out, err


# --- opening ---------------------------------------------------------------------------------------------------------


def test_nothing_is_opened_before_the_first_use(path: Path) -> None:
    cache = SqliteCache(path)
    assert not path.exists()
    cache.close()
    assert not path.exists()
    assert cache.get("a") is None
    assert path.exists()
    cache.close()


def test_the_database_is_in_wal_mode_and_small_when_closed(cache: SqliteCache, path: Path) -> None:
    cache.put(entry("a"))
    with sqlite3.connect(path) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    cache.close()
    assert {found.name for found in path.parent.iterdir()} == {"cache.db", "cache.db.lock"}


def test_a_cache_that_is_forgotten_warns_of_nothing(path: Path) -> None:
    SqliteCache(path).put(entry("a"))
    gc.collect()
    assert SqliteCache(path).get("a") == entry("a")


def test_an_empty_file_becomes_a_cache(path: Path, cache: SqliteCache) -> None:
    path.touch()
    cache.put(entry("a"))
    assert cache.get("a") == entry("a")


def test_the_database_of_another_program_is_left_alone(
    path: Path, cache: SqliteCache, caplog: pytest.LogCaptureFixture
) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE precious (x)")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    cache.put(entry("a"))
    cache.put(entry("b"))
    assert cache.get("a") is None
    assert cache.reserve("a", "me", 60) == "me"
    assert list(cache.entries()) == []
    assert path.read_bytes() == before
    (message,) = warnings(caplog)
    assert "is a database of another program" in message


def test_a_cache_of_a_later_version_is_left_alone(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = SqliteCache(path)
    cache.put(entry("a"))
    cache.close()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    assert SqliteCache(path).get("a") is None
    assert "of another version of Alula" in warnings(caplog)[0]


# --- damage ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE entries SET data = x'00' WHERE digest = 'a'",
        "UPDATE entries SET data = zeroblob(10), checksum = 3820012610 WHERE digest = 'a'",
        "UPDATE entries SET data = 'text' WHERE digest = 'a'",
        "UPDATE entries SET checksum = 1 WHERE digest = 'a'",
    ],
)
def test_a_damaged_entry_is_a_miss_and_removed(
    cache: SqliteCache, path: Path, change: str, caplog: pytest.LogCaptureFixture
) -> None:
    cache.put(entry("a"))
    cache.put(entry("b"))
    with sqlite3.connect(path) as connection:
        connection.execute(change)
    connection.close()
    assert cache.get("a") is None
    (message,) = warnings(caplog)
    assert "the entry a of the cache" in message
    assert "is damaged and was removed" in message
    assert [found.key.digest for found in cache.entries()] == ["b"]
    cache.put(entry("a"))
    assert cache.get("a") == entry("a")
    assert len(warnings(caplog)) == 1


def test_a_file_that_is_no_database_is_moved_aside(
    path: Path, cache: SqliteCache, caplog: pytest.LogCaptureFixture
) -> None:
    for number in (1, 2):
        path.write_bytes(b"this is not a database, but something else " * 100)
        assert cache.get("a") is None
        cache.put(entry("a"))
        assert cache.get("a") == entry("a")
        cache.close()
        message = warnings(caplog)[-1]
        assert f"is damaged (file is not a database); it was moved to {path}.corrupt-{number}" in message
    assert Path(f"{path}.corrupt-1").read_bytes().startswith(b"this is not a database")
    assert len(warnings(caplog)) == 2


@pytest.mark.parametrize("first", ["get", "put", "delete", "entries", "clear", "reserve", "release"])
def test_whatever_comes_first_finds_the_damage(path: Path, first: str, cache: SqliteCache) -> None:
    path.write_bytes(b"x" * 10_000)
    results = {
        "get": lambda: cache.get("a") is None,
        "put": lambda: cache.put(entry("a")) is None,
        "delete": lambda: cache.delete("a") is False,
        "entries": lambda: list(cache.entries()) == [],
        "clear": lambda: cache.clear() == 0,
        "reserve": lambda: cache.reserve("a", "me", 60) == "me",
        "release": lambda: cache.release("a", "me") is None,
    }
    assert results[first]()
    assert Path(f"{path}.corrupt-1").exists()


def test_damage_in_the_middle_of_the_file(path: Path, cache: SqliteCache, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(500):
        cache.put(entry(f"{number:03}", "x" * 200))
    cache.close()
    size = path.stat().st_size
    with path.open("r+b") as file:
        for offset in range(4_096, size, 4_096):
            file.seek(offset)
            file.write(b"\xff" * 64)
    found = [cache.get(f"{number:03}") for number in range(500)]
    assert None in found
    cache.put(entry("new"))
    assert cache.get("new") == entry("new")
    assert any("is damaged" in message for message in warnings(caplog))
    assert Path(f"{path}.corrupt-1").stat().st_size == size


def test_a_truncated_file(path: Path, cache: SqliteCache) -> None:
    for number in range(500):
        cache.put(entry(f"{number}", "x" * 200))
    cache.close()
    os.truncate(path, 10_000)
    assert [cache.get(f"{number}") for number in range(500)].count(None) > 0
    cache.put(entry("new"))
    assert cache.get("new") == entry("new")


def test_damage_while_the_database_is_open(path: Path, cache: SqliteCache) -> None:
    cache.put(entry("a"))
    other = SqliteCache(path)
    assert other.get("a") == entry("a")
    other.close()
    cache.close()
    first, second = SqliteCache(path), SqliteCache(path)
    assert first.get("a") == second.get("a") == entry("a")
    size = path.stat().st_size
    path.write_bytes(b"\xff" * size)
    for number in range(3):
        for each in (first, second):
            each.put(entry(f"{number}"))
            each.get("a")
    first.close()
    second.close()
    third = SqliteCache(path)
    assert third.get("2") == entry("2")
    third.close()


def test_several_processes_find_the_damage_at_once(path: Path) -> None:
    path.write_bytes(b"x" * 10_000)
    script = """
        cache = SqliteCache(sys.argv[1])
        while time.time() < float(sys.argv[3]):
            pass
        for number in range(20):
            cache.put(entry(f"{sys.argv[2]}-{number}"))
        print(sum(cache.get(f"{sys.argv[2]}-{number}") is not None for number in range(20)))
        cache.close()
    """
    at = str(time.time() + 1)
    processes = [start(script, str(path), str(number), at) for number in range(4)]
    assert [finish(process)[0].strip() for process in processes] == ["20"] * 4
    assert [found.name for found in path.parent.glob("*corrupt*")] == ["cache.db.corrupt-1"]
    cache = SqliteCache(path)
    assert len(list(cache.entries())) == 80
    cache.close()


# --- several processes -----------------------------------------------------------------------------------------------


def test_two_processes_share_the_cache(path: Path) -> None:
    script = """
        cache = SqliteCache(sys.argv[1])
        me, other = sys.argv[2:]
        for number in range(200):
            cache.put(entry(f"{me}-{number}", number))
        deadline = time.time() + 30
        while cache.get(f"{other}-199") is None and time.time() < deadline:
            time.sleep(0.001)
        print(sum(cache.get(f"{other}-{number}") == entry(f"{other}-{number}", number) for number in range(200)))
        cache.close()
    """
    processes = [start(script, str(path), "a", "b"), start(script, str(path), "b", "a")]
    for process in processes:
        out, err = finish(process)
        assert out.strip() == "200"
        assert err == ""


def test_one_of_several_processes_gets_the_reservation(path: Path) -> None:
    script = """
        cache = SqliteCache(sys.argv[1])
        while time.time() < float(sys.argv[3]):
            pass
        print(*(cache.reserve(f"{number}", sys.argv[2], 60) for number in range(100)))
        cache.close()
    """
    at = str(time.time() + 1)
    processes = [start(script, str(path), f"owner{number}", at) for number in range(4)]
    results = [finish(process) for process in processes]
    assert len({out for out, _ in results}) == 1
    assert {err for _, err in results} == {""}


def test_the_reservation_of_a_dead_process_is_taken_over(path: Path, cache: SqliteCache) -> None:
    process = start(
        """
        cache = SqliteCache(sys.argv[1])
        print(cache.reserve("a", "dead", 0.5), flush=True)
        os.kill(os.getpid(), 9)
        """,
        str(path),
    )
    out, _ = process.communicate(timeout=60)
    assert out.strip() == "dead"
    holders = []
    deadline = time.monotonic() + 60
    while (holder := cache.reserve("a", "heir", 60)) != "heir":
        holders.append(holder)
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert set(holders) <= {"dead"}


def test_a_process_killed_while_it_writes_does_no_harm(path: Path, cache: SqliteCache) -> None:
    script = """
        cache = SqliteCache(sys.argv[1])
        number = 0
        while True:
            cache.put(entry(f"{number}", "x" * 1_000))
            number += 1
            print(number, flush=True)
    """
    for _ in range(3):
        process = start(script, str(path))
        assert process.stdout is not None
        for _ in range(100):
            last = int(process.stdout.readline())
        process.kill()
        process.communicate()
        assert all(cache.get(f"{number}") is not None for number in range(last))


def test_a_forked_process_opens_the_file_anew(path: Path, cache: SqliteCache) -> None:
    cache.put(entry("parent"))
    child = os.fork()
    if child == 0:
        ok = cache.get("parent") == entry("parent")
        cache.put(entry("child"))
        cache.close()
        os._exit(0 if ok else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert cache.get("child") == entry("child")
    cache.put(entry("after"))
    assert len(list(cache.entries())) == 3


def test_a_fork_while_another_thread_holds_the_lock(path: Path, cache: SqliteCache) -> None:
    cache.put(entry("a"))
    stop = threading.Event()

    def keep_busy() -> None:
        while not stop.is_set():
            cache.get("a")

    thread = threading.Thread(target=keep_busy)
    thread.start()
    try:
        for _ in range(10):
            child = os.fork()
            if child == 0:
                os._exit(0 if cache.get("a") == entry("a") else 1)
            assert os.waitpid(child, 0)[1] == 0
    finally:
        stop.set()
        thread.join()


# --- what cannot be read or written ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["below a file", "a folder", "a loop of links"])
def test_a_place_that_cannot_be_used(kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    place = {"below a file": "file/cache.db", "a folder": "folder", "a loop of links": "loop/cache.db"}[kind]
    cache = SqliteCache(tmp_path / place)
    for _ in range(3):
        cache.put(entry("a"))
        assert cache.get("a") is None
    assert not cache.delete("a")
    assert cache.clear() == 0
    assert list(cache.entries()) == []
    assert cache.reserve("a", "me", 60) == "me"
    assert cache.reserve("a", "you", 60) == "you"
    cache.release("a", "me")
    cache.close()
    (message,) = warnings(caplog)
    assert str(tmp_path / place) in message
    assert "the run goes on without it" in message


def test_a_place_that_becomes_usable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_cache, "_REOPEN_SECONDS", 0.0)
    (tmp_path / "file").touch()
    cache = SqliteCache(tmp_path / "file" / "cache.db")
    cache.put(entry("a"))
    (tmp_path / "file").unlink()
    cache.put(entry("a"))
    assert cache.get("a") == entry("a")
    cache.close()


def test_a_cache_that_may_only_be_read() -> None:
    script = """
        import fcntl, sqlite3  # now, because the new user may not be allowed to read the standard library
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
        cache = SqliteCache(sys.argv[1])
        for number in range(5):
            cache.put(entry("new"))
            assert cache.get("new") is None
        assert cache.reserve("a", "me", 60) == "me"
        print("went on")
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cache.db"
        cache = SqliteCache(path)
        cache.put(entry("a"))
        cache.close()
        path.chmod(0o444)
        Path(folder).chmod(0o555)
        out, err = finish(start(script, str(path)))
        Path(folder).chmod(0o755)
    assert out.strip() == "went on"
    assert 1 <= err.count("alula.cache: cannot ") <= 2
    assert "Traceback" not in err


FILL = """
    import resource, signal
    if sys.argv[2]:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
    cache = SqliteCache(sys.argv[1])
    cache.put(entry("first"))
    for number in range(100):
        cache.put(entry(f"{number}", "x" * 100_000))
    print("went on")
    cache.close()
    cache = SqliteCache(sys.argv[1])
    print(cache.get("first") == entry("first"), cache.get("99"))
    cache.close()
"""


def test_a_limit_on_file_sizes(path: Path) -> None:
    out, err = finish(start(FILL, str(path), "1000000"))
    assert out == "went on\nTrue None\n"
    assert err.count("alula.cache: cannot write the cache") == 1


def test_a_full_disk(path: Path) -> None:
    """On a small disk of its own where that can be mounted, in a name space that ends with the process; else by limit."""
    mount = ["unshare", "--mount", "--map-root-user", "sh", "-c"]
    command = f'mount -t tmpfs -o size=2m none "{path.parent}" && exec "$@"'
    try:
        can_mount = subprocess.run([*mount, command, "sh", "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        can_mount = False
    out, err = finish(
        start(FILL, str(path), "", wrapper=[*mount, command, "sh"]) if can_mount else start(FILL, str(path), "2000000")
    )
    assert out == "went on\nTrue None\n"
    assert err.count("alula.cache: cannot write the cache") == 1
    assert "full" in err or not can_mount


def test_a_lock_that_is_not_given_back(path: Path, monkeypatch: pytest.MonkeyPatch, cache: SqliteCache) -> None:
    cache.put(entry("a"))
    cache.close()
    monkeypatch.setattr(sqlite_cache, "_BUSY_SECONDS", 0.05)
    monkeypatch.setattr(sqlite_cache, "_REOPEN_SECONDS", 0.0)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    cache.put(entry("b"))
    assert cache.get("a") == entry("a")  # readers do not wait for writers
    assert cache.reserve("c", "me", 60) == "me"
    holder.execute("COMMIT")
    holder.close()
    cache.put(entry("b"))
    assert cache.get("b") == entry("b")


def test_mistakes_of_the_caller_are_not_hidden(cache: SqliteCache) -> None:
    with pytest.raises(TypeError):
        cache.put(CacheEntry(key=entry("a").key, outputs={"o0": object()}))  # type: ignore[dict-item]


# --- size ------------------------------------------------------------------------------------------------------------


def test_the_size_of_all_entries_is_bounded(path: Path) -> None:
    cache = SqliteCache(path, max_entries=50, max_bytes=200_000)
    for number in range(200):
        cache.put(entry(f"{number:03}", "x" * 10_000))
    kept = [found.key.digest for found in cache.entries()]
    assert 10 <= len(kept) <= 25
    assert kept[0] == "199"
    cache.close()
    assert path.stat().st_size < 1_000_000


def test_an_entry_that_is_too_large_is_not_kept(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cache = SqliteCache(path, max_bytes=100_000)
    cache.put(entry("small"))
    for _ in range(2):
        cache.put(entry("large", "x" * 30_000))
    assert cache.get("large") is None
    assert cache.get("small") is not None
    (message,) = warnings(caplog)
    assert message.startswith("outputs of m.f are too large to be cached: 30")
    cache.close()


def test_clearing_gives_the_space_back(path: Path, cache: SqliteCache) -> None:
    for number in range(200):
        cache.put(entry(f"{number}", "x" * 10_000))
    assert cache.clear() == 200
    cache.close()
    assert path.stat().st_size < 100_000


def test_expired_reservations_do_not_pile_up(path: Path) -> None:
    cache = SqliteCache(path, max_entries=10)
    for number in range(50):
        cache.reserve(f"{number}", "me", 0.0)
    for number in range(3):
        cache.put(entry(f"{number}"))
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM reservations").fetchone() == (0,)
    connection.close()
    cache.close()
