"""The built-in executors keep what the contract promises."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from alula_kernel.builtin.inline import Body, InlineExecutor
from alula_kernel.contracts import SUCCEEDED, Attempt, Controller, Outcome, TaskExecutor
from alula_kernel.specs import TaskSpec
from alula_kernel.testing import TaskExecutorConformance, run_sample, sample_attempt
from alula_kernel.testing.executors import AttemptMaker


async def sleep(attempt: Attempt, controller: Controller) -> Outcome:
    (seconds,) = attempt.inputs.values()
    await asyncio.sleep(seconds.value)  # type: ignore[union-attr]
    return Outcome(kind=SUCCEEDED)


def blocking_body(task: TaskSpec) -> Body:
    return lambda attempt, controller: run_sample(attempt)


def body(task: TaskSpec) -> Body:
    return sleep if task.id.name.endswith(".sleep") else blocking_body(task)


def async_attempt(kind: str, inputs: Any = None, **fields: Any) -> Attempt:
    """Make an attempt whose task is a coroutine function if it sleeps."""
    attempt = sample_attempt(kind, inputs, **fields)
    task = msgspec.structs.replace(attempt.task, blocking=kind != "sleep")
    return msgspec.structs.replace(attempt, task=task)


class TestInline(TaskExecutorConformance):
    """Tasks run in this very process, while somebody waits: it has one environment, one output, and ends with them."""

    has_logs = False
    isolates_process = False
    needs_event_loop = False
    outlives_waiting = False
    sets_environment = False
    survives_restart = False
    validates = False

    @pytest.fixture
    def open_executor(self) -> Callable[[], TaskExecutor]:
        return lambda: InlineExecutor(body)

    @pytest.fixture
    def make_attempt(self) -> AttemptMaker:
        return async_attempt


class TestInlineWithPlainFunctions(TestInline):
    """Plain functions run in the engine's own thread, one at a time, so nothing else happens while one sleeps."""

    cancels_running = False
    leaves_loop_free = False
    runs_together = False

    @pytest.fixture
    def open_executor(self) -> Callable[[], TaskExecutor]:
        return lambda: InlineExecutor(blocking_body)

    @pytest.fixture
    def make_attempt(self) -> AttemptMaker:
        return sample_attempt
