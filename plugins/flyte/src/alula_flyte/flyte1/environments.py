"""``flytekit.Environment``: settings that tasks share."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import click

from .tasks import dynamic, task


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with others on top; dictionaries in them are merged too, and the first ones stay as they are."""
    result: dict[str, Any] = {name: copy.deepcopy(value) for name, value in below.items()}
    for name in above:
        under, over = result.get(name), above[name]
        result[name] = merged(under, over) if isinstance(under, Mapping) and isinstance(over, Mapping) else over
    return result


class Environment:
    """Settings of the tasks that are made with it.

    Args:
        overrides: Settings, as `task` takes them.

    Raises:
        KeyError: A function is given as a setting.
    """

    def __init__(self, **overrides: Any) -> None:
        if "_task_function" in overrides:
            raise KeyError("an environment holds settings, and no function")
        self.overrides = overrides

    def update(self, **overrides: Any) -> None:
        """Change settings."""
        self.overrides = merged(self.overrides, overrides)

    def extend(self, **overrides: Any) -> Environment:
        """Return another one with more settings."""
        return type(self)(**merged(self.overrides, overrides))

    def __call__(self, _task_function: Callable[..., Any] | None = None, /, **overrides: Any) -> Any:
        """Turn a function into a task.

        Raises:
            ValueError: It is no function.
        """
        return self._made(task, _task_function, overrides)

    task = __call__

    def dynamic(self, _task_function: Callable[..., Any] | None = None, /, **overrides: Any) -> Any:
        """Turn a function into a dynamic task; errors are those of `task`."""
        return self._made(dynamic, _task_function, overrides)

    def _made(self, kind: Callable[..., Any], function: Callable[..., Any] | None, overrides: dict[str, Any]) -> Any:
        if function is not None and not callable(function):
            raise ValueError(f"expected a function, found {type(function).__qualname__}")
        return kind(function, **merged(self.overrides, overrides))

    def show(self) -> None:
        """Print the settings."""
        click.echo(repr(self.overrides))
