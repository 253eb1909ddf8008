"""Tasks of these tests; workers import them from here."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

import alula
from alula import ReusePolicy, TaskEnvironment, dynamic, map_task, task, workflow


@task
def square(x: int) -> int:
    print("squaring", x)
    return x * x


@task
def total(values: list[int]) -> int:
    return sum(values)


@task
def numbers(n: int) -> list[int]:
    return list(range(n))


@workflow
def sum_of_squares(n: int) -> int:
    return total(values=map_task(square)(x=numbers(n=n)))


@dynamic
def squares_of(n: int) -> list[int]:
    return [square(x=i) for i in range(n)]


@task
def own_pid() -> int:
    return os.getpid()


@task
def refuse(message: str) -> int:
    raise ValueError(message)


@task
def recover(message: str) -> str:
    try:
        refuse(message=message)
    except ValueError as problem:
        return f"{type(problem).__name__}: {problem}"
    return "nothing"


@task
def deep(depth: int) -> int:
    return 0 if depth == 0 else 1 + deep(depth=depth - 1)


@task
async def family(first: int) -> int:
    found = await asyncio.gather(*(child(x=first + n) for n in range(3)))
    return sum(found)


@task
async def child(x: int) -> int:
    return x


@task
async def families(n: int) -> list[int]:
    return list(await asyncio.gather(*(family(first=i) for i in range(n))))


@task
async def crowded(folder: str, x: int) -> int:
    """Return how many parents there were at a time."""
    own = Path(folder, str(x))
    own.touch()
    await asyncio.gather(*(child(x=n) for n in range(3)))
    seen = len(os.listdir(folder))
    own.unlink()
    return seen


@task
async def crowd(folder: str, n: int) -> int:
    return max(await asyncio.gather(*(crowded(folder=folder, x=i) for i in range(n))))


@task(limits=alula.Resources(mem="150Mi"))
def swell(megabytes: int) -> int:
    kept = []
    for _ in range(megabytes):
        kept.append(b"x" * (1 << 20))
        time.sleep(0.001)
    return len(kept)


@task(limits=alula.Resources(mem="100Mi"), retries=alula.RetryStrategy(2, memory_factor=2, memory_cap="150Mi"))
def swell_with_more(megabytes: int) -> int:
    kept = [b"x" * (1 << 20) for _ in range(megabytes)]
    time.sleep(0.1)
    return len(kept)


@task
def give_up_on_memory() -> str:
    try:
        swell(megabytes=400)
    except alula.errors.OOMError as problem:
        return str(problem)
    return "there was enough"


@task(timeout=1)
def sleepy() -> int:
    time.sleep(600)
    return 0


@task
def leave(status: int) -> int:
    sys.exit(status)


@task(environment={"FLAVOUR": "of the task"})
def flavour() -> str:
    return os.environ.get("FLAVOUR", "none")


@task(cache=alula.Cache(version="1"))
def slow_square(x: int, note: str) -> int:
    with open(note, "a") as file:
        file.write("x")
    return x * x


@task
def write_file(folder: str) -> alula.File:
    path = Path(folder, "written.txt")
    path.write_text("content")
    return alula.File(str(path))


@task
def read_file(file: alula.File) -> str:
    return Path(file.download()).read_text()


@workflow
def through_a_file(folder: str) -> str:
    return read_file(file=write_file(folder=folder))


kept = TaskEnvironment("kept", reusable=ReusePolicy(replicas=1))


@kept.task
def kept_pid(n: int) -> int:
    return os.getpid()


@task
def working_folder() -> str:
    return alula.current_context().working_directory


@kept.task
def kept_working_folder() -> str:
    return alula.current_context().working_directory


together = TaskEnvironment("together", reusable=ReusePolicy(replicas=1, concurrency=4))
_met = 0


@together.task
async def meet(n: int) -> int:
    global _met
    _met += 1
    print("meeting", n)
    while _met < 3:
        await asyncio.sleep(0.005)
    return os.getpid()


@task
async def meeting() -> list[int]:
    return list(await asyncio.gather(*(meet(n=n) for n in range(3))))


@workflow
def kept_map(values: list[int]) -> list[int]:
    return map_task(kept_pid)(n=values)
