"""The ``inline`` executor: attempts run in this process, where the engine runs; for local runs and the debugger."""

from __future__ import annotations

import collections
import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ..contracts import CANCELLED, LOST, TIMED_OUT, Attempt, Controller, Handle, Outcome, TaskExecutor
from ..errors import ActionError
from ..specs import TaskSpec

if TYPE_CHECKING:
    import asyncio

Body = Callable[[Attempt, Controller], "Outcome | Awaitable[Outcome]"]
"""Runs one attempt: converts inputs, runs the user's code, converts outputs. Failures are outcomes, not exceptions."""

_KEPT_OUTCOMES = 256


class InlineExecutor(TaskExecutor):
    """Runs attempts in the engine's own thread: plain functions one at a time, coroutine functions side by side.

    Handles mean nothing to another process: what ran in a process that died is lost.

    Args:
        bodies: Finds the code of a task.
    """

    name = "inline"
    task_types = ("python",)
    enforces_timeout = True
    needs_event_loop = False

    def __init__(self, bodies: Callable[[TaskSpec], Body]) -> None:
        self._bodies = bodies
        self._submitted: dict[str, tuple[Attempt, Controller]] = {}
        self._running: dict[str, asyncio.Future[Outcome]] = {}
        self._cancelled: set[str] = set()
        self._ended: collections.OrderedDict[str, Outcome] = collections.OrderedDict()

    async def submit(self, attempt: Attempt, controller: Controller) -> Handle:
        if attempt.id not in self._running and attempt.id not in self._ended:
            self._submitted.setdefault(attempt.id, (attempt, controller))
        return {"attempt": attempt.id}

    async def wait(self, handle: Handle) -> Outcome:
        attempt_id = handle["attempt"]
        submitted = self._submitted.pop(attempt_id, None)
        if submitted is None:
            return await self._outcome_of(attempt_id)
        if attempt_id in self._cancelled:
            outcome = _cancelled()
        else:
            outcome = await self._run(*submitted)
        self._cancelled.discard(attempt_id)
        self._ended[attempt_id] = outcome
        if len(self._ended) > _KEPT_OUTCOMES:
            self._ended.popitem(last=False)
        return outcome

    async def _outcome_of(self, attempt_id: str) -> Outcome:
        if attempt_id in self._ended:
            return self._ended[attempt_id]
        running = self._running.get(attempt_id)
        if running is None:
            error = ActionError(code="Lost", message="the process that ran the attempt is gone", kind="system")
            return Outcome(kind=LOST, error=error)
        import asyncio

        await asyncio.wait([running])
        return _cancelled() if running.cancelled() else running.result()

    async def cancel(self, handle: Handle) -> None:
        attempt_id = handle["attempt"]
        if attempt_id in self._submitted:
            self._cancelled.add(attempt_id)
        elif attempt_id in self._running:
            self._cancelled.add(attempt_id)
            self._running[attempt_id].cancel()

    async def _run(self, attempt: Attempt, controller: Controller) -> Outcome:
        body = self._bodies(attempt.task)
        if attempt.task.blocking and attempt.timeout_seconds is not None:
            return _run_limited(body, attempt, controller, attempt.timeout_seconds)
        if not attempt.task.blocking:
            await controller.enter_event_loop()
        outcome = body(attempt, controller)
        if type(outcome) is Outcome:
            return outcome
        assert inspect.isawaitable(outcome)
        await controller.enter_event_loop()
        return await self._run_awaitable(attempt, outcome)

    async def _run_awaitable(self, attempt: Attempt, outcome: Awaitable[Outcome]) -> Outcome:
        import asyncio

        # A task of its own, so that `cancel` can stop it and timeouts inside the user's code work on it.
        running = self._running[attempt.id] = asyncio.ensure_future(outcome)
        try:
            return await asyncio.wait_for(running, attempt.timeout_seconds)
        except asyncio.TimeoutError:
            assert attempt.timeout_seconds is not None
            return _timed_out(attempt.timeout_seconds)
        except asyncio.CancelledError:
            if attempt.id in self._cancelled:
                return _cancelled()
            raise
        finally:
            del self._running[attempt.id]


def _run_limited(body: Body, attempt: Attempt, controller: Controller, seconds: float) -> Outcome:
    from .time_limits import TimeLimitExceeded, time_limit

    try:
        with time_limit(seconds):
            outcome = body(attempt, controller)
    except TimeLimitExceeded:
        return _timed_out(seconds)
    assert isinstance(outcome, Outcome)
    return outcome


def _timed_out(seconds: float) -> Outcome:
    return Outcome(kind=TIMED_OUT, error=ActionError(code="Timeout", message=f"ran longer than {seconds:g} s"))


def _cancelled() -> Outcome:
    return Outcome(kind=CANCELLED, error=ActionError(code="Aborted", message="cancelled", recoverable=False))
