"""``flyte.syncify``: an async function that can be called without awaiting it, and awaited as ``function.aio(...)``."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import functools
import inspect
import threading
import types
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any


class Syncify:
    """Makes functions with both forms; the plain form runs in an event loop of its own, in a thread.

    Args:
        name: Name of the thread.
    """

    def __init__(self, name: str = "flyte_syncify") -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def __call__(self, obj: Any) -> Any:
        """Return an async function, class method or static method in both forms."""
        if isinstance(obj, classmethod):
            return _ClassForm(_Both(self, obj.__func__))
        if isinstance(obj, staticmethod):
            return staticmethod(_Both(self, obj.__func__))
        return _Both(self, obj)

    def loop(self) -> asyncio.AbstractEventLoop:
        """Return the event loop, started at the first call."""
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name=self._name, daemon=True).start()
            return self._loop

    def is_here(self) -> bool:
        """Tell whether this thread runs the event loop."""
        return threading.current_thread().name == self._name


def _hand_over(result: concurrent.futures.Future[Any], ended: asyncio.Task[Any]) -> None:
    if ended.cancelled():
        result.cancel()
    elif (failure := ended.exception()) is not None:
        result.set_exception(failure)
    else:
        result.set_result(ended.result())


class _Both:
    """An async function in both forms."""

    def __init__(self, syncify: Syncify, function: Callable[..., Any]) -> None:
        self._syncify = syncify
        self._function = function
        functools.update_wrapper(self, function)

    def aio(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function itself: a coroutine, or an asynchronous generator."""
        return self._function(*args, **kwargs)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function and block until its result is there; a generator is gone through item by item."""
        made = self._function(*args, **kwargs)
        return self._items(made) if inspect.isasyncgen(made) else self._result(made)

    def _items(self, generator: AsyncIterator[Any]) -> Iterator[Any]:
        ended = object()

        async def following() -> Any:
            return await anext(generator, ended)

        while (item := self._result(following())) is not ended:
            yield item

    def _result(self, coroutine: Any) -> Any:
        loop = self._syncify.loop()
        if self._syncify.is_here():
            coroutine.close()
            raise RuntimeError("the plain form was called in the event loop of the plain forms; await .aio() instead")
        result: concurrent.futures.Future[Any] = concurrent.futures.Future()

        def start() -> None:
            loop.create_task(coroutine).add_done_callback(functools.partial(_hand_over, result))

        # In a callback's context, so that the coroutine finds the context variables of the caller.
        loop.call_soon_threadsafe(start, context=contextvars.copy_context())
        return result.result()

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        """Bind it to an object, as a plain function in a class is bound."""
        return self if instance is None else _Both(self._syncify, types.MethodType(self._function, instance))


class _ClassForm:
    """A class method in both forms."""

    def __init__(self, both: _Both) -> None:
        self._both = both

    def __get__(self, instance: object, owner: type) -> Any:
        return self._both.__get__(owner)


syncify = Syncify()
