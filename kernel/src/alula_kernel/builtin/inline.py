"""The ``inline`` executor: attempts run in this process, where the engine runs; for local runs and the debugger."""

from __future__ import annotations

import contextvars
import time
import types
from collections.abc import Awaitable, Callable, Generator
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
    survives_engine = False

    def __init__(self, bodies: Callable[[TaskSpec], Body]) -> None:
        self._bodies = bodies
        self._submitted: dict[str, tuple[Attempt, Controller]] = {}
        self._running: dict[str, asyncio.Future[Outcome]] = {}
        self._cancelled: set[str] = set()
        # Two generations, of which the older is dropped as a whole: the last outcomes are kept without a look at each.
        self._ended: dict[str, Outcome] = {}
        self._ended_before: dict[str, Outcome] = {}

    async def submit(self, attempt: Attempt, controller: Controller) -> Handle:
        attempt_id = attempt.id
        if attempt_id not in self._running and attempt_id not in self._ended and attempt_id not in self._ended_before:
            self._submitted.setdefault(attempt_id, (attempt, controller))
        return {"attempt": attempt_id}

    async def wait(self, handle: Handle) -> Outcome:
        attempt_id = handle["attempt"]
        submitted = self._submitted.pop(attempt_id, None)
        if submitted is None:
            return await self._outcome_of(attempt_id)
        # Who waits runs it: if that is stopped, so is the attempt.
        outcome = _STOPPED
        try:
            if attempt_id not in self._cancelled:
                running = self.run(*submitted)
                outcome = running if isinstance(running, Outcome) else await running
        finally:
            self._cancelled.discard(attempt_id)
            if len(self._ended) >= _KEPT_OUTCOMES:
                self._ended_before, self._ended = self._ended, {}
            self._ended[attempt_id] = outcome
        return outcome

    def run(self, attempt: Attempt, controller: Controller) -> Outcome | Awaitable[Outcome]:
        seconds = attempt.timeout_seconds
        if not attempt.task.blocking:
            return self._await(attempt, controller, None, seconds)
        started: Outcome | Awaitable[Outcome]
        if seconds is None:
            started = contextvars.copy_context().run(self._bodies(attempt.task), attempt, controller)
        else:
            started, seconds = self._call_within(seconds, attempt, controller)
        return started if isinstance(started, Outcome) else self._await(attempt, controller, started, seconds)

    async def _outcome_of(self, attempt_id: str) -> Outcome:
        ended = self._ended.get(attempt_id) or self._ended_before.get(attempt_id)
        if ended is not None:
            return ended
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

    def _call_within(
        self, seconds: float, attempt: Attempt, controller: Controller
    ) -> tuple[Outcome | Awaitable[Outcome], float | None]:
        """Run a plain function that has a time limit.

        Returns:
            The outcome, or what is to be awaited for it, and how long that may still take.
        """
        from .time_limits import run_within

        context = contextvars.copy_context()
        body = self._bodies(attempt.task)
        began = time.monotonic()
        in_time, outcome = run_within(seconds, lambda: context.run(body, attempt, controller))
        if not in_time or outcome is None:
            return _timed_out(seconds), None
        return outcome, max(seconds - (time.monotonic() - began), 0.0)

    async def _await(
        self, attempt: Attempt, controller: Controller, outcome: Awaitable[Outcome] | None, seconds: float | None
    ) -> Outcome:
        """Wait for the outcome of a coroutine function, which is called here if that was not done yet."""
        await controller.enter_event_loop()
        if outcome is None:
            started = self._bodies(attempt.task)(attempt, controller)
            if isinstance(started, Outcome):
                return started
            outcome = started
        import asyncio

        # A task of its own, so that `cancel` and the time limit can stop it and nothing else. It is not started before
        # the loop comes to it: started here, a task that calls itself would soon use up the stack.
        if isinstance(outcome, types.CoroutineType):
            running = asyncio.get_running_loop().create_task(outcome)
        else:
            running = asyncio.ensure_future(outcome)
        self._running[attempt.id] = running
        limit = None if seconds is None else _TimeLimit(running, seconds)
        awaited = _Awaited(running)
        result = _STOPPED
        try:
            result = await awaited
        except asyncio.CancelledError:
            if awaited.stopped is None and not running.cancelled():
                raise
        finally:
            del self._running[attempt.id]
            if limit is not None:
                limit.timer.cancel()
        if awaited.stopped is not None:  # the code may catch that, but cannot make the engine go on
            raise asyncio.CancelledError(*awaited.stopped)
        return _timed_out(attempt.timeout_seconds) if limit is not None and limit.exceeded else result


class _Awaited:
    """A future as it is awaited by the one that has to know whether it was itself cancelled meanwhile.

    Being cancelled cancels the future, as always; who waits goes on when that has ended, however it has. It costs one turn
    of the event loop less than `asyncio.shield`.

    Args:
        future: What is awaited.

    Attributes:
        stopped: The arguments of the cancellation; None if there was none.
    """

    __slots__ = ("_asyncio_future_blocking", "_future", "add_done_callback", "get_loop", "stopped")

    def __init__(self, future: asyncio.Future[Outcome]) -> None:
        self._future = future
        self.add_done_callback = future.add_done_callback
        self.get_loop = future.get_loop
        self.stopped: tuple[str, ...] | None = None
        self._asyncio_future_blocking = False  # what makes it a future to `asyncio.isfuture`

    def __await__(self) -> Generator[_Awaited, None, Outcome]:
        if not self._future.done():
            self._asyncio_future_blocking = True
            yield self
        return self._future.result()

    def cancel(self, msg: str | None = None) -> bool:
        if not self._future.cancel(msg):
            return False
        self.stopped = () if msg is None else (msg,)
        return True


class _TimeLimit:
    """Cancels a future when its time is up, and remembers that it did."""

    def __init__(self, running: asyncio.Future[Outcome], seconds: float) -> None:
        self._running = running
        self.timer = running.get_loop().call_later(seconds, self.exceed)
        self.exceeded = False

    def exceed(self) -> None:
        if not self._running.done():
            self.exceeded = True
            self._running.cancel()


def _timed_out(seconds: float | None) -> Outcome:
    return Outcome(kind=TIMED_OUT, error=ActionError(code="Timeout", message=f"ran longer than {seconds:g} s"))


_STOPPED = Outcome(kind=CANCELLED, error=ActionError(code="Aborted", message="cancelled", recoverable=False))
