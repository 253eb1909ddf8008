"""Settings of tasks as users write them, and as specs hold them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from alula_kernel import specs
from alula_kernel.errors import ArgumentError, CompileError, UnknownNameError, UsageError
from alula_kernel.quantities import parse_quantity

from ._cache import cache_spec, check_ignored_inputs
from ._state import call_site

if TYPE_CHECKING:
    from ._entity import Entity

Duration = dt.timedelta | int | float


class Backoff(msgspec.Struct, frozen=True):
    """Delay between attempts: before the n-th retry, counted from 0, ``min(base * factor**n, cap)``.

    Args:
        base: Delay before the first retry.
        factor: Growth per retry; at least 1.
        cap: Longest delay; must be given if `factor` is more than 1.
        jitter: Share of the delay, 0 to 1, that is drawn at random and taken off.

    Raises:
        ArgumentError: A value is out of its range, or the cap is missing.
    """

    base: Duration
    factor: float = 1.0
    cap: Duration | None = None
    jitter: float = 0.0

    def __post_init__(self) -> None:
        if seconds(self.base) is None or (seconds(self.base) or 0) < 0:
            raise ArgumentError(f"Backoff(base={self.base!r}): expected a duration above 0", location=call_site())
        if self.factor < 1:
            raise ArgumentError(f"Backoff(factor={self.factor!r}): expected at least 1", location=call_site())
        if self.factor > 1 and self.cap is None:
            raise UsageError(
                "Backoff with a factor above 1 has no cap",
                hint="Say cap=timedelta(minutes=5), for example.",
                location=call_site(),
            )
        if not 0 <= self.jitter <= 1:
            raise ArgumentError(f"Backoff(jitter={self.jitter!r}): expected 0 to 1", location=call_site())

    def spec(self) -> specs.Backoff:
        """Return the spec."""
        return specs.Backoff(seconds(self.base) or 0.0, self.factor, seconds(self.cap), self.jitter)


class RetryStrategy(msgspec.Struct, frozen=True):
    """How often and with what delay a task is tried again.

    Args:
        count: Retries; the task runs at most ``count + 1`` times.
        backoff: Delay between attempts; None for none.
        system: Retries after failures of the platform, as a process that was killed from outside or a machine that was taken
            away, counted apart; None to have `count` count every failed attempt, whatever made it fail.
        memory_factor: By how much the memory that the task asked for grows with each attempt that ran out of it.
        memory_cap: To how much it grows at most, as ``"16Gi"``; None for no limit.

    Raises:
        ArgumentError: A value is out of its range.
    """

    count: int
    backoff: Backoff | None = None
    system: int | None = 3
    memory_factor: float = 1.0
    memory_cap: str | None = None

    def __post_init__(self) -> None:
        if self.memory_factor < 1:
            raise ArgumentError(f"RetryStrategy(memory_factor={self.memory_factor!r}): expected at least 1")
        if self.memory_cap is not None:
            parse_quantity(self.memory_cap)


class Timeout(msgspec.Struct, frozen=True):
    """Limits of a task; None or 0 is unlimited, numbers are seconds.

    Args:
        max_runtime: One attempt, from its start.
        max_queued_time: One attempt, waiting to start.
        deadline: The whole action, from when it was first queued, across attempts.
    """

    max_runtime: Duration | None = None
    max_queued_time: Duration | None = None
    deadline: Duration | None = None


def seconds(value: Duration | None) -> float | None:
    """Return a duration in seconds; None and 0 mean no limit."""
    if not value:
        return None
    return value.total_seconds() if isinstance(value, dt.timedelta) else float(value)


def retry_policy(retries: int | RetryStrategy) -> specs.RetryPolicy:
    """Return the spec of ``retries``.

    Raises:
        ArgumentError: It is negative or not a number.
    """
    if isinstance(retries, RetryStrategy):
        backoff = retries.backoff.spec() if retries.backoff is not None else None
        return specs.RetryPolicy(
            user=_count(retries.count),
            system=None if retries.system is None else _count(retries.system),
            backoff=backoff,
            memory_factor=retries.memory_factor,
            memory_cap=retries.memory_cap or "",
        )
    return specs.RetryPolicy(user=_count(retries))


def _count(retries: object) -> int:
    if not isinstance(retries, int) or isinstance(retries, bool) or retries < 0:
        raise ArgumentError(f"retries: expected a whole number of at least 0, or a RetryStrategy, found {retries!r}")
    return retries


def timeout_policy(timeout: Duration | Timeout | None) -> specs.TimeoutPolicy:
    """Return the spec of ``timeout``.

    Raises:
        ArgumentError: It is negative or not a duration.
    """
    if not isinstance(timeout, Timeout):
        timeout = Timeout(max_runtime=timeout)
    limits = []
    for value in (timeout.max_runtime, timeout.max_queued_time, timeout.deadline):
        if value is not None and not isinstance(value, (int, float, dt.timedelta)):
            raise ArgumentError(f"timeout: expected seconds, a timedelta or a Timeout, found {value!r}")
        limit = seconds(value)
        if limit is not None and limit < 0:
            raise ArgumentError(f"timeout: expected a positive duration, found {value!r}")
        limits.append(limit)
    return specs.TimeoutPolicy(*limits)


_CACHE_SETTINGS = ("cache", "cache_version", "cache_serialize", "cache_ignore_input_vars")
_RESOURCE_SETTINGS = ("requests", "limits", "resources", "accelerator", "shared_memory")


def override_fields(
    entity: Entity | None, before: specs.Overrides | None, settings: Mapping[str, Any], task_config: Any, location: str
) -> specs.Overrides:
    """Turn the settings of one call into overrides of a task's spec, on top of earlier ones.

    Raises:
        UsageError: A setting is unknown or wrong, or the node runs something without settings.
    """
    try:
        return _override_fields(entity, before, settings, task_config, location)
    except UsageError as problem:
        if problem.location.rpartition(":")[2].isdigit():
            raise
        raise type(problem)(problem.message, hint=problem.hint, location=location) from None


def _override_fields(
    entity: Entity | None, before: specs.Overrides | None, settings: Mapping[str, Any], task_config: Any, location: str
) -> specs.Overrides:
    task = getattr(entity, "overridable", None)
    if task is None:
        title = entity.title if entity is not None else "this node"
        raise CompileError(
            f"{title} is not a task, so only its name can be changed",
            hint="Change the settings of the tasks inside it.",
            location=location,
        )
    fields: dict[str, Any] = {}
    known = {*_CACHE_SETTINGS, *_RESOURCE_SETTINGS, *_SIMPLE}
    for name, value in settings.items():
        if name not in known:
            raise UnknownNameError.among("setting", name, known, location=location)
        if name in _SIMPLE:
            field, convert = _SIMPLE[name]
            fields[field] = convert(value)
    if any(settings.get(name) is not None for name in _CACHE_SETTINGS):
        fields["cache"] = cache_spec(
            task.function,
            settings.get("cache", True),
            version=settings.get("cache_version", ""),
            serialize=settings.get("cache_serialize", False),
            ignored_inputs=settings.get("cache_ignore_input_vars", ()),
            where=task.title,
            source=task.source(),
        )
        check_ignored_inputs(fields["cache"], task.python_interface.inputs)
    resources = {name: settings[name] for name in _RESOURCE_SETTINGS if settings.get(name) is not None}
    if resources:
        from ._resources import resource_spec

        fields["resources"] = resource_spec(**resources)
    if task_config is not None:
        fields["custom"] = task.custom_for(task_config, location)
    merged = {
        name: value
        for name in specs.Overrides.__struct_fields__
        if before is not None and (value := getattr(before, name)) is not msgspec.UNSET
    }
    return specs.Overrides(**{**merged, **fields})


def image_name(image: Any) -> str:
    """Return what `TaskSpec.image` holds: the reference of an image, or its description.

    Raises:
        UsageError: It is neither, or a file that the description names cannot be read.
    """
    if image is None:
        return ""
    if isinstance(image, str):
        return image
    describe = getattr(image, "description", None)
    if describe is None:
        raise UsageError(
            f"expected the reference of an image, an ImageSpec or an Image, found {type(image).__qualname__}"
        )
    from alula_kernel.images import encode_image

    return encode_image(describe())


def reuse_spec(reusable: Any) -> specs.ReuseSpec | None:
    """Return the spec of ``reusable``: a `ReusePolicy`, or ``"off"`` for a new worker for each attempt.

    Raises:
        ArgumentError: It is neither.
    """
    if reusable is None or reusable == "off":
        return None
    from ._reuse import ReusePolicy

    if not isinstance(reusable, ReusePolicy):
        raise ArgumentError(f"reusable: expected a ReusePolicy or 'off', found {reusable!r}")
    return reusable.spec()


_SIMPLE: dict[str, tuple[str, Any]] = {
    "retries": ("retries", retry_policy),
    "timeout": ("timeout", timeout_policy),
    "interruptible": ("interruptible", lambda value: value),
    "container_image": ("image", image_name),
    "image": ("image", image_name),
    "environment": ("environment", dict),
    "env_vars": ("environment", dict),
    "labels": ("labels", dict),
    "annotations": ("annotations", dict),
    "queue": ("queue", str),
    "reusable": ("reuse", reuse_spec),
    "report": ("report", bool),
    "max_inline_io_bytes": ("max_inline_bytes", lambda value: value),
}
