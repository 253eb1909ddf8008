"""Waiting for DuckDB so that Ctrl-C and limits of time take effect at once."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import duckdb

T = TypeVar("T")

_POLL_SECONDS = 0.1


class Worker:
    """Calls functions that use a connection in a thread of their own, one after the other.

    Called in the main thread, DuckDB notices a signal late or not at all, and replaces what its handler raised by an error
    of its own; whoever waits for another thread is woken at once.

    Args:
        connection: The connection; whatever runs on it is interrupted when the waiting is.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="alula-duckdb")

    def call(self, function: Callable[[], T]) -> T:
        """Call a function and wait for it.

        Raises:
            BaseException: What the function raised, or what was raised in the thread that waits.
        """
        future = self._pool.submit(function)
        try:
            while not future.done():
                # Exceptions that another thread raises in this one come when it runs, so it must not sleep for long.
                wait([future], _POLL_SECONDS)
        except BaseException:
            self._connection.interrupt()
            wait([future])
            raise
        return future.result()

    def close(self) -> None:
        """Let the thread end. Idempotent."""
        self._pool.shutdown()
