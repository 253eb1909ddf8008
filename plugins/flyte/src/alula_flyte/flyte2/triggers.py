"""Triggers of tasks. Nothing starts a task by itself on this machine: they are kept, and not looked at."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Cron:
    """Times that a cron expression gives.

    Attributes:
        expression: The expression, with five fields.
        timezone: Name of the time zone.
    """

    expression: str
    timezone: str = "UTC"

    def __str__(self) -> str:
        return f"at {self.expression}"


@dataclass(frozen=True)
class FixedRate:
    """Times at equal distances.

    Attributes:
        interval_minutes: The distance.
        start_time: The first time; None for now.
    """

    interval_minutes: int
    start_time: dt.datetime | None = None

    def __str__(self) -> str:
        return f"every {self.interval_minutes} minutes"


@dataclass(frozen=True)
class OnArtifact:
    """Every new version of an artifact.

    Attributes:
        name: Its name.
        version: The version; None for any.
    """

    name: str
    version: str | None = None


class _Placeholder:
    """Stands for a value that is known when a trigger fires."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


TriggerTime = _Placeholder("TriggerTime")
"""The time for which a trigger fires."""

TriggeredArtifact = _Placeholder("TriggeredArtifact")
"""The artifact for which a trigger fires."""


@dataclass(frozen=True)
class Trigger:
    """What starts a task by itself.

    Attributes:
        name: Its name.
        automation: When.
        description: What it is for.
        auto_activate: Whether it works from the beginning.
        inputs: Inputs of the runs.
        env_vars: Environment variables of the runs.
        interruptible: Whether the runs may use capacity that can be taken away.
        overwrite_cache: Whether the runs compute although there are cached outputs.
        queue: Queue of the runs.
        max_action_concurrency: Most attempts of a run at once.
        labels: Labels of the runs.
        annotations: Annotations of the runs.
        notifications: Who is told of the runs.
        custom_context: Custom context of the runs.
    """

    name: str
    automation: Cron | FixedRate | OnArtifact
    description: str = ""
    auto_activate: bool = True
    inputs: Mapping[str, Any] | None = None
    env_vars: Mapping[str, str] | None = None
    interruptible: bool | None = None
    overwrite_cache: bool = False
    queue: str | None = None
    max_action_concurrency: int | None = None
    labels: Mapping[str, str] | None = None
    annotations: Mapping[str, str] | None = None
    notifications: Any = None
    custom_context: Mapping[str, str] | None = None

    @classmethod
    def minutely(cls, trigger_time_input_key: str | None = None, **fields: Any) -> Trigger:
        """Return a trigger that fires every minute."""
        return cls._every("minutely", "* * * * *", trigger_time_input_key, fields)

    @classmethod
    def hourly(cls, trigger_time_input_key: str | None = None, **fields: Any) -> Trigger:
        """Return a trigger that fires every hour."""
        return cls._every("hourly", "0 * * * *", trigger_time_input_key, fields)

    @classmethod
    def daily(cls, trigger_time_input_key: str | None = None, **fields: Any) -> Trigger:
        """Return a trigger that fires every day at midnight."""
        return cls._every("daily", "0 0 * * *", trigger_time_input_key, fields)

    @classmethod
    def weekly(cls, trigger_time_input_key: str | None = None, **fields: Any) -> Trigger:
        """Return a trigger that fires every Sunday at midnight."""
        return cls._every("weekly", "0 0 * * 0", trigger_time_input_key, fields)

    @classmethod
    def monthly(cls, trigger_time_input_key: str | None = None, **fields: Any) -> Trigger:
        """Return a trigger that fires on the first of every month at midnight."""
        return cls._every("monthly", "0 0 1 * *", trigger_time_input_key, fields)

    @classmethod
    def _every(cls, name: str, expression: str, time_input: str | None, fields: dict[str, Any]) -> Trigger:
        inputs = dict(fields.pop("inputs", None) or {})
        if time_input:
            inputs[time_input] = TriggerTime
        return cls(name=fields.pop("name", name), automation=Cron(expression), inputs=inputs or None, **fields)
