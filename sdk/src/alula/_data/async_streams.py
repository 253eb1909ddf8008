"""Forms for ``async with``, ``async for`` and ``await``.

Streams are a thin adapter over the blocking ones, one thread hop per call. Flyte 1 and Flyte 2 use some names in both
ways, the one blocking and the other awaited. Where what they return can be used in both ways, it is; where it cannot,
being of another library or ``None``, it is the calling function that decides, see `awaited_in_coroutines`.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import IO, Any, NoReturn, ParamSpec, TypeVar

from alula_kernel.errors import UsageError

P = ParamSpec("P")
T = TypeVar("T")

_COROUTINE = inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR
_COMPREHENSIONS = frozenset({"<genexpr>", "<listcomp>", "<setcomp>", "<dictcomp>"})


async def in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """Call a blocking function in a thread; asyncio is imported only by programs that use it."""
    import asyncio

    return await asyncio.to_thread(function, *arguments)


def awaited_in_coroutines(method: Callable[P, Any]) -> Callable[P, Any]:
    """Have a blocking method awaited where the function that calls it is a coroutine function.

    Flyte 2 awaits these methods in coroutine functions, and has others, in ``_sync``, for plain ones; Flyte 1 calls
    them in plain functions. So who calls tells which is meant. In a coroutine function the method runs in a thread.

    Args:
        method: The method. It is called directly by whoever may await it: a plain function in between gets the result.
    """

    @functools.wraps(method)
    def either(*args: P.args, **kwargs: P.kwargs) -> Any:
        caller = sys._getframe(1)
        while caller.f_code.co_name in _COMPREHENSIONS and caller.f_back is not None:
            caller = caller.f_back
        if caller.f_code.co_flags & _COROUTINE:
            return _Awaited(functools.partial(method, *args, **kwargs), method.__name__)
        return method(*args, **kwargs)

    return either


class _Awaited:
    """What a method that is awaited returns before that; whoever forgot it is told."""

    def __init__(self, call: Callable[[], Any], name: str) -> None:
        self._call = call
        self._name = name

    def __await__(self) -> Generator[Any, None, Any]:
        return in_thread(self._call).__await__()

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):  # asked for by libraries that look at what an object can do
            raise AttributeError(name)
        self._refuse()

    def _refuse(self, *_: Any) -> NoReturn:
        raise UsageError(
            f"{self._name}() was not awaited in a coroutine function",
            hint=f"Write `await ...{self._name}()`, or call {self._name}_sync().",
        )

    __bool__ = __iter__ = __len__ = __getitem__ = _refuse


class AsyncStream:
    """An open stream whose methods are awaited.

    Args:
        stream: The blocking stream.
    """

    def __init__(self, stream: IO[Any]) -> None:
        self._stream = stream

    async def read(self, size: int = -1) -> Any:
        """Read up to `size` bytes or characters, or to the end."""
        return await in_thread(self._stream.read, size)

    async def readline(self) -> Any:
        """Read a line; empty at the end."""
        return await in_thread(self._stream.readline)

    async def readlines(self) -> list[Any]:
        """Read the rest as lines."""
        return await in_thread(self._stream.readlines)

    async def write(self, data: Any) -> int:
        """Write bytes or text and return how much was written."""
        return await in_thread(self._stream.write, data)

    async def seek(self, offset: int, whence: int = 0) -> int:
        """Move to a position, where the protocol allows."""
        return await in_thread(self._stream.seek, offset, whence)

    async def flush(self) -> None:
        """Hand on what is buffered."""
        await in_thread(self._stream.flush)

    def __aiter__(self) -> AsyncStream:
        return self

    async def __anext__(self) -> Any:
        if line := await self.readline():
            return line
        raise StopAsyncIteration


class AsyncOpen:
    """The ``async with`` form of a context manager that gives a stream.

    Args:
        opening: The blocking context manager.
    """

    def __init__(self, opening: AbstractContextManager[IO[Any]]) -> None:
        self._opening = opening

    async def __aenter__(self) -> AsyncStream:
        return AsyncStream(await in_thread(self._opening.__enter__))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await in_thread(self._opening.__exit__, kind, error, traceback)


class Opening(AsyncOpen, AbstractContextManager[IO[Any]]):
    """A file that is being opened: ``with file.open() as stream`` or ``async with file.open() as stream``."""

    def __enter__(self) -> IO[Any]:
        return self._opening.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return self._opening.__exit__(kind, error, traceback)


class AwaitableText(str):
    """A string that is there already, and may be awaited all the same."""

    __slots__ = ()

    def __await__(self) -> Generator[None, None, str]:
        yield from ()
        return str(self)


class AwaitableList(list[T]):
    """A list that is there already, and may be awaited all the same."""

    __slots__ = ()

    def __await__(self) -> Generator[None, None, list[T]]:
        yield from ()
        return list(self)


class EitherIterator(Iterator[T]):
    """An iterator for ``for`` and for ``async for``.

    Args:
        items: What it goes through; None is not among them.
    """

    def __init__(self, items: Iterable[T]) -> None:
        self._items = iter(items)

    def __next__(self) -> T:
        return next(self._items)

    def __aiter__(self) -> EitherIterator[T]:
        return self

    async def __anext__(self) -> T:
        found: T | None = await in_thread(next, self._items, None)
        if found is None:
            raise StopAsyncIteration
        return found
