"""Schedules of launch plans."""

from __future__ import annotations

import datetime as dt

from alula_kernel.errors import ArgumentError
from alula_kernel.specs import ScheduleSpec

_ALIASES = {
    "hourly": "0 * * * *",
    "hours": "0 * * * *",
    "daily": "0 0 * * *",
    "days": "0 0 * * *",
    "weekly": "0 0 * * 0",
    "weeks": "0 0 * * 0",
    "monthly": "0 0 1 * *",
    "months": "0 0 1 * *",
    "annually": "0 0 1 1 *",
    "yearly": "0 0 1 1 *",
    "years": "0 0 1 1 *",
}


class CronSchedule:
    """Fires when a cron expression says so.

    Args:
        cron_expression: Not accepted: the six-field form of another scheduler; use `schedule`.
        schedule: Five fields, minute first, or ``hourly``, ``daily``, ``weekly``, ``monthly``, ``yearly``, each also
            with ``@``, and in capitals.
        offset: ISO 8601 duration by which the time given to the input is shifted.
        kickoff_time_input_arg: Input that receives the scheduled time.
        timezone: IANA name of the zone in which the schedule is read.

    Raises:
        ArgumentError: The schedule, the offset or the zone cannot be read.
    """

    def __init__(
        self,
        cron_expression: str | None = None,
        schedule: str | None = None,
        offset: str | None = None,
        kickoff_time_input_arg: str | None = None,
        timezone: str = "UTC",
    ) -> None:
        if cron_expression is not None or schedule is None:
            raise ArgumentError(
                "CronSchedule needs schedule=, five fields with the minute first",
                hint="Write CronSchedule(schedule='0 2 * * *') for two o'clock each night.",
            )
        self.schedule = schedule
        self.offset = offset
        self.kickoff_time_input_arg = kickoff_time_input_arg
        self.timezone = timezone
        expression = _ALIASES.get(schedule.lower().removeprefix("@"), schedule)
        _check_cron(expression, schedule)
        _check_offset(offset)
        _check_zone(timezone)
        self._spec = ScheduleSpec(
            cron=expression, timezone=timezone, kickoff_input=kickoff_time_input_arg or "", offset=offset or ""
        )

    def spec(self) -> ScheduleSpec:
        """Return the spec."""
        return self._spec


class FixedRate:
    """Fires at a fixed rate, the first time one interval after activation.

    Args:
        duration: The interval; whole minutes.
        kickoff_time_input_arg: Input that receives the scheduled time.

    Raises:
        ArgumentError: The interval is not a positive number of whole minutes.
    """

    def __init__(self, duration: dt.timedelta, kickoff_time_input_arg: str | None = None) -> None:
        seconds = duration.total_seconds()
        if seconds <= 0 or seconds % 60:
            raise ArgumentError(f"FixedRate({duration}): expected a positive number of whole minutes")
        self.duration = duration
        self.kickoff_time_input_arg = kickoff_time_input_arg

    def spec(self) -> ScheduleSpec:
        """Return the spec."""
        return ScheduleSpec(
            interval_seconds=self.duration.total_seconds(), kickoff_input=self.kickoff_time_input_arg or ""
        )


def _check_cron(expression: str, written: str) -> None:
    from cronsim import CronSim, CronSimError

    try:
        if len(expression.split()) != 5:
            raise CronSimError(f"{len(expression.split())} fields")
        CronSim(expression, dt.datetime(2000, 1, 1, tzinfo=dt.timezone.utc))
    except CronSimError as problem:
        raise ArgumentError(
            f"schedule {written!r} cannot be read: {problem}",
            hint="Write five fields: minute, hour, day of month, month, day of week, as '0 2 * * 1-5'.",
        ) from None


def _check_offset(offset: str | None) -> None:
    import msgspec

    if offset is None:
        return
    try:
        msgspec.convert(offset, dt.timedelta, strict=False)
    except msgspec.ValidationError:
        raise ArgumentError(f"offset {offset!r} is not an ISO 8601 duration", hint="Write P1D or PT30M.") from None


def _check_zone(name: str) -> None:
    import zoneinfo

    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        raise ArgumentError(
            f"time zone {name!r} is not known", hint="Write an IANA name, as 'Europe/Zurich'."
        ) from None
