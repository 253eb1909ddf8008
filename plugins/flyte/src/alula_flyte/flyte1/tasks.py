"""Tasks as Flyte 1 has them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import alula
from alula.errors import ArgumentError, RecoverableError, UsageError
from alula_kernel.errors import UnknownNameError

from .outputs import default_named_tuple
from .resources import Resources, ResourceSpec
from .task_plugins import TaskPlugins


def task(
    _task_function: Callable[..., Any] | None = None,
    task_config: Any = None,
    *settings: Any,
    resources: alula.Resources | None = None,
    container_image: Any = None,
    **named: Any,
) -> Any:
    """Do what `alula.task` does, but retry after recoverable exceptions only.

    Args:
        task_config: Config of a plugin. One that nobody knows is ignored: the function runs as it is.
        settings: More settings by position, as `alula.task` takes them.
        resources: A single value is a request without a limit.
        container_image: Kept with the task, and not used: Flyte's local runs use the Python that is there. What it installs are
            Flyte's packages, with which Alula's workers can do nothing.
        named: Settings, as `alula.task` takes them.

    Returns:
        The task, or a decorator that makes it.

    Raises:
        UsageError: A setting is unknown or wrong, or a parameter has no annotation.
    """
    _check(named)
    if resources is not None:
        if named.get("requests") is not None or named.get("limits") is not None:
            raise UsageError("resources cannot be given together with requests or limits")
        apart = ResourceSpec.from_multiple_resource(resources)
        named.update(requests=apart.requests, limits=apart.limits)
    needs = ResourceSpec(named.get("requests") or Resources(), named.get("limits") or Resources())
    named.setdefault("retry_on", (RecoverableError,))
    if not settings and not named.get("cache"):
        named.pop("cache_version", None)  # Flyte takes a version for the day on which caching is switched on
    made_by = TaskPlugins.find_pythontask_plugin(type(task_config)) if task_config is not None else None
    if made_by is not None:
        named["task_class"] = functools.partial(_made_by_plugin, made_by)
    elif task_config is not None and not _knows(task_config):
        task_config = None
    decorate: Any = alula.task

    def named_outputs(function: Callable[..., Any]) -> Any:
        made = decorate(function, task_config, *settings, **named)
        made.output_class = default_named_tuple
        made.container_image = container_image
        made.resources = needs
        return made

    return named_outputs if _task_function is None else named_outputs(_task_function)


def _check(named: dict[str, Any]) -> None:
    if named.get("node_dependency_hints") is not None and named.get("execution_mode") != "dynamic":
        raise ArgumentError(
            "node_dependency_hints should only be used on dynamic tasks",
            hint="What other tasks and workflows call is known without them: leave them out.",
        )
    if named.get("cache") is True and not named.get("cache_version"):
        raise ArgumentError(
            "cache=True was given without cache_version",
            hint='Write cache_version="1.0", and another one whenever the result would change, or cache=Cache(version="1.0").',
        )


def _made_by_plugin(plugin: Callable[..., Any], function: Callable[..., Any], *, config: Any, **settings: Any) -> Any:
    return plugin(task_config=config, task_function=function, **settings)


def _knows(task_config: Any) -> bool:
    try:
        alula.current_app().task_class_for(task_config)
    except UnknownNameError:
        return False
    return True


def dynamic(_task_function: Callable[..., Any] | None = None, **settings: Any) -> Any:
    """Do what `alula.dynamic` does, but retry after recoverable exceptions only.

    Args:
        settings: As `task` takes them.
    """
    return task(_task_function, execution_mode="dynamic", **settings)
