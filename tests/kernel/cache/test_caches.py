"""The promises of the cache contract, for both built-in caches."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alula_kernel.builtin.sqlite_cache import MemoryCache, SqliteCache
from alula_kernel.contracts import Cache, CacheEntry, CacheKey
from alula_kernel.literals import Blob, ListLiteral, Literal, MapLiteral, Scalar


def entry(digest: str, value: int = 1, *, task: str = "m.f", created_at: float = 1.0) -> CacheEntry:
    key = CacheKey(
        digest=digest,
        project="p",
        domain="d",
        task=task,
        version="1",
        interface="i",
        inputs={"x": digest},
    )
    return CacheEntry(key=key, outputs={"o0": Scalar(value)}, run="r", action="a0", created_at=created_at)


@pytest.fixture(params=["sqlite", "memory"])
def cache(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Cache]:
    made: Cache = SqliteCache(tmp_path / "deep" / "cache.db") if request.param == "sqlite" else MemoryCache()
    assert made.name == request.param
    yield made
    made.close()


def test_an_entry_comes_back(cache: Cache) -> None:
    assert cache.get("a") is None
    cache.put(entry("a"))
    assert cache.get("a") == entry("a")
    cache.put(entry("a", 2))
    assert cache.get("a") == entry("a", 2)
    assert len(list(cache.entries())) == 1


def test_an_entry_is_deleted(cache: Cache) -> None:
    cache.put(entry("a"))
    assert cache.delete("a")
    assert not cache.delete("a")
    assert cache.get("a") is None


def test_entries_are_newest_first(cache: Cache) -> None:
    for digest, created_at in (("b", 2.0), ("c", 3.0), ("a", 1.0)):
        cache.put(entry(digest, created_at=created_at, task="m.g" if digest == "b" else "m.f"))
    assert [found.key.digest for found in cache.entries()] == ["c", "b", "a"]
    assert [found.key.digest for found in cache.entries("m.f")] == ["c", "a"]
    assert list(cache.entries("m.none")) == []


def test_entries_can_be_deleted_while_they_are_listed(cache: Cache) -> None:
    for digest in "abc":
        cache.put(entry(digest))
    for found in cache.entries():
        cache.delete(found.key.digest)
    assert list(cache.entries()) == []


def test_clear_says_how_many_there_were(cache: Cache) -> None:
    for digest in "abc":
        cache.put(entry(digest, task="m.g" if digest == "b" else "m.f"))
    assert cache.clear("m.f") == 2
    assert [found.key.digest for found in cache.entries()] == ["b"]
    assert cache.clear() == 1
    assert cache.clear() == 0
    cache.put(entry("d"))
    assert cache.get("d") is not None


def test_a_reservation_is_held_renewed_and_given_back(cache: Cache) -> None:
    assert cache.reserve("a", "first", 60) == "first"
    assert cache.reserve("a", "second", 60) == "first"
    assert cache.reserve("a", "first", 60) == "first"
    assert cache.reserve("b", "second", 60) == "second"
    cache.release("a", "second")
    assert cache.reserve("a", "second", 60) == "first"
    cache.release("a", "first")
    cache.release("a", "first")
    assert cache.reserve("a", "second", 60) == "second"


def test_a_reservation_that_was_not_renewed_is_taken_over(cache: Cache) -> None:
    assert cache.reserve("a", "dead", 0.05) == "dead"
    assert cache.reserve("a", "heir", 60) == "dead"
    deadline = time.monotonic() + 60
    while (holder := cache.reserve("a", "heir", 60)) != "heir":
        assert holder == "dead"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert cache.reserve("a", "dead", 60) == "heir"
    cache.release("a", "dead")
    assert cache.reserve("a", "third", 60) == "heir"


def test_one_of_many_threads_gets_the_reservation(cache: Cache) -> None:
    with ThreadPoolExecutor(8) as pool:
        holders = set(pool.map(lambda number: cache.reserve("a", f"owner {number}", 60), range(50)))
    assert len(holders) == 1


def test_many_threads(cache: Cache) -> None:
    def work(number: int) -> bool:
        cache.put(entry(f"{number}", number))
        return cache.get(f"{number}") == entry(f"{number}", number) and cache.get("none") is None

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(400)))
    assert len(list(cache.entries())) == 400


def test_closing_twice_and_going_on(cache: Cache) -> None:
    cache.put(entry("a"))
    cache.close()
    cache.close()
    assert cache.get("a") == entry("a")


LITERALS: st.SearchStrategy[Literal] = st.recursive(
    st.one_of(
        st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    ).map(Scalar)
    | st.builds(Blob, uri=st.text(), hash=st.none() | st.text(), size=st.none() | st.integers(0, 2**63 - 1)),
    lambda inner: (
        st.lists(inner, max_size=3).map(ListLiteral) | st.dictionaries(st.text(), inner, max_size=3).map(MapLiteral)
    ),
    max_leaves=8,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(outputs=st.dictionaries(st.text(), LITERALS, max_size=3))
def test_any_outputs_come_back(cache: Cache, outputs: dict[str, Literal]) -> None:
    put = CacheEntry(key=entry("a").key, outputs=outputs)
    cache.put(put)
    assert cache.get("a") == put


def test_entries_that_were_not_used_for_longest_are_dropped(tmp_path: Path) -> None:
    memory, sqlite = MemoryCache(max_entries=100), SqliteCache(tmp_path / "c.db", max_entries=100)
    for cache in (memory, sqlite):
        for number in range(90):
            cache.put(entry(f"{number}"))
        for _ in range(3):
            assert cache.get("0") is not None
        for number in range(90, 120):
            cache.put(entry(f"{number}"))
        kept = {found.key.digest for found in cache.entries()}
        assert len(kept) <= 110
        assert {"0", "119"} <= kept
        assert "1" not in kept
        cache.close()
