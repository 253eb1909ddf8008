"""Stopping a plain function that runs longer than it may, in this process."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType


class TimeLimitExceeded(BaseException):  # noqa: N818 - raised into user code, where ``except Exception`` must not stop it
    """The time is up."""


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise `TimeLimitExceeded` in this thread when the block has run for so long.

    In the main thread a timer signal also interrupts system calls that wait, such as a sleep. In another thread the
    exception is raised when the next bytecode runs, so that a call that waits is only stopped after it has returned.
    Code that stays inside one C function is stopped when it comes back, in either case; the ``process`` executor stops
    that too.
    """
    if threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer"):
        with _signal_limit(seconds):
            yield
    else:
        with _thread_limit(seconds):
            yield


@contextlib.contextmanager
def _signal_limit(seconds: float) -> Iterator[None]:
    def expire(_number: int, _frame: FrameType | None) -> None:
        raise TimeLimitExceeded

    started = time.monotonic()
    before_handler = signal.signal(signal.SIGALRM, expire)
    before_left, before_interval = signal.setitimer(signal.ITIMER_REAL, seconds)
    if before_left and before_left <= seconds:  # an enclosing limit ends first: keep its own handler and time
        signal.signal(signal.SIGALRM, before_handler)
        signal.setitimer(signal.ITIMER_REAL, before_left, before_interval)
        yield
        return
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before_handler)
        if before_left:
            left = before_left - (time.monotonic() - started)
            signal.setitimer(signal.ITIMER_REAL, max(left, 0.001), before_interval)


@contextlib.contextmanager
def _thread_limit(seconds: float) -> Iterator[None]:
    import ctypes

    thread = ctypes.c_ulong(threading.get_ident())
    ended = threading.Lock()
    raised = False

    def expire() -> None:
        nonlocal raised
        with ended:
            raised = True
            ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(TimeLimitExceeded))

    timer = threading.Timer(seconds, expire)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        with ended:
            if raised:  # it may not have been delivered yet; nobody outside the block is to get it
                ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, None)
