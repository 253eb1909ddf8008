"""Stopping an attempt in the main thread: by a signal from outside, or by a word of the executor."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_WAKING = signal.SIGURG  # which hardly anything uses, and which is ignored without a handler
_PAUSES_SECONDS = (0.05, 0.2, 1.0)
"""When the main thread is woken again after a signal."""


class AttemptStopped(KeyboardInterrupt):
    """The attempt is to end now. A `KeyboardInterrupt`, for which event loops and user code make way.

    Args:
        reason: Why.
        signal_number: The signal that came from outside; None if the executor stopped the attempt.
    """

    def __init__(self, reason: str, signal_number: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.signal_number = signal_number

    @property
    def by_executor(self) -> bool:
        """Whether the executor stopped it, and not a signal from outside."""
        return self.signal_number is None

    def end_process(self) -> int:
        """End this process as the signal would have, so that its parent sees why; return an exit code otherwise."""
        number = self.signal_number
        if number is None:
            return 1
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
        return 128 + number


class StopSignals:
    """Turns SIGINT and SIGTERM into `AttemptStopped` in the main thread, while it is entered.

    Not in children that a task forks, which are nothing of ours: their signals do what they did before.
    """

    def __init__(self) -> None:
        self._before: dict[signal.Signals, Any] = {}
        self._bell = self._bell_before = -1
        self._running = False
        self._count = 0
        self._stopped: tuple[int, str] | None = None

    def __enter__(self) -> StopSignals:
        bell, self._bell = os.pipe()
        os.set_blocking(self._bell, False)
        self._bell_before = signal.set_wakeup_fd(self._bell, warn_on_full_buffer=False)
        threading.Thread(target=_wake_again, args=(bell,), name="alula-signals", daemon=True).start()
        self._before = {number: signal.signal(number, self._take) for number in _SIGNALS}
        self._before[_WAKING] = signal.signal(_WAKING, lambda _number, _frame: None)
        _entered.append(self)
        return self

    def __exit__(self, *_failure: object) -> None:
        if self in _entered:  # not in a child that the task forked
            _entered.remove(self)
            signal.set_wakeup_fd(self._bell_before)
            os.close(self._bell)
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def leave_forked_child(self) -> None:
        """Give the signals back that are still taken here; called in the child."""
        bell = signal.set_wakeup_fd(-1)
        if bell != self._bell:  # an event loop's of the task
            signal.set_wakeup_fd(bell)
        os.close(self._bell)
        for number in _SIGNALS:
            if signal.getsignal(number) == self._take:  # else the task takes it
                signal.signal(number, self._before[number])

    @contextlib.contextmanager
    def attempt(self) -> Iterator[None]:
        """Say that an attempt runs, which `stop` may stop."""
        self._count += 1
        self._running = True
        try:
            yield
        finally:
            self._running = False

    def stop(self, reason: str) -> None:
        """Stop the attempt that runs now, if one does; called from another thread."""
        if self._running:
            self._stopped = (self._count, reason)
            # A signal also wakes a main thread that sleeps or waits.
            _wake_main_thread(signal.SIGTERM)

    def _take(self, number: int, frame: FrameType | None) -> None:
        stopped, self._stopped = self._stopped, None
        if stopped is None:
            raise AttemptStopped(f"stopped by {signal.Signals(number).name}", number)
        count, reason = stopped
        if self._running and count == self._count:  # else it had ended by itself meanwhile
            raise AttemptStopped(reason)


def _wake_again(bell: int) -> None:
    """See to it that the main thread notices a signal.

    It does not between its last look for signals and the moment when it begins to wait; another signal then wakes it.

    Args:
        bell: Where the system's part of the handlers writes the number of each signal, at once and in any case.
    """
    with open(bell, "rb", buffering=0) as numbers:
        while number := numbers.read(1):
            if number[0] in _SIGNALS:
                for pause in _PAUSES_SECONDS:
                    time.sleep(pause)
                    _wake_main_thread(_WAKING)


_entered: list[StopSignals] = []


def _leave_forked_child() -> None:
    # A handler in Python would not do: one is not noticed in long C calls, nor by a sleep that begins just then.
    while _entered:
        _entered.pop().leave_forked_child()


os.register_at_fork(after_in_child=_leave_forked_child)


def _wake_main_thread(number: signal.Signals) -> None:
    signal.pthread_kill(threading.main_thread().ident or 0, number)
