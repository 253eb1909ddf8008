"""Cached outputs: when they are used, kept, computed once, and when not."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from alula_kernel.builtin.sqlite_cache import MemoryCache
from alula_kernel.cachekeys import cache_key
from alula_kernel.contracts import Cache, CacheEntry
from alula_kernel.engine import reservations
from alula_kernel.literals import Blob, ListLiteral, MapLiteral, Scalar
from alula_kernel.specs import CacheSpec, RetryPolicy, TimeoutPolicy

CACHED = CacheSpec("1")
SERIALIZED = CacheSpec("1", serialize=True)


def inc(x: int) -> int:
    return x + 1


def test_miss_then_hit(world: Any) -> None:
    task = world.task(inc, cache=CACHED)
    first = world.run(task, {"x": 1}, name="first")
    second = world.run(task, {"x": 1}, name="second")
    assert first.value == second.value == 2
    assert world.log == ["inc"]
    assert (first.root.cache, second.root.cache) == ("populated", "hit")
    assert second.root.cached_from == "first/a0"
    assert second.root.attempts == []
    assert first.root.cache_digest == second.root.cache_digest != ""
    assert world.run(task, {"x": 2}).root.cache == "populated"


def test_what_the_listeners_hear(world: Any) -> None:
    task = world.task(inc, cache=CACHED)
    world.run(task, {"x": 1})
    world.run(task, {"x": 1})
    heard = [(event.phase, event.cache) for event in world.events]
    assert heard == [
        ("queued", ""),
        ("running", "miss"),
        ("succeeded", "populated"),
        ("queued", ""),
        ("succeeded", "hit"),
    ]


def test_without_cache_settings(world: Any) -> None:
    task = world.task(inc)
    assert [world.run(task, {"x": 1}).root.cache for _ in range(2)] == ["", ""]
    assert world.log == ["inc", "inc"]


def test_disabled(world: Any) -> None:
    task = world.task(inc, cache=CACHED)
    world.run(task, {"x": 1})
    result = world.run(task, {"x": 1}, disable_cache=True)
    assert result.root.cache == "disabled"
    assert world.log == ["inc", "inc"]
    other = world.task(inc, cache=CACHED)
    world.run(other, {"x": 1}, disable_cache=True)
    assert len(list(world.cache.entries())) == 1


@pytest.mark.parametrize("spec", [CACHED, SERIALIZED])
def test_overwritten(world: Any, spec: CacheSpec) -> None:
    values = iter([10, 20, 30])
    task = world.task(lambda x: next(values), "draw", cache=spec)
    assert world.run(task, {"x": 1}).value == 10
    result = world.run(task, {"x": 1}, overwrite_cache=True)
    assert (result.value, result.root.cache) == (20, "overwritten")
    assert world.run(task, {"x": 1}).value == 20


def test_failures_are_never_kept(world: Any) -> None:
    def fails_once(x: int) -> int:
        if world.log.count("fails_once") == 1:
            raise ValueError("it broke")
        return x

    task = world.task(fails_once, cache=CACHED)
    first = world.run(task, {"x": 1})
    assert first.error is not None
    assert first.root.cache == "miss"
    assert world.run(task, {"x": 1}).root.cache == "populated"
    assert world.run(task, {"x": 1}).root.cache == "hit"


def test_a_success_after_a_retry_is_kept(world: Any) -> None:
    def flaky(x: int, call: Any) -> int:
        if call.attempt.number == 1:
            raise ValueError("again")
        return x

    task = world.task(flaky, cache=CACHED, retries=RetryPolicy(user=1))
    assert [world.run(task, {"x": 1}).root.cache for _ in range(2)] == ["populated", "hit"]


def test_a_task_without_outputs_is_never_cached(world: Any) -> None:
    """It is run for what it does."""
    task = world.task(lambda x: None, "note", outputs=(), cache=CACHED)
    assert [world.run(task, {"x": 1}).root.cache for _ in range(2)] == ["", ""]
    assert world.log == ["note", "note"]
    assert list(world.cache.entries()) == []


def test_a_dynamic_task_keeps_the_outputs_of_its_graph(world: Any) -> None:
    task = world.task(inc)
    dynamic = world.task(
        lambda x: world.workflow(world.node("d0", task, x=x), outputs=world.ref("d0")),
        "dynamic",
        dynamic=True,
        cache=CACHED,
    )
    assert world.run(dynamic, {"x": 1}).value == 2
    result = world.run(dynamic, {"x": 1})
    assert (result.value, result.root.cache, len(result.actions)) == (2, "hit", 1)


def test_cached_items_of_a_map(world: Any) -> None:
    task = world.task(inc, cache=CACHED)
    world.run(world.map_workflow(task, [1, 2]))
    result = world.run(world.map_workflow(task, [2, 3, 2]))
    assert result.value == [3, 4, 3]
    assert [result.actions[f"a0.m[{i}]"].cache for i in range(3)] == ["hit", "populated", "hit"]


def test_ignored_inputs_and_scopes(world: Any) -> None:
    task = world.task(lambda x, y: x, "t", cache=CacheSpec("1", ignored_inputs=("y",)))
    world.run(task, {"x": 1, "y": 1})
    assert world.run(task, {"x": 1, "y": 2}).root.cache == "hit"
    assert world.run(task, {"x": 1, "y": 2}, project="other").root.cache == "populated"
    assert world.run(task, {"x": 1, "y": 2}, domain="production").root.cache == "populated"
    assert world.run(task, {"x": 1, "y": 2}, cache_scope="global").root.cache == "populated"
    assert world.run(task, {"x": 1, "y": 3}, cache_scope="global", project="other").root.cache == "hit"


def test_outputs_whose_data_is_gone_are_computed_again(make_world: Any, caplog: pytest.LogCaptureFixture) -> None:
    present = {"memory://a", "memory://b"}
    world = make_world(blob_exists=present.__contains__)
    value = ListLiteral([Scalar(1), MapLiteral({"k": Blob("memory://a")}), Blob("memory://b")])
    task = world.task(lambda: value, "files", cache=CACHED)
    assert [world.run(task).root.cache for _ in range(2)] == ["populated", "hit"]
    present.remove("memory://b")
    assert world.run(task).root.cache == "populated"
    assert "the cached outputs of files are gone" in caplog.text
    present.add("memory://b")
    assert world.run(task).root.cache == "hit"


def test_outputs_that_do_not_fit_the_interface_are_computed_again(world: Any) -> None:
    task = world.task(inc, cache=CACHED)
    key = cache_key(task, {"x": Scalar(1)}, project="default", domain="development")
    world.cache.put(CacheEntry(key=key, outputs={"other": Scalar(5)}))
    assert world.run(task, {"x": 1}).value == 2


def test_a_hit_needs_no_slot(world: Any) -> None:
    task = world.task(inc, cache=CACHED)
    world.run(task, {"x": 1})

    async def slow() -> int:
        await asyncio.sleep(0.05)
        world.log.append("slow ended")
        return 1

    flow = world.workflow(world.node("n0", world.task(slow)), world.node("n1", task, x=1))
    result = world.run(flow, max_parallelism=1)
    assert result.actions["a0.n1"].ended_at < result.actions["a0.n0"].ended_at


# --- a cache that does not work ------------------------------------------------------------------------------------------


class BrokenCache(MemoryCache):
    """Raises where it is told to."""

    broken: set[str]

    def get(self, digest: str) -> CacheEntry | None:
        if "get" in self.broken:
            raise OSError("the cache is broken")
        return super().get(digest)

    def put(self, entry: CacheEntry) -> None:
        if "put" in self.broken:
            raise OSError("the cache is broken")
        super().put(entry)


@pytest.mark.parametrize("broken", ["get", "put"])
@pytest.mark.parametrize("spec", [CACHED, SERIALIZED])
def test_a_broken_cache_fails_no_run(
    make_world: Any, broken: str, spec: CacheSpec, caplog: pytest.LogCaptureFixture
) -> None:
    cache = BrokenCache()
    cache.broken = {broken}
    world = make_world(open_cache=lambda: cache)
    task = world.task(inc, cache=spec)
    with caplog.at_level(logging.WARNING, "alula.engine"):
        result = world.run(task, {"x": 1})
    assert result.value == 2
    assert result.root.cache == ("populated" if broken == "get" else "miss")
    assert "the cache could not be read" in caplog.text or "could not be cached" in caplog.text


def test_the_cache_is_opened_once_and_only_when_needed(make_world: Any) -> None:
    opened: list[Cache] = []

    def open_cache() -> Cache:
        time.sleep(0.01)
        opened.append(MemoryCache())
        return opened[0]

    world = make_world(open_cache=open_cache)
    world.run(world.task(inc), {"x": 1})
    assert opened == []
    task = world.task(inc, cache=CACHED)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda x: world.run(task, {"x": x}), range(32)))
    assert len(opened) == 1


# --- computed once -------------------------------------------------------------------------------------------------------


def test_threads_compute_once(world: Any) -> None:
    def slow(x: int) -> int:
        time.sleep(0.1)
        return x

    task = world.task(slow, cache=SERIALIZED)
    with ThreadPoolExecutor(6) as pool:
        results = list(pool.map(lambda _: world.run(task, {"x": 1}), range(6)))
    assert [result.value for result in results] == [1] * 6
    assert world.log == ["slow"]
    assert sorted(result.root.cache for result in results) == ["hit"] * 5 + ["populated"]


def test_without_serialize_threads_compute_at_the_same_time(world: Any) -> None:
    barrier = threading.Barrier(3)

    def meet(x: int) -> int:
        barrier.wait(30)
        return x

    task = world.task(meet, cache=CACHED)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda _: world.run(task, {"x": 1}), range(3)))
    assert len(world.log) == 3


def test_coroutines_compute_once(world: Any) -> None:
    async def slow(x: int) -> int:
        await asyncio.sleep(0.02)
        return x

    task = world.task(slow, cache=SERIALIZED)
    result = world.run(world.map_workflow(task, [1] * 10 + [2] * 10))
    assert result.value == [1] * 10 + [2] * 10
    assert world.log == ["slow", "slow"]


def test_the_cache_is_looked_at_again_after_the_reservation(world: Any) -> None:
    """Somebody else may have finished between the first look and the reservation."""
    task = world.task(inc, cache=SERIALIZED)
    key = cache_key(task, {"x": Scalar(1)}, project="default", domain="development")
    reserve = world.cache.reserve

    def finish_first(digest: str, owner: str, ttl_seconds: float) -> str:
        world.cache.put(CacheEntry(key=key, outputs={"o0": Scalar(77)}, run="other"))
        return reserve(digest, owner, ttl_seconds)

    world.cache.reserve = finish_first
    result = world.run(task, {"x": 1})
    assert (result.value, result.root.cache, world.log) == (77, "hit", [])


@pytest.mark.parametrize("outcome", ["success", "failure", "interrupt"])
def test_the_reservation_is_given_back(world: Any, outcome: str) -> None:
    def run(x: int) -> int:
        if outcome == "failure":
            raise ValueError("it broke")
        if outcome == "interrupt":
            raise KeyboardInterrupt
        return x

    task = world.task(run, cache=SERIALIZED)
    if outcome == "interrupt":
        with pytest.raises(KeyboardInterrupt):
            world.run(task, {"x": 1})
    else:
        world.run(task, {"x": 1})
    digest = cache_key(task, {"x": Scalar(1)}, project="default", domain="development").digest
    assert world.cache.reserve(digest, "somebody", 1) == "somebody"
    assert not any(thread.name == "alula-reservation" for thread in threading.enumerate())


def test_a_failure_lets_the_next_one_compute(world: Any) -> None:
    def fails_once(x: int) -> int:
        time.sleep(0.02)
        if world.log.count("fails_once") == 1:
            raise ValueError("it broke")
        return x

    task = world.task(fails_once, cache=SERIALIZED)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: world.run(task, {"x": 1}), range(4)))
    assert sorted(result.error is None for result in results) == [False, True, True, True]
    assert len(world.log) == 2


def test_an_owner_that_died_is_taken_over(world: Any) -> None:
    task = world.task(inc, cache=SERIALIZED)
    digest = cache_key(task, {"x": Scalar(1)}, project="default", domain="development").digest
    started = time.monotonic()
    assert world.cache.reserve(digest, "the dead one", 0.2) == "the dead one"
    assert world.run(task, {"x": 1}).value == 2
    assert time.monotonic() - started >= 0.19


def test_a_reservation_is_renewed_while_plain_code_runs(world: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reservations, "TTL_SECONDS", 0.15)
    reserve, owners = world.cache.reserve, []

    def noting(digest: str, owner: str, ttl_seconds: float) -> str:
        owners.append(owner)
        return str(reserve(digest, owner, ttl_seconds))

    world.cache.reserve = noting

    def slow(x: int) -> int:
        while len(owners) < 4:
            time.sleep(0.01)
        return x

    assert world.run(world.task(slow, cache=SERIALIZED), {"x": 1}).value == 1
    assert len(set(owners)) == 1


def test_a_renewal_that_fails_is_a_warning(
    world: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(reservations, "TTL_SECONDS", 0.03)
    reserve, calls = world.cache.reserve, []

    def fails_later(digest: str, owner: str, ttl_seconds: float) -> str:
        calls.append(owner)
        if len(calls) > 1:
            raise OSError("the cache is broken")
        return reserve(digest, owner, ttl_seconds)

    world.cache.reserve = fails_later
    task = world.task(lambda x: time.sleep(0.1) or x, "slow", cache=SERIALIZED)
    assert world.run(task, {"x": 1}).value == 1
    assert len(calls) > 2
    assert "could not renew the reservation" in caplog.text


def test_an_owner_that_stands_still_because_of_the_caller_is_not_waited_for(world: Any) -> None:
    """A coroutine holds the reservation, and a plain function beside it calls the same: the loop cannot go on."""
    started = asyncio.Event()

    async def slow(x: int) -> int:
        started.set()
        await asyncio.sleep(0.01)
        return x

    task = world.task(slow, cache=SERIALIZED)

    def plain(call: Any) -> int:
        return call(task, x=1)

    plain_task = world.task(plain)

    async def second(call: Any) -> int:
        await started.wait()
        return call(plain_task)

    flow = world.workflow(world.node("n0", task, x=1), world.node("n1", world.task(second)), outputs=world.ref("n1"))
    assert world.run(flow).value == 1
    assert world.log.count("slow") == 2


def test_waiting_for_a_reservation_ends_at_the_deadline(world: Any) -> None:
    task = world.task(inc, cache=SERIALIZED, timeout=TimeoutPolicy(deadline_seconds=0.1))
    digest = cache_key(task, {"x": Scalar(1)}, project="default", domain="development").digest
    world.cache.reserve(digest, "somebody", 3600)
    result = world.run(world.workflow(world.node("n0", task, x=1)))
    assert result.phases == {"a0.n0": "timed_out"}
    assert world.log == []


def test_an_abort_while_waiting_for_a_reservation(world: Any, in_loop: Any) -> None:
    task = world.task(inc, cache=SERIALIZED)
    digest = cache_key(task, {"x": Scalar(1)}, project="default", domain="development").digest
    world.cache.reserve(digest, "somebody", 3600)

    async def scenario() -> None:
        running = asyncio.ensure_future(world.run_async(task, {"x": 1}, name="r"))
        await asyncio.sleep(0.02)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    in_loop(scenario())
    assert world.actions("r")["a0"].phase.value == "aborted"
    assert world.cache.reserve(digest, "other", 1) == "somebody"
