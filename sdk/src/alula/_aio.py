"""Functions that can be awaited as well: ``log(...)`` and ``await log.aio(...)``."""

from __future__ import annotations

import functools
import types
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
Q = ParamSpec("Q")


class WithAio(Generic[P, R]):
    """A function with an awaitable form.

    Args:
        function: The function; a method of a class keeps working as one.
        awaited: The coroutine function behind `aio`; without it, `aio` calls the function in a thread.
    """

    def __init__(self, function: Callable[P, R], awaited: Callable[P, Coroutine[Any, Any, R]] | None = None) -> None:
        self._function = function
        self._awaited = awaited
        functools.update_wrapper(self, function)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function."""
        return self._function(*args, **kwargs)

    def __repr__(self) -> str:
        return "<function: call it, or await its `aio`>"

    async def aio(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Do the same without blocking the event loop."""
        if self._awaited is not None:
            return await self._awaited(*args, **kwargs)
        import asyncio

        return await asyncio.to_thread(self._function, *args, **kwargs)

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> WithAio[P, R]: ...

    @overload
    def __get__(self: WithAio[Concatenate[T, Q], R], instance: T, owner: type | None = None) -> WithAio[Q, R]: ...

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """Bind it to an object, as a plain function in a class is bound."""
        if instance is None:
            return self
        awaited = None if self._awaited is None else types.MethodType(self._awaited, instance)
        return WithAio(types.MethodType(self._function, instance), awaited)
