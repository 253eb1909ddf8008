"""Forms for ``async with``, ``async for`` and ``await``.

Streams are a thin adapter over the blocking ones, one thread hop per call. Flyte 1 and Flyte 2 use some names in both
ways, the one blocking and the other awaited; what those return here can be used in both.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import IO, Any, TypeVar

T = TypeVar("T")


async def in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """Call a blocking function in a thread; asyncio is imported only by programs that use it."""
    import asyncio

    return await asyncio.to_thread(function, *arguments)


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
