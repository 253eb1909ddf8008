"""The programs of `alula_probe`, written for Flyte 2: run with its Python to measure it in the same run."""

# ruff: noqa: D103 - the names of these programs say what they do

from __future__ import annotations

from collections.abc import Callable

import flyte
from clock import Times, main, median_of
from sizes import CACHE_HITS, CHAIN_LENGTH

# A tenth of what the others map: at more than a millisecond per item, all of them would take a quarter of a minute.
MAPPED_ITEMS = 1_000

env = flyte.TaskEnvironment("bench")


@env.task
async def add_one(x: int) -> int:
    return x + 1


# Local runs of Flyte 2 look into the cache only if its behaviour is "auto".
@env.task(cache="auto")
async def add_one_cached(x: int) -> int:
    return x + 1


@env.task
async def chain(length: int) -> int:
    x = 0
    for _ in range(length):
        x = await add_one(x=x)
    return x


@env.task
async def cached_chain(length: int) -> int:
    x = 0
    for _ in range(length):
        x = await add_one_cached(x=x)
    return x


@env.task
def mapped(length: int) -> int:
    return len(list(flyte.map(add_one, range(length))))


def measure_chain(repetitions: int) -> dict[str, Times]:
    return {"measured": median_of(lambda: flyte.run(chain, length=CHAIN_LENGTH), CHAIN_LENGTH, repetitions)}


def measure_map(repetitions: int) -> dict[str, Times]:
    return {"measured": median_of(lambda: flyte.run(mapped, length=MAPPED_ITEMS), MAPPED_ITEMS, repetitions)}


def measure_cache(repetitions: int) -> dict[str, Times]:
    return {"measured": median_of(lambda: flyte.run(cached_chain, length=CACHE_HITS), CACHE_HITS, repetitions)}


CASES: dict[str, Callable[[int], dict[str, Times]]] = {
    "chain": measure_chain,
    "tree": measure_chain,
    "map": measure_map,
    "cache": measure_cache,
}

if __name__ == "__main__":
    flyte.init()
    main(CASES)
