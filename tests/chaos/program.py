"""A run of 300 tasks that leave a line in a file when they begin and one when they have done their work."""

from __future__ import annotations

import asyncio
import os
import time

from alula import RetryStrategy, ReusePolicy, TaskEnvironment, current_context, dynamic, map_task, task, workflow

# More kills than there are in a run may hit the same task.
RETRIES = RetryStrategy(0, system=1_000)
env = TaskEnvironment("env")
kept = TaskEnvironment("kept", reusable=ReusePolicy(replicas=2))


def note(what: str) -> None:
    context = current_context()
    line = f"{what} {context.action_name} {context.attempt_number}\n".encode()
    file = os.open(os.environ["CHAOS_EFFECTS"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(file, line)
    os.close(file)


def work(x: int) -> int:
    note("begin")
    time.sleep(x % 7 * 0.004)
    note("end")
    return x + 1


@task(retries=RETRIES)
def step(x: int) -> int:
    return work(x)


@kept.task(retries=RETRIES)
def kept_step(x: int) -> int:
    return work(x)


@task(retries=RETRIES)
def total(values: list[int]) -> int:
    return work(sum(values)) - 1


@dynamic(retries=RETRIES)
def chain(x: int, length: int) -> int:
    note("begin")
    for _ in range(length):
        x = step(x=x)
    note("end")
    return x


@env.task(retries=RETRIES)
async def child(x: int) -> int:
    return work(x)


@env.task(retries=RETRIES)
async def parent(x: int) -> int:
    note("begin")
    found = sum(await asyncio.gather(*(child(x=10 * x + i) for i in range(3))))
    note("end")
    return found


@env.task(retries=RETRIES)
def plain_parent(x: int) -> int:
    note("begin")
    found = sum(kept_step(x=10 * x + i) for i in range(3))
    note("end")
    return found


@task(retries=RETRIES)
def numbers(n: int) -> list[int]:
    work(0)
    return list(range(n))


@workflow
def flow(a: int, b: int, c: int) -> int:
    """Run the tasks of a chain of `a`, of two maps over `b` items each, and of two times `c` parents with three children."""
    first = step(x=0)
    for _ in range(3):
        first = step(x=first)
    items, parents = numbers(n=b), numbers(n=c)
    mapped = [map_task(step)(x=items), map_task(kept_step)(x=items)]
    called = [map_task(parent)(x=parents), map_task(plain_parent)(x=parents)]
    return total(values=[chain(x=first, length=a), *(total(values=values) for values in (*mapped, *called))])
