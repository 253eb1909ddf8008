"""What every `Cache` promises."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from ..contracts import Cache, CacheEntry, CacheKey
from ..literals import (
    Blob,
    Bytes,
    Column,
    Dataset,
    Hashed,
    Json,
    ListLiteral,
    Literal,
    MapLiteral,
    NonFinite,
    Scalar,
    UnionLiteral,
)
from .scenarios import Conformance, needs
from .threads import in_threads

EVERY_LITERAL: dict[str, Literal] = {
    "none": Scalar(None),
    "bool": Scalar(True),
    "int": Scalar(-(2**63)),
    "float": Scalar(0.1),
    "str": Scalar("ä \N{SNOWMAN} \0 'quoted' \"twice\""),
    "nan": NonFinite("nan"),
    "bytes": Bytes(bytes(range(256))),
    "json": Json({"a": [1, None, {"b": "c"}]}),
    "blob": Blob("s3://bucket/a", hash="00", size=1, format="csv", directory=True, name="a", metadata={"k": "v"}),
    "dataset": Dataset("s3://bucket/b", columns=(Column("x", "int64"),), rows=3),
    "list": ListLiteral([Scalar(1), ListLiteral([])]),
    "map": MapLiteral({"": Scalar("empty name"), "x": MapLiteral({})}),
    "union": UnionLiteral("int", Scalar(1)),
    "hashed": Hashed(Scalar("value"), "its hash"),
}


def cache_entry(name: str, *, task: str = "task", outputs: dict[str, Literal] | None = None) -> CacheEntry:
    """Make an entry to try a cache with; the digest follows from the task and the name.

    Args:
        name: Tells entries of one task apart.
        task: Name of the task.
        outputs: The outputs; by default one that is the name.
    """
    key = CacheKey(
        digest=hashlib.sha256(f"{task}/{name}".encode()).hexdigest(),
        project="project",
        domain="domain",
        task=task,
        version="1",
        interface="interface",
        inputs={"x": name},
    )
    made: dict[str, Literal] = {"o0": Scalar(name)} if outputs is None else outputs
    return CacheEntry(key=key, outputs=made, run="run", action="a0", created_at=time.time())


class CacheConformance(Conformance):
    """What a cache promises. A subclass provides `open_cache` and, if it has something to damage, `damage`.

    Attributes:
        is_shared: Whether caches opened by `open_cache` see each other's entries, at the same time.
        is_persistent: Whether entries are still there when the cache was closed and is opened again.
        can_be_damaged: Whether the fixture `damage` exists.
    """

    is_shared = True
    is_persistent = True
    can_be_damaged = True

    @pytest.fixture
    def open_cache(self) -> Callable[[], Cache]:
        """A function that opens the cache under test: always the same one within a test, empty at first."""
        raise NotImplementedError("a subclass of CacheConformance provides the fixture open_cache")

    @pytest.fixture
    def damage(self) -> Callable[[Cache, str], None]:
        """A function that damages the stored entry of a digest, as a bad disk would."""
        raise NotImplementedError("a subclass provides the fixture damage or sets can_be_damaged = False")

    @pytest.fixture
    def cache(self, open_cache: Callable[[], Cache]) -> Iterator[Cache]:
        """The cache under test, open."""
        cache = open_cache()
        yield cache
        cache.close()

    def test_C01_has_a_name(self, cache: Cache) -> None:
        """It is a `Cache` with a name."""
        assert isinstance(cache, Cache)
        assert isinstance(cache.name, str)
        assert cache.name

    def test_C02_missing_entry(self, cache: Cache) -> None:
        """`get` of a key that was never put gives None, `delete` of it False."""
        assert cache.get(cache_entry("a").key.digest) is None
        assert cache.delete(cache_entry("a").key.digest) is False
        assert list(cache.entries()) == []
        assert cache.clear() == 0

    def test_C03_get_what_was_put(self, cache: Cache) -> None:
        """`get` gives every field of the entry that was put."""
        entry = cache_entry("a")
        cache.put(entry)
        assert cache.get(entry.key.digest) == entry

    def test_C04_every_kind_of_literal(self, cache: Cache) -> None:
        """Outputs of every kind of literal come back equal."""
        entry = cache_entry("a", outputs=EVERY_LITERAL)
        cache.put(entry)
        found = cache.get(entry.key.digest)
        assert found is not None
        assert found.outputs == EVERY_LITERAL

    def test_C05_large_entry(self, cache: Cache) -> None:
        """An entry of 4 MB comes back equal."""
        entry = cache_entry("a", outputs={"o0": Bytes(b"0123456789abcdef" * 2**18)})
        cache.put(entry)
        assert cache.get(entry.key.digest) == entry

    def test_C06_replace(self, cache: Cache) -> None:
        """An entry put again under its key replaces the first one."""
        cache.put(cache_entry("a"))
        replacement = cache_entry("a", outputs={"o0": Scalar("second")})
        cache.put(replacement)
        assert cache.get(replacement.key.digest) == replacement
        assert list(cache.entries()) == [replacement]

    def test_C07_delete(self, cache: Cache) -> None:
        """`delete` forgets one entry, tells whether there was one, and leaves the others."""
        gone, kept = cache_entry("gone"), cache_entry("kept")
        cache.put(gone)
        cache.put(kept)
        assert cache.delete(gone.key.digest) is True
        assert cache.delete(gone.key.digest) is False
        assert cache.get(gone.key.digest) is None
        assert cache.get(kept.key.digest) == kept

    def test_C08_entries_newest_first(self, cache: Cache) -> None:
        """`entries` yields all entries, newest first, or those of one task."""
        now = time.time()
        made = [cache_entry(str(i), task="odd" if i % 2 else "even") for i in range(10)]
        made = [_at(entry, now + i) for i, entry in enumerate(made)]
        for entry in made[5:] + made[:5]:
            cache.put(entry)
        assert list(cache.entries()) == made[::-1]
        assert list(cache.entries("odd")) == made[9::-2]
        assert list(cache.entries("neither")) == []

    def test_C09_clear(self, cache: Cache) -> None:
        """`clear` forgets the entries of one task or of all, and says how many."""
        for name in ("1", "2", "3"):
            cache.put(cache_entry(name, task="one"))
        cache.put(cache_entry("1", task="two"))
        assert cache.clear("one") == 3
        assert [entry.key.task for entry in cache.entries()] == ["two"]
        assert cache.clear() == 1
        assert list(cache.entries()) == []

    def test_C10_odd_task_names(self, cache: Cache) -> None:
        """Names of tasks are compared exactly, whatever characters they have."""
        tasks = ["a'; DROP TABLE entries; --", "a", "a%", "a_", "ab", "A%", "ä.\N{SNOWMAN}", "a\nb", "a" * 500]
        for task in tasks:
            cache.put(cache_entry("x", task=task))
        for task in tasks:
            assert [entry.key.task for entry in cache.entries(task)] == [task]
        assert cache.clear("a%") == 1
        assert len(list(cache.entries())) == len(tasks) - 1

    @needs("can_be_damaged")
    def test_C11_damaged_entry(
        self, cache: Cache, damage: Callable[[Cache, str], None], caplog: pytest.LogCaptureFixture
    ) -> None:
        """A damaged entry counts as missing: `get` gives None and logs a warning, the others stay, a new one works."""
        bad, good = cache_entry("bad"), cache_entry("good")
        cache.put(bad)
        cache.put(good)
        damage(cache, bad.key.digest)
        with caplog.at_level(logging.WARNING):
            assert cache.get(bad.key.digest) is None
        assert any(record.levelno == logging.WARNING for record in caplog.records)
        assert cache.get(good.key.digest) == good
        assert list(cache.entries()) == [good]
        cache.put(bad)
        assert cache.get(bad.key.digest) == bad

    @needs("can_be_damaged")
    def test_C12_damaged_entry_in_a_listing(
        self, cache: Cache, damage: Callable[[Cache, str], None], caplog: pytest.LogCaptureFixture
    ) -> None:
        """`entries` passes over a damaged entry, with a warning, and goes on."""
        made = [cache_entry(name) for name in ("1", "2", "3")]
        for entry in made:
            cache.put(entry)
        damage(cache, made[1].key.digest)
        with caplog.at_level(logging.WARNING):
            assert {entry.key.digest for entry in cache.entries()} == {made[0].key.digest, made[2].key.digest}
        assert any(record.levelno == logging.WARNING for record in caplog.records)

    def test_C13_reserve(self, cache: Cache) -> None:
        """The first owner gets the reservation of a key; another is told who has it; other keys are free."""
        assert cache.reserve("key", "first", 60) == "first"
        assert cache.reserve("key", "second", 60) == "first"
        assert cache.reserve("other key", "second", 60) == "second"

    def test_C14_renew(self, cache: Cache) -> None:
        """Reserving again as the same owner renews the reservation from now on."""
        assert cache.reserve("key", "first", 0.2) == "first"
        assert cache.reserve("key", "first", 60) == "first"
        time.sleep(0.3)
        assert cache.reserve("key", "second", 60) == "first"

    def test_C15_take_over(self, cache: Cache) -> None:
        """A reservation that was not renewed in time is taken over, and its first owner is told so."""
        assert cache.reserve("key", "first", 0.05) == "first"
        time.sleep(0.15)
        assert cache.reserve("key", "second", 60) == "second"
        assert cache.reserve("key", "first", 60) == "second"

    def test_C16_release(self, cache: Cache) -> None:
        """`release` gives a reservation back, any number of times; one of another owner is left alone."""
        cache.reserve("key", "first", 60)
        cache.release("key", "second")
        assert cache.reserve("key", "second", 60) == "first"
        cache.release("key", "first")
        cache.release("key", "first")
        assert cache.reserve("key", "second", 60) == "second"
        cache.release("never reserved", "first")

    def test_C17_reservations_and_entries_are_apart(self, cache: Cache) -> None:
        """A reservation is no entry, and clearing the entries leaves reservations alone."""
        entry = cache_entry("a")
        cache.reserve(entry.key.digest, "first", 60)
        assert cache.get(entry.key.digest) is None
        assert list(cache.entries()) == []
        cache.put(entry)
        cache.clear()
        assert cache.reserve(entry.key.digest, "second", 60) == "first"

    def test_C18_threads_put_and_get(self, cache: Cache) -> None:
        """Threads put and get at the same time, and nobody ever sees half an entry."""
        entries = {n: cache_entry("shared", outputs={"o0": Scalar(str(n) * 10_000)}) for n in range(4)}
        digest = entries[0].key.digest

        def work(n: int) -> None:
            for i in range(10):
                cache.put(entries[n])
                own = cache_entry(f"{n}-{i}")
                cache.put(own)
                assert cache.get(own.key.digest) == own
                assert cache.get(digest) in entries.values()

        in_threads(work, 4)
        assert len(list(cache.entries())) == 41

    def test_C19_one_of_many_gets_the_reservation(self, cache: Cache) -> None:
        """Of threads that reserve a key at the same time one gets it, and all are told the same owner."""
        told: list[str] = []
        start = threading.Barrier(8)

        def work(n: int) -> None:
            start.wait()
            told.append(cache.reserve("key", f"owner {n}", 60))

        in_threads(work, 8)
        assert len(told) == 8
        assert len(set(told)) == 1

    @needs("is_shared")
    def test_C20_two_at_once(self, cache: Cache, open_cache: Callable[[], Cache]) -> None:
        """Two open caches see each other's entries and reservations."""
        other = open_cache()
        try:
            entry = cache_entry("a")
            cache.put(entry)
            assert other.get(entry.key.digest) == entry
            assert other.reserve("key", "other", 60) == "other"
            assert cache.reserve("key", "this", 60) == "other"
            assert other.clear() == 1
            assert cache.get(entry.key.digest) is None
        finally:
            other.close()

    @needs("is_persistent")
    def test_C21_opened_again(self, open_cache: Callable[[], Cache]) -> None:
        """Entries are still there when the cache was closed and is opened again."""
        entry = cache_entry("a")
        first = open_cache()
        first.put(entry)
        first.close()
        second = open_cache()
        try:
            assert second.get(entry.key.digest) == entry
        finally:
            second.close()

    def test_C22_close_again(self, open_cache: Callable[[], Cache]) -> None:
        """`close` may be called again, and without the cache having been used."""
        cache = open_cache()
        cache.close()
        cache.close()


def _at(entry: CacheEntry, created_at: float) -> CacheEntry:
    return CacheEntry(key=entry.key, outputs=entry.outputs, run=entry.run, action=entry.action, created_at=created_at)
