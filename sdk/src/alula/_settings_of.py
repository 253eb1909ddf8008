"""Settings of tasks that are made by calling a class."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from typing import Any

from alula_kernel.errors import UnknownNameError, UsageError

from ._cache import as_cache
from ._task import TaskSettings

_CACHE = ("cache_version", "cache_serialize", "cache_ignore_input_vars")


@dataclasses.dataclass(frozen=True)
class TaskMetadata:
    """Settings of a task in one object, as classes of Flyte 1 take them; see `alula.task` for what each means.

    What `Task.metadata` returns has a timeout in seconds as a timedelta.
    """

    cache: Any = False
    cache_serialize: bool = False
    cache_version: str = ""
    cache_ignore_input_vars: tuple[str, ...] = ()
    interruptible: bool | None = None
    deprecated: str = ""
    retries: Any = 0
    timeout: Any = None
    pod_template_name: str | None = None
    labels: Mapping[str, str] | None = None
    annotations: Mapping[str, str] | None = None

    @classmethod
    def of(cls, settings: TaskSettings) -> TaskMetadata:
        """Return those among the settings of a task."""
        cache = settings.cache
        seconds = settings.timeout if isinstance(settings.timeout, (int, float)) else None
        same = ("interruptible", "deprecated", "retries", "pod_template_name", "labels", "annotations")
        return cls(
            cache=cache is not None,
            cache_serialize=cache is not None and cache.serialize,
            cache_version=(cache.version or "") if cache is not None else "",
            cache_ignore_input_vars=tuple(cache.ignored_inputs) if cache is not None else (),
            timeout=settings.timeout if seconds is None else dt.timedelta(seconds=seconds) if seconds else None,
            **{name: getattr(settings, name) for name in same},
        )


def task_settings(settings: Mapping[str, Any], location: str) -> TaskSettings:
    """Check keyword settings of a task and bring them into one object.

    Args:
        settings: Settings as `alula.task` takes them; ``metadata`` may hold a `TaskMetadata` with some of them.
        location: ``file:line`` of the call.

    Raises:
        UsageError: A setting is unknown or wrong.
    """
    given = dict(settings)
    metadata = given.pop("metadata", None)
    if metadata is not None:
        for field in dataclasses.fields(metadata):
            if field.name in given and getattr(metadata, field.name) not in (field.default, given[field.name]):
                raise UsageError(
                    f"the setting {field.name} of a task is given by itself and in its metadata, and they differ",
                    hint="Leave one of them out.",
                    location=location,
                )
        of_metadata = {field.name: getattr(metadata, field.name) for field in dataclasses.fields(metadata)}
        given = {**{name: value for name, value in of_metadata.items() if value is not None}, **given}
    known = set(TaskSettings.__struct_fields__)
    for name in given:
        if name not in known and name not in _CACHE:
            raise UnknownNameError.among("task setting", name, [*known, *_CACHE], location=location)
    version, serialize, ignored = (
        given.pop(name, default) for name, default in zip(_CACHE, ("", False, ()), strict=True)
    )
    if given.get("retry_on") is not None:
        given["retry_on"] = tuple(given["retry_on"])
    cache = as_cache(given.pop("cache", False), version=version, serialize=serialize, ignored_inputs=tuple(ignored))
    return TaskSettings(cache=cache, **given)
