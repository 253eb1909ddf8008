"""``flyte.extras.Sleep``: tasks that only sleep, for the duration that is their input."""

from __future__ import annotations

import asyncio
import datetime as dt
import time
from dataclasses import dataclass
from typing import Any

import alula


@dataclass(frozen=True)
class Sleep:
    """Config of tasks that only sleep."""


class SleepTask(alula.FunctionTask[Any, Any]):
    """A task that sleeps; its function is not called."""

    task_type = "flyte-sleep"

    def execute(self, /, **inputs: Any) -> Any:
        """Sleep for as long as the first input says, in seconds or as a timedelta."""
        given = next(iter(inputs.values()), 0)
        seconds = given.total_seconds() if isinstance(given, dt.timedelta) else float(given)
        return asyncio.sleep(seconds) if self.is_async else time.sleep(seconds)
