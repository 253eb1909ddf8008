"""``flytekit.map_task``."""

from __future__ import annotations

import functools
import typing
from typing import Any

import alula
from alula.errors import ArgumentError

from .eager import EagerTask


def map_task(target: Any, concurrency: int | None = None, *settings: Any, metadata: Any = None, **named: Any) -> Any:
    """Do what `alula.map_task` does, and take settings of each item's task.

    Args:
        target: What is run for each item.
        concurrency: Most items at once; None for the run's own limit, 0 for no limit.
        settings: More settings by position, as `alula.map_task` takes them.
        metadata: A `TaskMetadata`: its ``retries``, ``timeout`` and ``interruptible`` replace those of the task.
        named: More settings by name.

    Raises:
        ArgumentError: The target is a workflow, or a task that calls others.
    """
    _check(target)
    if metadata is not None:
        wanted = {"retries": metadata.retries, "timeout": metadata.timeout, "interruptible": metadata.interruptible}
        given = {name: value for name, value in wanted.items() if value}
        if isinstance(target, functools.partial):
            changed: Any = target.func
            target = functools.partial(changed.override(**given), *target.args, **target.keywords)
        else:
            target = target.override(**given)
    made: Any = array_node(target, concurrency, *settings, **named)
    made.list_type = typing.List  # noqa: UP006 - programs compare
    made.metadata = metadata or getattr(made.mapped_entity, "metadata", None)
    return made


def array_node(target: Any, *settings: Any, **named: Any) -> Any:
    """Do what `alula.map_task` does, and take None for a share of items that is not given.

    Args:
        target: The launch plan or task that is run for each item.
        settings: Settings by position, as `alula.map_task` takes them.
        named: Settings by name.
    """
    if named.get("min_success_ratio", 1.0) is None:
        del named["min_success_ratio"]
    return alula.map_task(target, *settings, **named)


def _check(target: Any) -> None:
    mapped: Any = target.func if isinstance(target, functools.partial) else target
    kind = getattr(mapped, "kind", "")
    if kind == "workflow" or getattr(mapped, "dynamic", False) or isinstance(mapped, EagerTask):
        raise ArgumentError(
            f"map_task takes tasks that call no others, found {mapped.title}",
            hint="Map over a task, or over the launch plan of a workflow.",
        )
