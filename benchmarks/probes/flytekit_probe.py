"""The programs of `alula_probe`, written for flytekit: run with its Python to measure it in the same run."""

# ruff: noqa: D103 - the names of these programs say what they do

from __future__ import annotations

from collections.abc import Callable

from clock import Times, main, median_of, middle, once
from flytekit import map_task, task, workflow
from flytekit.core.workflow import PythonFunctionWorkflow
from sizes import CACHE_HITS, CHAIN_LENGTH, COMPILED_NODES, MAPPED_ITEMS


@task
def add_one(x: int) -> int:
    return x + 1


@task(cache=True, cache_version="1")
def add_one_cached(x: int) -> int:
    return x + 1


@workflow
def chain(x: int = 0) -> int:
    for _ in range(CHAIN_LENGTH):
        x = add_one(x=x)
    return x


@workflow
def cached_chain(x: int = 0) -> int:
    for _ in range(CACHE_HITS):
        x = add_one_cached(x=x)
    return x


def measure_chain(repetitions: int) -> dict[str, Times]:
    return {"measured": median_of(lambda: chain(x=0), CHAIN_LENGTH, repetitions)}


def measure_map(repetitions: int) -> dict[str, Times]:
    items = list(range(MAPPED_ITEMS))
    mapped = map_task(add_one)
    return {"measured": median_of(lambda: mapped(x=items), MAPPED_ITEMS, repetitions)}


def measure_cache(repetitions: int) -> dict[str, Times]:
    return {"measured": median_of(lambda: cached_chain(x=0), CACHE_HITS, repetitions)}


def measure_compile(repetitions: int) -> dict[str, Times]:
    def big(x: int = 0) -> int:
        for _ in range(COMPILED_NODES):
            x = add_one(x=x)
        return x

    def compile_it() -> None:
        made: PythonFunctionWorkflow = workflow(big)
        made.compile()

    return {"measured": middle([once(compile_it, COMPILED_NODES) for _ in range(repetitions)])}


CASES: dict[str, Callable[[int], dict[str, Times]]] = {
    "chain": measure_chain,
    "map": measure_map,
    "cache": measure_cache,
    "compile": measure_compile,
}

if __name__ == "__main__":
    main(CASES)
