"""``flyte.durable``: times and sleeps that a task finds as they were when it runs again."""

from __future__ import annotations

import asyncio
import datetime as dt
import time as clock

import alula
from alula.adapting import WithAio


@alula.trace
def _clock_time() -> float:
    return clock.time()


@alula.trace
def _date_and_time() -> dt.datetime:
    return dt.datetime.now()  # noqa: DTZ005 - as Flyte's, without a time zone


async def _time_async() -> float:
    return _clock_time()


async def _now_async() -> dt.datetime:
    return _date_and_time()


def _sleep(seconds: float) -> None:
    """Sleep until so many seconds after the first time that the task came here."""
    clock.sleep(max(0.0, _clock_time() + seconds - clock.time()))


async def _sleep_async(seconds: float) -> None:
    await asyncio.sleep(max(0.0, _clock_time() + seconds - clock.time()))


time = WithAio(_clock_time, _time_async)
now = WithAio(_date_and_time, _now_async)
sleep = WithAio(_sleep, _sleep_async)
