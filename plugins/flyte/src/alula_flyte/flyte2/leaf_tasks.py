"""Tasks whose function is not called: those that only sleep, and those that return their inputs."""

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
    """A task that sleeps."""

    task_type = "flyte-sleep"

    def execute(self, /, **inputs: Any) -> Any:
        """Sleep for as long as the first input says, in seconds or as a timedelta."""
        given = next(iter(inputs.values()), 0)
        seconds = given.total_seconds() if isinstance(given, dt.timedelta) else float(given)
        return asyncio.sleep(seconds) if self.is_async else time.sleep(seconds)


@dataclass(frozen=True)
class Echo:
    """Config of tasks that return their inputs."""


class EchoTask(alula.FunctionTask[Any, Any]):
    """A task that returns its inputs."""

    task_type = "flyte-echo"

    def execute(self, /, **inputs: Any) -> Any:
        """Return the input, or a tuple of the inputs."""
        values = tuple(inputs.values())
        result = values[0] if len(values) == 1 else values
        return asyncio.sleep(0, result) if self.is_async else result
