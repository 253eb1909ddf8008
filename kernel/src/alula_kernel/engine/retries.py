"""Whether and when an attempt that failed is tried again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from ..contracts import (
    CANCELLED,
    LOST,
    OUT_OF_MEMORY,
    PREEMPTED,
    SYSTEM_FAILURE,
    TIMED_OUT,
    USER_FAILURE,
    Outcome,
)
from ..quantities import parse_quantity
from ..specs import Backoff, ResourceSpec, RetryPolicy, TaskSpec

if TYPE_CHECKING:
    from .actions import AttemptRecord

_USER_BUDGET = frozenset({USER_FAILURE, TIMED_OUT, OUT_OF_MEMORY})
SYSTEM_BUDGET = frozenset({SYSTEM_FAILURE, PREEMPTED, LOST})
"""Kinds of outcomes that count as failures of the platform."""


class RetryBudget:
    """Counts what is left of the two budgets of one action.

    Args:
        policy: The action's policy.
    """

    __slots__ = ("policy", "system_failures", "user_failures")

    def __init__(self, policy: RetryPolicy) -> None:
        self.policy = policy
        self.user_failures = 0
        self.system_failures = 0

    @property
    def last_system_attempt(self) -> bool:
        """Whether one more system failure would be final, so that the attempt must not run on capacity that goes away."""
        if self.policy.system is None:
            return self.user_failures >= self.policy.user
        return self.system_failures >= self.policy.system

    def restore(self, attempts: Iterable[AttemptRecord]) -> None:
        """Count attempts that another engine made; those that were lost with an engine do not count."""
        for attempt in attempts:
            if attempt.outcome and not attempt.interrupted:
                self.spend(Outcome(kind=attempt.outcome, error=attempt.error))

    def spend(self, outcome: Outcome) -> float | None:
        """Count a failed attempt.

        Returns:
            The delay before the next attempt in seconds, or None if there is none.
        """
        if outcome.kind == CANCELLED or (outcome.error is not None and not outcome.error.recoverable):
            return None
        system = self.policy.system
        if outcome.kind in _USER_BUDGET or (system is None and outcome.kind in SYSTEM_BUDGET):
            self.user_failures += 1
            if self.user_failures > self.policy.user:
                return None
            return delay_seconds(self.policy.backoff, self.user_failures - 1)
        if system is not None and outcome.kind in SYSTEM_BUDGET:
            self.system_failures += 1
            if self.system_failures > system:
                return None
            return delay_seconds(self.policy.backoff, self.system_failures - 1)
        return None


def with_more_memory(task: TaskSpec, out_of_memory: int) -> TaskSpec:
    """Return a task with the memory that its policy gives it after so many attempts that ran out of it."""
    policy, resources = task.retries, task.resources
    if policy.memory_factor <= 1 or not out_of_memory or resources is None:
        return task

    def grown(quantities: dict[str, str]) -> dict[str, str]:
        if "memory" not in quantities:
            return quantities
        before = parse_quantity(quantities["memory"])
        after = before * policy.memory_factor**out_of_memory
        if policy.memory_cap:
            after = max(before, min(after, parse_quantity(policy.memory_cap)))
        return {**quantities, "memory": str(round(after))}

    more = ResourceSpec(grown(resources.requests), grown(resources.limits))
    return msgspec.structs.replace(task, resources=more)


def delay_seconds(backoff: Backoff | None, retry: int) -> float:
    """Return the delay before a retry, counted from 0, in seconds."""
    if backoff is None:
        return 0.0
    # factor ** retry overflows a float for absurd counts; the cap is what was meant then.
    try:
        delay = backoff.base_seconds * backoff.factor**retry
    except OverflowError:
        delay = float("inf")
    if backoff.cap_seconds is not None:
        delay = min(delay, backoff.cap_seconds)
    if backoff.jitter:
        import random

        delay *= 1 - backoff.jitter * random.random()
    return delay
