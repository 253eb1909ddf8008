"""Schedules as Flyte 1 has them."""

from __future__ import annotations

import dataclasses
from typing import Any

import alula


@dataclasses.dataclass(frozen=True)
class Cron:
    """What a schedule says.

    Attributes:
        schedule: Five fields, or a word.
        offset: ISO 8601 duration; None for none.
    """

    schedule: str
    offset: str | None = None


class CronSchedule(alula.CronSchedule):
    """Fires when a cron expression says so.

    Args:
        cron_expression: Not accepted, as in Flyte.
        schedule: As `alula.CronSchedule` takes it.
        settings: More of its arguments.
        named: More of them by name.

    Attributes:
        cron_schedule: What was given.

    Raises:
        ArgumentError: As `alula.CronSchedule` does.
    """

    def __init__(
        self, cron_expression: str | None = None, schedule: str | None = None, *settings: Any, **named: Any
    ) -> None:
        super().__init__(cron_expression, schedule, *settings, **named)
        assert schedule is not None  # or else it would have been refused
        self.cron_schedule = Cron(schedule, self.offset)
