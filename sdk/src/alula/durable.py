"""Times, sleeps and random numbers that a task finds as they were when it runs again.

A task that runs again, after a failure or a crash, gets what it got before at the same place, as with `alula.trace`, so that
it takes the same way. Each has an awaitable form: ``await durable.sleep.aio(60)``. Outside of a task nothing is recorded.
"""

from __future__ import annotations

import datetime as dt
import random as chance
import time as clock

from ._aio import WithAio
from ._trace import trace

__all__ = ["now", "random", "sleep", "time"]


def _time() -> float:
    """Return the seconds since the epoch."""
    return clock.time()


def _now() -> dt.datetime:
    """Return the date and time, in UTC."""
    return dt.datetime.now(dt.timezone.utc)


def _random() -> float:
    """Return a random number, at least 0 and less than 1."""
    return chance.random()


def _sleep(seconds: float) -> None:
    """Sleep until so many seconds have gone since the task first came here; the task keeps its place while it sleeps."""
    clock.sleep(max(0.0, _recorded_time() + seconds - clock.time()))


async def _sleep_async(seconds: float) -> None:
    import asyncio

    await asyncio.sleep(max(0.0, _recorded_time() + seconds - clock.time()))


_recorded_time = trace(_time)
time = WithAio(_recorded_time)
now = WithAio(trace(_now))
random = WithAio(trace(_random))
sleep = WithAio(_sleep, _sleep_async)
