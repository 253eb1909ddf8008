"""The ``inline`` executor: attempts run in this process, where the engine runs; for local runs and the debugger."""

from __future__ import annotations

import collections
import contextvars
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ..contracts import CANCELLED, LOST, TIMED_OUT, Attempt, Controller, Handle, Outcome, TaskExecutor
from ..errors import ActionError
from ..specs import TaskSpec

if TYPE_CHECKING:
    import asyncio

Body = Callable[[Attempt, Controller], "Outcome | Awaitable[Outcome]"]
"""Runs one attempt: converts inputs, runs the user's code, converts outputs. Failures are outcomes, not exceptions."""

_KEPT_OUTCOMES = 64


class InlineExecutor(TaskExecutor):
    """Runs attempts in the engine's own thread: plain functions one at a time, coroutine functions side by side.

    Each attempt has context variables of its own, which begin as those of whoever started it. Handles mean nothing to
    another process: what ran in a process that died is lost.

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
        attempt_id = attempt.id
        if attempt_id not in self._running and attempt_id not in self._ended:
            self._submitted.setdefault(attempt_id, (attempt, controller))
        return {"attempt": attempt_id}

    async def wait(self, handle: Handle) -> Outcome:
        attempt_id = handle["attempt"]
        submitted = self._submitted.pop(attempt_id, None)
        if submitted is None:
            return await self._outcome_of(attempt_id)
        attempt, controller = submitted
        # Who waits runs it: if that is stopped, so is the attempt.
        outcome = _STOPPED
        try:
            if attempt_id not in self._cancelled:
                started = self._start(attempt, controller)
                outcome = started if type(started) is Outcome else await started  # type: ignore[misc]
        finally:
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
        return _STOPPED if running.cancelled() else running.result()

    async def cancel(self, handle: Handle) -> None:
        attempt_id = handle["attempt"]
        if attempt_id in self._submitted:
            self._cancelled.add(attempt_id)
        elif attempt_id in self._running:
            self._running[attempt_id].cancel()

    def _start(self, attempt: Attempt, controller: Controller) -> Outcome | Awaitable[Outcome]:
        """Run a plain function to its end, or return what is to be awaited."""
        task = attempt.task
        if not task.blocking:
            return self._run_coroutine(attempt, controller)
        seconds = attempt.timeout_seconds
        context = contextvars.copy_context()
        if seconds is None:
            result = context.run(self._bodies(task), attempt, controller)
        else:
            from .time_limits import run_within

            began = time.monotonic()
            in_time, limited = run_within(seconds, lambda: context.run(self._bodies(task), attempt, controller))
            if not in_time or limited is None:
                return _timed_out(seconds)
            result = limited
            seconds = max(seconds - (time.monotonic() - began), 0.0)
        return result if isinstance(result, Outcome) else self._run_awaitable(attempt, controller, result, seconds)

    async def _run_coroutine(self, attempt: Attempt, controller: Controller) -> Outcome:
        await controller.enter_event_loop()
        result = self._bodies(attempt.task)(attempt, controller)
        if isinstance(result, Outcome):
            return result
        return await self._run_awaitable(attempt, controller, result, attempt.timeout_seconds)

    async def _run_awaitable(
        self, attempt: Attempt, controller: Controller, outcome: Awaitable[Outcome], seconds: float | None
    ) -> Outcome:
        await controller.enter_event_loop()
        import asyncio

        # A task of its own, so that `cancel` and the time limit can stop it and nothing else.
        running = self._running[attempt.id] = asyncio.ensure_future(outcome)
        limit = _TimeLimit(running)
        timer = None if seconds is None else asyncio.get_running_loop().call_later(seconds, limit.exceed)
        try:
            result = await asyncio.shield(running)
        except asyncio.CancelledError as stop:
            if not running.done():  # the engine stops: the code may catch that, but cannot make it go on
                running.cancel(*stop.args)
                await asyncio.wait([running])
                if not running.cancelled():
                    running.exception()
                raise
            if not running.cancelled():
                raise
            result = _STOPPED
        finally:
            del self._running[attempt.id]
            if timer is not None:
                timer.cancel()
        return _timed_out(attempt.timeout_seconds) if limit.exceeded else result


class _TimeLimit:
    """Cancels a future when its time is up, and remembers that it did."""

    def __init__(self, running: asyncio.Future[Outcome]) -> None:
        self._running = running
        self.exceeded = False

    def exceed(self) -> None:
        if not self._running.done():
            self.exceeded = True
            self._running.cancel()


def _timed_out(seconds: float | None) -> Outcome:
    return Outcome(kind=TIMED_OUT, error=ActionError(code="Timeout", message=f"ran longer than {seconds:g} s"))


_STOPPED = Outcome(kind=CANCELLED, error=ActionError(code="Aborted", message="cancelled", recoverable=False))
