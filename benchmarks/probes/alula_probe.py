"""Alula's side of P3, P4, P5 and P16, each with its floor timed just before and after it in the same process."""

# ruff: noqa: D103 - the names of these programs say what they do

from __future__ import annotations

import asyncio
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clock import Times, main, median_of, middle, once
from sizes import CACHE_HITS, CHAIN_LENGTH, COMPILED_NODES, MAPPED_ITEMS

from alula import TaskEnvironment, current_app, map_task, run, task, workflow

env = TaskEnvironment("bench")


# --- what is measured -------------------------------------------------------------------------------------------------


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


@env.task
async def add_one_async(x: int) -> int:
    return x + 1


@env.task
async def tree(length: int) -> int:
    x = 0
    for _ in range(length):
        x = await add_one_async(x=x)
    return x


# --- floors -----------------------------------------------------------------------------------------------------------


def plain_calls(count: int) -> int:
    """Call a plain Python function in a chain."""

    def plain_add_one(x: int) -> int:
        return x + 1

    x = 0
    for _ in range(count):
        x = plain_add_one(x)
    return x


def asyncio_tasks(count: int) -> int:
    """Make an asyncio task and await it, in a chain."""

    async def plain_add_one(x: int) -> int:
        return x + 1

    async def all_of_them() -> int:
        x = 0
        for _ in range(count):
            x = await asyncio.create_task(plain_add_one(x))
        return x

    return asyncio.run(all_of_them())


def plain_nodes(count: int) -> list[Any]:
    """Make a chain of plain objects that know what they are made from, as any graph must."""

    class Node:
        def __init__(self, name: str, function: Callable[..., Any], inputs: dict[str, Any]) -> None:
            self.name = name
            self.function = function
            self.inputs = inputs

    made: list[Any] = []
    for number in range(count):
        made.append(Node(f"n{number}", plain_nodes, {"x": made[-1] if made else 0}))
    return made


@contextmanager
def a_table() -> Iterator[sqlite3.Connection]:
    """Open a new SQLite database in WAL mode, with ``synchronous=NORMAL`` and one table."""
    with tempfile.TemporaryDirectory(dir=os.environ["ALULA_HOME"]) as folder:
        connection = sqlite3.connect(Path(folder) / "floor.db", isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL").fetchone()
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, data BLOB)")
        yield connection
        connection.close()


def row_commits(repetitions: int) -> Times:
    """Commit rows of 200 bytes one by one; return the times of one."""
    with a_table() as connection:

        def commit() -> None:
            for _ in range(CACHE_HITS):
                connection.execute("INSERT INTO rows (data) VALUES (?)", (b"x" * 200,))

        return median_of(commit, CACHE_HITS, repetitions)


def row_reads(repetitions: int) -> Times:
    """Read rows of 200 bytes by key, one by one; return the times of one."""
    with a_table() as connection:
        connection.executemany("INSERT INTO rows (data) VALUES (?)", ((b"x" * 200,) for _ in range(CACHE_HITS)))

        def read() -> None:
            for number in range(CACHE_HITS):
                connection.execute("SELECT data FROM rows WHERE id = ?", (number + 1,)).fetchone()

        return median_of(read, CACHE_HITS, repetitions)


def disk_syncs(repetitions: int) -> Times:
    """Append 200 bytes to a file and wait until the disk has them; return the times of one."""
    with tempfile.NamedTemporaryFile(dir=os.environ["ALULA_HOME"]) as file:

        def append() -> None:
            for _ in range(20):
                file.write(b"x" * 200)
                file.flush()
                os.fdatasync(file.fileno())

        return median_of(append, 20, repetitions)


# --- the cases --------------------------------------------------------------------------------------------------------


def measure_chain(repetitions: int) -> dict[str, Times]:
    """Time a compiled workflow of tasks in a chain, per task."""
    assert chain() == CHAIN_LENGTH
    return {
        "asyncio task": median_of(lambda: asyncio_tasks(CHAIN_LENGTH), CHAIN_LENGTH, repetitions),
        "measured": median_of(chain, CHAIN_LENGTH, repetitions),
        "call": median_of(lambda: plain_calls(CHAIN_LENGTH), CHAIN_LENGTH, repetitions),
    }


def measure_tree(repetitions: int) -> dict[str, Times]:
    """Time an async task that awaits tasks in a chain, per task."""
    assert run(tree, length=CHAIN_LENGTH).result == CHAIN_LENGTH
    return {
        "asyncio task": median_of(lambda: asyncio_tasks(CHAIN_LENGTH), CHAIN_LENGTH, repetitions),
        "measured": median_of(lambda: run(tree, length=CHAIN_LENGTH), CHAIN_LENGTH, repetitions),
        "call": median_of(lambda: plain_calls(CHAIN_LENGTH), CHAIN_LENGTH, repetitions),
    }


def measure_map(repetitions: int) -> dict[str, Times]:
    """Time a map over numbers, per item."""
    items = list(range(MAPPED_ITEMS))
    mapped = map_task(add_one)
    assert mapped(x=items) == [item + 1 for item in items]
    return {
        "call": median_of(lambda: plain_calls(MAPPED_ITEMS), MAPPED_ITEMS, repetitions),
        "measured": median_of(lambda: mapped(x=items), MAPPED_ITEMS, repetitions),
    }


def measure_cache(repetitions: int) -> dict[str, Times]:
    """Time a chain of tasks that are all in the SQLite cache, per task."""
    cached_chain()
    hits = [action.cache for action in run(cached_chain).actions].count("hit")
    assert hits == CACHE_HITS, f"{hits} cache hits, expected {CACHE_HITS}"
    return {
        "row commit": row_commits(repetitions),
        "measured": median_of(cached_chain, CACHE_HITS, repetitions),
        "row read": row_reads(repetitions),
        "append + fdatasync": disk_syncs(repetitions),
    }


def measure_compile(repetitions: int) -> dict[str, Times]:
    """Time the compilation of a chain of nodes, per node, and its growth from a tenth of them."""
    return {
        "plain object": median_of(lambda: plain_nodes(COMPILED_NODES), COMPILED_NODES, repetitions),
        "measured": middle([compile_chain(COMPILED_NODES) for _ in range(repetitions)]),
        "a tenth": middle([compile_chain(COMPILED_NODES // 10) for _ in range(repetitions)]),
    }


def compile_chain(length: int) -> Times:
    """Compile a new workflow of so many nodes; return the times per node."""

    def big(x: int = 0) -> int:
        for _ in range(length):
            x = add_one(x=x)
        return x

    def compile_it() -> None:
        assert len(workflow(big).spec(current_app()).nodes) == length

    return once(compile_it, length)


CASES: dict[str, Callable[[int], dict[str, Times]]] = {
    "chain": measure_chain,
    "tree": measure_tree,
    "map": measure_map,
    "cache": measure_cache,
    "compile": measure_compile,
}

if __name__ == "__main__":
    main(CASES)
