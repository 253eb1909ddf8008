"""``flytekit.eager``: async functions that call tasks and await them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import alula

from .tasks import task

_NOT_LOOKED_AT = ("remote", "client_secret_group", "client_secret_key", "local_entrypoint", "client_secret_env_var")


class EagerTask(alula.FunctionTask[..., Any]):
    """An async task in which a call of any entity is awaited, of plain tasks and workflows as well."""

    def executable(self) -> Callable[..., Any]:
        """Return what is called with the inputs."""
        function = super().executable()

        @functools.wraps(function)
        async def run(**inputs: Any) -> Any:
            alula.current_context().awaits_calls = True
            return await function(**inputs)

        return run


def eager(_fn: Callable[..., Any] | None = None, **settings: Any) -> Any:
    """Turn an async function into a task that calls others and awaits them.

    Args:
        settings: As `task` takes them. Those that say how a cluster is reached are not looked at.
    """
    for name in _NOT_LOOKED_AT:
        settings.pop(name, None)
    return task(_fn, task_class=EagerTask, **settings)
