"""``flytekit.eager``: async functions that call tasks, and await them or not."""

from __future__ import annotations

import ast
import functools
import inspect
import textwrap
from collections.abc import Callable, Iterator
from typing import Any

import alula

from .tasks import task

_NOT_LOOKED_AT = ("remote", "client_secret_group", "client_secret_key", "local_entrypoint", "client_secret_env_var")
_TAKE_COROUTINES = frozenset({"as_completed", "create_task", "ensure_future", "gather", "shield", "wait", "wait_for"})


class EagerTask(alula.FunctionTask[..., Any]):
    """An async task that calls plain tasks and workflows in one of two ways, by the version that it was written for.

    They give a coroutine where the function awaits one of them somewhere, as it had to at first, and else their outputs.
    """

    def executable(self) -> Callable[..., Any]:
        """Return what is called with the inputs."""
        function = super().executable()
        awaits = awaits_plain_entities(inspect.unwrap(function))

        @functools.wraps(function)
        async def run(**inputs: Any) -> Any:
            alula.current_context().awaits_calls = awaits
            return await function(**inputs)

        return run


def awaits_plain_entities(function: Callable[..., Any]) -> bool:
    """Tell whether a function awaits a call of a plain task or workflow, by itself or as one of several.

    Args:
        function: An async function; one whose source cannot be read does not.
    """
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError, SyntaxError):
        return False
    names = {**getattr(function, "__globals__", {}), **inspect.getclosurevars(function).nonlocals}
    return any(_is_plain_entity(names.get(name)) for name in _awaited_names(tree))


def _awaited_names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Await) and isinstance(node.value, ast.Call):
            yield from _called(node.value)
        elif isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in _TAKE_COROUTINES:
                for argument in node.args:
                    for inner in ast.walk(argument):
                        yield from _called(inner)


def _called(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        yield node.func.id


def _is_plain_entity(found: Any) -> bool:
    return hasattr(found, "python_interface") and not found.is_async


def eager(_fn: Callable[..., Any] | None = None, **settings: Any) -> Any:
    """Turn an async function into a task that calls others.

    Args:
        settings: As `task` takes them. Those that say how a cluster is reached are not looked at.
    """
    for name in _NOT_LOOKED_AT:
        settings.pop(name, None)
    return task(_fn, task_class=EagerTask, **settings)
