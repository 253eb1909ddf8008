"""Tasks of P6 and P7, in a module of their own that worker processes import."""

from __future__ import annotations

from alula import ReusePolicy, TaskEnvironment, map_task, task, workflow

kept = TaskEnvironment("kept", reusable=ReusePolicy(replicas=2))


@task
def add_one(x: int) -> int:
    """Return the next number."""
    return x + 1


@kept.task
def add_one_kept(x: int) -> int:
    """Return the next number, in a worker that is kept."""
    return x + 1


@workflow
def mapped(items: list[int]) -> list[int]:
    """Run a new process for each item."""
    return map_task(add_one)(x=items)


@workflow
def mapped_kept(items: list[int]) -> list[int]:
    """Run each item in one of two kept workers."""
    return map_task(add_one_kept)(x=items)
