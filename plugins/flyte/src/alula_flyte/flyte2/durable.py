"""``flyte.durable.now``: without a time zone."""

from __future__ import annotations

import datetime as dt

import alula
from alula.adapting import WithAio


@alula.trace
def _now() -> dt.datetime:
    """Return the date and time here, without a time zone; a task that runs again gets what it got before."""
    return dt.datetime.now()  # noqa: DTZ005 - as Flyte's


now = WithAio(_now)
