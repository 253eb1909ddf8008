"""``flyte.map``: lists of different lengths are cut to the shortest."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import alula


class Mapper:
    """Calls a task once per item: ``flyte.map(task, items)`` and ``flyte.map.aio(task, items)``."""

    def __call__(
        self,
        func: Any,
        /,
        *args: Iterable[Any],
        group_name: str | None = None,
        concurrency: int = 0,
        return_exceptions: bool = True,
    ) -> Iterator[Any]:
        """Call a task once per item and yield the results in order; an item that failed gives its exception.

        Args:
            func: The task, or a ``functools.partial`` of one.
            args: Values of the inputs that are not bound, as far as the shortest goes.
            group_name: Name under which people see the calls.
            concurrency: Most calls at once; 0 for no limit of one's own.
            return_exceptions: Whether an item that failed gives its exception; if not, the first one is raised.

        Raises:
            TypeError: A partial leaves not exactly one input open.
        """
        _check(func)
        rows = _columns(args)
        if not rows:
            return iter(())
        return alula.map(
            func, *rows, group_name=group_name, concurrency=concurrency, return_exceptions=return_exceptions
        )

    async def aio(
        self,
        func: Any,
        /,
        *args: Iterable[Any],
        group_name: str | None = None,
        concurrency: int = 0,
        return_exceptions: bool = True,
    ) -> AsyncIterator[Any]:
        """Do the same in the caller's event loop: ``async for result in flyte.map.aio(task, items)``."""
        _check(func)
        rows = _columns(args)
        if not rows:
            return
        async for result in alula.map.aio(
            func, *rows, group_name=group_name, concurrency=concurrency, return_exceptions=return_exceptions
        ):
            yield result


def _check(func: Any) -> None:
    if not isinstance(func, functools.partial):
        return
    task: Any = func.func
    inputs = list(task.python_interface.inputs)
    for name in inputs[: len(func.args) + 1]:
        if name in func.keywords:
            raise TypeError(f"the partial of {task.title} gives {name!r} by name, and its values come by position")
    open_inputs = len(inputs) - len(func.args) - len(func.keywords)
    if open_inputs != 1:
        raise TypeError(
            f"a partial that is mapped must leave one input open; that of {task.title} leaves {open_inputs}"
        )


def _columns(iterables: tuple[Iterable[Any], ...]) -> list[list[Any]]:
    """Return the values of each input, cut to the shortest; nothing if there are none."""
    return [list(column) for column in zip(*zip(*iterables))]  # noqa: B905 - the shortest decides


map = Mapper()  # noqa: A001 - the name that users know
