"""Stopping a plain function that runs longer than it may, in this process."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")

_AGAIN_SECONDS = 10.0
"""How long code that caught the exception, and goes on, is left alone before it is stopped again."""
_REPEAT_SECONDS = 0.1
"""When an alarm comes again that was not noticed: it is not between a thread's last look for signals and its wait."""
_EARLY_SECONDS = 0.001
"""By how much an alarm may come before its time."""


class TimeLimitExceeded(BaseException):
    """The time is up."""


def run_within(seconds: float, function: Callable[[], T]) -> tuple[bool, T | None]:
    """Run a function for at most so long; after that `TimeLimitExceeded` is raised in it.

    In the main thread a timer signal also interrupts system calls that wait, such as a sleep. In another thread the
    exception is raised when the next bytecode runs, so that a call that waits is only stopped after it has returned.
    Code that stays inside one C function is stopped when it comes back, in either case; the ``process`` executor stops
    that too. Limits may be nested: each stops its own function only.

    Returns:
        ``(True, result)``, or ``(False, None)`` if the time was up.

    Raises:
        Exception: What the function raised.
        TimeLimitExceeded: An enclosing limit was exceeded.
    """
    limit: _SignalLimit | _ThreadLimit
    if threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer"):
        limit = _SignalLimit(seconds)
    else:
        limit = _ThreadLimit(seconds)
    try:
        try:
            limit.start()
            result = function()
        finally:
            limit.stop()
    except TimeLimitExceeded as exceeded:
        limit.stop()  # again: the time may have been up inside the first `stop`
        if not limit.raised(exceeded):
            raise
        return False, None
    return True, result


class _SignalLimit:
    """A limit for the main thread, by the process's timer signal. An alarm that was set before comes in time."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._exceeded = TimeLimitExceeded()
        self._running = False
        self._outer_handler: Any = None
        self._outer_end: float | None = None
        self._outer_interval = 0.0

    def start(self) -> None:
        left, self._outer_interval = signal.getitimer(signal.ITIMER_REAL)
        if left:
            self._outer_end = time.monotonic() + left
        self._outer_handler = signal.signal(signal.SIGALRM, self._expire)
        self._running = True
        _alarm_at(self._next())

    def _next(self) -> float:
        return self._end if self._outer_end is None else min(self._end, self._outer_end)

    def _expire(self, number: int, frame: FrameType | None) -> None:
        if time.monotonic() < self._next() - _EARLY_SECONDS:  # somebody else's alarm, or one more
            _alarm_at(self._next())
            return
        if self._outer_end is not None and self._outer_end <= self._end:
            self._outer_end = self._outer_end + self._outer_interval if self._outer_interval else None
            try:
                if callable(self._outer_handler):
                    self._outer_handler(number, frame)
            finally:
                _alarm_at(self._next())
            return
        self._end += _AGAIN_SECONDS
        _alarm_at(self._next())
        raise self._exceeded

    def stop(self) -> None:
        if not self._running:
            return
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, self._outer_handler)
        self._running = False
        if self._outer_end is not None:
            _alarm_at(self._outer_end, self._outer_interval)

    def raised(self, exceeded: TimeLimitExceeded) -> bool:
        return exceeded is self._exceeded


def _alarm_at(end: float, interval: float = _REPEAT_SECONDS) -> None:
    # A timer of zero would be none at all.
    signal.setitimer(signal.ITIMER_REAL, max(end - time.monotonic(), 0.000_001), interval)


class _Limits:
    """The limits of one thread."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.running = 0
        self.raised_by: _ThreadLimit | None = None
        """Whose exception is on its way, or was not even delivered yet."""


_here = threading.local()


class _ThreadLimit:
    """A limit for other threads: a second thread waits, and raises an exception in the first."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._thread = threading.get_ident()
        self._limits: _Limits = _here.__dict__.setdefault("limits", _Limits())
        self._depth = 0
        # A class of its own, since an exception is raised in another thread by its class.
        self._exceeded = type("TimeLimitExceeded", (TimeLimitExceeded,), {})
        self._stopped = threading.Event()

    def start(self) -> None:
        self._limits.running += 1
        self._depth = self._limits.running
        threading.Thread(target=self._watch, name="alula-time-limit", daemon=True).start()

    def _watch(self) -> None:
        wait = self._seconds
        limits = self._limits
        while not self._stopped.wait(wait):
            with limits.lock:
                if self._stopped.is_set():
                    return
                # An enclosing limit that was exceeded stops this function as well.
                if limits.raised_by is None or limits.raised_by._depth >= self._depth:
                    limits.raised_by = self
                    _raise_in(self._thread, self._exceeded)
            wait = _AGAIN_SECONDS

    def stop(self) -> None:
        limits = self._limits
        with limits.lock:
            self._stopped.set()
            if limits.raised_by is self:
                limits.raised_by = None
                _raise_in(
                    self._thread, None
                )  # if it was not delivered yet, nobody outside of the function is to get it
            if self._depth:
                self._depth = 0
                limits.running -= 1

    def raised(self, exceeded: TimeLimitExceeded) -> bool:
        return type(exceeded) is self._exceeded


def _raise_in(thread: int, exception: type[BaseException] | None) -> None:
    """Raise an exception in a thread, or take back one that was not delivered yet."""
    import ctypes

    raised = None if exception is None else ctypes.py_object(exception)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), raised)
