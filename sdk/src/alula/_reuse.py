"""Keeping worker processes, so that attempts need not wait for new ones."""

from __future__ import annotations

import datetime as dt
from typing import Any, Literal

import msgspec

from alula_kernel.errors import UnknownNameError, UsageError
from alula_kernel.specs import ReuseSpec

from ._state import call_site

SHORTEST_TTL_SECONDS = 30
"""Shortest time for which a worker without work is kept."""


class ReusePolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How the workers of a `TaskEnvironment` are kept.

    A kept worker runs attempt after attempt. What the modules of a task hold, such as a model that was loaded, is there for
    the next one; environment variables, the working folder, context variables and temporary files are as at first. Tasks of
    other environments, projects or domains never get the same worker.

    Args:
        replicas: How many workers: a number, or a pair (kept ready, most).
        idle_ttl: How long workers stay without work, in seconds or as a timedelta; at least 30 s.
        concurrency: Attempts that one worker runs at a time; more than one needs coroutine functions.
        scaledown_ttl: How long workers beyond those that are kept ready stay without work; at least 30 s.
        scope: ``"global"``, or ``"run"`` for workers that belong to one run.

    Raises:
        UsageError: A value cannot be one.
    """

    replicas: int | tuple[int, int] = 2
    idle_ttl: int | dt.timedelta = SHORTEST_TTL_SECONDS
    concurrency: int = 1
    scaledown_ttl: int | dt.timedelta = SHORTEST_TTL_SECONDS
    scope: Literal["global", "run"] = "global"

    def __post_init__(self) -> None:
        least, most = self.min_replicas, self.max_replicas
        if least < 0 or most < 1 or least > most:
            raise _refused("replicas", self.replicas, "a number of at least 1, or a pair (kept ready, most)")
        if not _is_count(self.concurrency) or self.concurrency < 1:
            raise _refused("concurrency", self.concurrency, "a number of at least 1")
        for name in ("idle_ttl", "scaledown_ttl"):
            if _seconds(name, getattr(self, name)) < SHORTEST_TTL_SECONDS:
                raise _refused(name, getattr(self, name), f"at least {SHORTEST_TTL_SECONDS} s")
        if self.scope not in {"global", "run"}:
            raise UnknownNameError.among("scope of a ReusePolicy", str(self.scope), ["global", "run"])

    @property
    def min_replicas(self) -> int:
        """Workers that are kept ready."""
        return self._replicas()[0]

    @property
    def max_replicas(self) -> int:
        """Most workers at a time."""
        return self._replicas()[1]

    def _replicas(self) -> tuple[int, int]:
        given: Any = self.replicas
        pair = tuple(given) if isinstance(given, (tuple, list)) else (given, given)
        if len(pair) != 2 or not all(map(_is_count, pair)):
            raise _refused("replicas", given, "a number of at least 1, or a pair (kept ready, most)")
        return pair

    def spec(self) -> ReuseSpec:
        """Return it as it stands in the specs of tasks."""
        return ReuseSpec(
            min_replicas=self.min_replicas,
            max_replicas=self.max_replicas,
            idle_seconds=_seconds("idle_ttl", self.idle_ttl),
            scaledown_seconds=_seconds("scaledown_ttl", self.scaledown_ttl),
            concurrency=self.concurrency,
            scope=self.scope,
        )


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _seconds(name: str, value: Any) -> float:
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if not _is_count(value) and not isinstance(value, float):
        raise _refused(name, value, "seconds or a timedelta")
    return float(value)


def _refused(name: str, value: object, expected: str) -> UsageError:
    return UsageError(f"ReusePolicy({name}={value!r}): expected {expected}", location=call_site())
