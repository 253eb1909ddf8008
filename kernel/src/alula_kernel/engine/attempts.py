"""The attempts of one action that runs a task: slot, submission, waiting, time limits, retries."""

from __future__ import annotations

import logging
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from ..contracts import (
    CANCELLED,
    LOST,
    OUT_OF_MEMORY,
    OUTCOME_KINDS,
    PREEMPTED,
    SUCCEEDED,
    SYSTEM_FAILURE,
    TIMED_OUT,
    USER_FAILURE,
    Attempt,
    CallFailedError,
    ExecutorBusyError,
    Handle,
    Outcome,
    TaskExecutor,
    depth_of,
)
from ..errors import MAX_MESSAGE_CHARS, ActionError
from ..literals import Literal
from ..specs import TaskSpec
from .actions import Action, AttemptRecord, RunOptions
from .calls import ActionController
from .failures import EndedError, aborted, timed_out
from .graphs import drive_graph
from .inline_io import check_inline_size
from .phases import Phase
from .plans import WorkflowPlan, entities_behind
from .retries import SYSTEM_BUDGET, RetryBudget, with_more_memory
from .stepping import Stepper, become_task, within

if TYPE_CHECKING:
    from .execution import Execution

logger = logging.getLogger("alula.engine")

_RUNNING = Phase.RUNNING

Outputs = dict[str, Literal]

_FIRST_BUSY_SECONDS = 0.1
_LONGEST_BUSY_SECONDS = 30.0
_EARLY_SECONDS = 0.05


_UNEXPLAINED = {
    USER_FAILURE: ("UserFailure", "user"),
    SYSTEM_FAILURE: ("SystemFailure", "system"),
    TIMED_OUT: ("Timeout", "user"),
    OUT_OF_MEMORY: ("OutOfMemory", "user"),
    PREEMPTED: ("Interrupted", "system"),
    LOST: ("Lost", "system"),
    CANCELLED: ("Aborted", "user"),
}
"""Code and kind of the error of an outcome that came without one."""


class TaskPlan:
    """What is the same for every action of a run that runs a task: worked out once, since a map has many of them.

    Args:
        spec: The task, overrides applied.
        executor: What runs its attempts.
        run: Name of the run.
        options: How the run is to be run.
        started_at: When the run began, in seconds since the epoch.

    Attributes:
        spec: The task.
        executor: What runs its attempts.
        attempt: An attempt in which only what belongs to one action is missing.
        has_limits: Whether the time of an attempt or action is limited.
        interruptible: What the task, or else the run, says; None if neither does.
        outputs: Names of what a success has to give.
        runs_here: Whether its attempts end with the engine, so that handles are of no use.
    """

    __slots__ = ("attempt", "executor", "has_limits", "interruptible", "outputs", "runs_here", "spec")

    def __init__(
        self, spec: TaskSpec, executor: TaskExecutor, run: str, options: RunOptions, started_at: float
    ) -> None:
        self.spec = spec
        self.executor = executor
        self.has_limits = bool(spec.timeout.runtime_seconds or spec.timeout.deadline_seconds)
        self.interruptible = options.interruptible if spec.interruptible is None else spec.interruptible
        self.outputs = spec.interface.outputs.keys()
        self.runs_here = executor.enforces_timeout and not executor.survives_engine and not executor.needs_event_loop
        self.attempt = Attempt(
            id="",
            run=run,
            action="",
            number=0,
            task=spec,
            inputs={},
            project=options.project,
            domain=options.domain,
            labels=options.labels,
            environment=options.environment,
            context=options.context,
            code=options.code,
            run_started_at=started_at,
        )


class TaskRun:
    """One action that runs a task.

    Args:
        execution: The run, as this thread drives it.
        action: The action.
        plan: The task.
        inputs: Its inputs.
        stepper: The stepper of the coroutine that drives it.
        interruptible: What the workflows around it say; the task's own setting and the run's come first.
    """

    __slots__ = ("_budget", "action", "execution", "inputs", "interruptible", "plan", "stepper")

    def __init__(
        self,
        execution: Execution,
        action: Action,
        plan: TaskPlan,
        inputs: Outputs,
        stepper: Stepper,
        interruptible: bool | None,
    ) -> None:
        self.execution = execution
        self.action = action
        self.plan = plan
        self.inputs = inputs
        self.stepper = stepper
        self.interruptible = interruptible if plan.interruptible is None else plan.interruptible
        self._budget: RetryBudget | None = None

    @property
    def spec(self) -> TaskSpec:
        """The task."""
        return self.plan.spec

    @property
    def executor(self) -> TaskExecutor:
        """What runs its attempts."""
        return self.plan.executor

    @property
    def budget(self) -> RetryBudget:
        """What is left of the retries, made when it is first asked for."""
        if self._budget is None:
            self._budget = RetryBudget(self.spec.retries)
        return self._budget

    async def drive(self) -> Outputs:
        """Run attempts until one succeeds.

        Raises:
            CallFailedError: Every attempt that was allowed failed, or the time was up.
        """
        execution, action = self.execution, self.action
        limiter = execution.limiter
        most_bytes = self.plan.spec.max_inline_bytes
        if most_bytes is not None:
            check_inline_size(self.inputs, most_bytes, "inputs")
        left = await self._left_open() if action.attempts else None
        while True:
            if limiter.limit is not None and not limiter.try_acquire():
                await self._wait_for_slot()
            controller = ActionController(execution, action, self.stepper)
            try:
                outcome = await self._attempt(controller, left)
            finally:
                if controller.waiting:
                    await controller.cancel_calls()
                controller.close()
            if outcome.kind == SUCCEEDED and outcome.graph is None:
                if most_bytes is not None:
                    check_inline_size(outcome.outputs, most_bytes, "outputs")
                return outcome.outputs
            original = controller.exception
            if outcome.kind == SUCCEEDED:
                outcome, original = await self._drive_graph(outcome)
                if outcome.kind == SUCCEEDED:
                    return outcome.outputs
            if left is not None and (outcome.kind in SYSTEM_BUDGET or outcome.kind == CANCELLED):
                # Whoever ended it, it may have been what ended the engine; or that one had begun to stop it.
                left.interrupted = True
                execution.table.change_phase(action, Phase.RETRYING)
            else:
                await self._pause_before_retry(outcome, original)
            left = None

    async def _left_open(self) -> AttemptRecord | None:
        """Take over the attempts of an engine that has died.

        Returns:
            The one to go on with; None if a new one is to be made.

        Raises:
            CallFailedError: The last one has failed, and was the last that was allowed.
        """
        table, attempts = self.execution.table, self.action.attempts
        last = attempts[-1]
        self.budget.restore(attempts[:-1])
        if last.outcome and last.outcome != SUCCEEDED:
            # Without an error it was stopped, by an engine that died before it could record why.
            if not last.interrupted and last.error is not None:
                table.change_phase(self.action, Phase.RUNNING)
                await self._pause_before_retry(Outcome(kind=last.outcome, error=last.error), None)
            return None
        if last.graph is not None or self.executor.survives_engine:
            return last
        message = "the process that ran the attempt is gone"
        last.error = ActionError(code="Lost", message=message, kind="system")
        last.outcome, last.interrupted, last.ended_at = LOST, True, table.clock()
        return None

    async def _wait_for_slot(self) -> None:
        execution = self.execution
        longest = self._longest_wait_seconds()
        try:
            await execution.limiter.acquire(self.stepper, longest, depth_of(self.action.id))
        except TimeoutError:
            assert longest is not None
            raise timed_out(f"waited longer than {self._wait_limit_seconds(longest):g} s to start") from None

    def _longest_wait_seconds(self) -> float | None:
        """Return how long an attempt may wait to start."""
        queued = self.spec.timeout.queued_seconds or None
        left = self.execution.seconds_left(self.action, self.spec)
        if left is None:
            return queued
        left = max(left, 0.0)
        return left if queued is None else min(left, queued)

    def _wait_limit_seconds(self, longest_seconds: float) -> float:
        """Return the limit behind a longest wait to start, as it was set."""
        limits = self.spec.timeout
        limit = longest_seconds if longest_seconds == limits.queued_seconds else limits.deadline_seconds
        assert limit is not None
        return limit

    def _is_past_deadline(self) -> bool:
        """Tell whether the time of the action is over, across attempts; a timer may be a little early."""
        left = self.execution.seconds_left(self.action, self.spec)
        return left is not None and left < _EARLY_SECONDS

    def _out_of_time(self) -> Outcome:
        """Return the outcome of an attempt that ran too long. It tells the limit as it was set, and not what was left."""
        limits = self.spec.timeout
        if limits.runtime_seconds is None or self._is_past_deadline():
            message = f"did not succeed within {limits.deadline_seconds:g} s"
        else:
            message = f"ran longer than {limits.runtime_seconds:g} s"
        return Outcome(kind=TIMED_OUT, error=ActionError(code="Timeout", message=message))

    async def _pause_before_retry(self, outcome: Outcome, original: BaseException | None) -> None:
        """Count a failed attempt and wait until the next may start.

        Raises:
            CallFailedError: There is none.
        """
        error = outcome.error
        assert error is not None
        delay = self.budget.spend(outcome)
        if outcome.kind == TIMED_OUT and self._is_past_deadline():
            raise EndedError(Phase.TIMED_OUT, error, original)
        left = self.execution.seconds_left(self.action, self.spec)
        if left is not None and left <= (delay or 0.0) and outcome.kind != CANCELLED:
            raise timed_out(
                f"did not succeed within {self.spec.timeout.deadline_seconds:g} s; the last attempt failed with "
                f"{error.code}: {error.message}"[:MAX_MESSAGE_CHARS]
            ) from original
        if delay is None:
            if outcome.kind == TIMED_OUT:
                raise EndedError(Phase.TIMED_OUT, error, original)
            if outcome.kind == CANCELLED:
                raise EndedError(Phase.ABORTED, error, original)
            raise CallFailedError(error, original)
        self.execution.table.change_phase(self.action, Phase.RETRYING)
        if delay:
            await become_task(self.stepper)
            import asyncio

            await asyncio.sleep(delay)

    # --- one attempt -------------------------------------------------------------------------------------------------

    async def _attempt(self, controller: ActionController, left: AttemptRecord | None) -> Outcome:
        """Run one attempt: record it, submit it, wait for its end, record that.

        Args:
            controller: What its code may call.
            left: The attempt to go on with, if an engine died over it. It keeps its id: if it was submitted, it is not
                started again.
        """
        execution, action, plan = self.execution, self.action, self.plan
        table, prefix = execution.table, execution.options.output_prefix
        number = len(action.attempts) + (left is None)
        attempt_id = f"{plan.attempt.run}/{action.id}/{number}"
        attempt = replace(
            plan.attempt,
            id=attempt_id,
            action=action.id,
            number=number,
            inputs=self.inputs,
            output_prefix=f"{prefix}/{attempt_id}" if prefix else "",
            previous_checkpoint=action.checkpoint,
        )
        if plan.has_limits or self.interruptible:
            attempt = replace(
                attempt,
                timeout_seconds=self._attempt_seconds(left),
                # The last attempt that the platform may spoil stays off capacity that can be taken away.
                interruptible=bool(self.interruptible) and not self.budget.last_system_attempt,
            )
        if number > 1 and plan.spec.retries.memory_factor > 1:
            ended = sum(record.outcome == OUT_OF_MEMORY for record in action.attempts)
            attempt = replace(attempt, task=with_more_memory(self.spec, ended))
        record = left
        if record is None:
            record = AttemptRecord(number=number, executor=plan.executor.name, started_at=table.clock())
            action.attempts.append(record)
        try:
            if not table.change_phase(action, _RUNNING):
                raise _ended_outside(action)
            if table.store.durable:
                if self.executor.needs_event_loop or not self.spec.blocking:
                    await become_task(self.stepper)  # it would anyway, and so it shares its commits
                await execution.committed(self.stepper)
            if plan.runs_here and left is None:
                try:
                    running = plan.executor.run(attempt, controller)
                    outcome = running if isinstance(running, Outcome) else await running
                except Exception as failure:  # noqa: BLE001 - logged where it becomes an outcome
                    outcome = self._lost(attempt, failure)
            else:
                outcome = await self._submit_and_wait(attempt, record, controller)
            if outcome.kind != SUCCEEDED or outcome.graph is not None or not plan.outputs <= outcome.outputs.keys():
                outcome = self._checked(outcome)
            if outcome.kind == TIMED_OUT and self._is_past_deadline():  # the executor knows only what was left of it
                outcome = self._out_of_time()
        except BaseException:
            record.ended_at = table.clock()
            record.outcome = CANCELLED
            raise
        record.ended_at = table.clock()
        record.outcome = outcome.kind
        record.error = outcome.error
        if outcome.report:
            action.report = outcome.report
        if outcome.checkpoint:
            action.checkpoint = outcome.checkpoint
        return outcome

    def _attempt_seconds(self, running: AttemptRecord | None = None) -> float | None:
        """Return how long an attempt may run from now on.

        Args:
            running: The attempt, if it runs already.
        """
        limits = self.spec.timeout
        longest = limits.runtime_seconds or None
        if longest is not None and running is not None and running.handle is not None:
            longest = max(running.started_at + longest - self.execution.table.clock(), 0.001)
        if not limits.deadline_seconds:
            return longest
        left = self.execution.seconds_left(self.action, self.spec)
        assert left is not None
        left = max(left, 0.001)
        return left if longest is None else min(left, longest)

    async def _submit_and_wait(self, attempt: Attempt, record: AttemptRecord, controller: ActionController) -> Outcome:
        executor, execution = self.executor, self.execution
        if record.graph is not None:  # its code has ended, and an engine died over what it gave
            return Outcome(kind=SUCCEEDED, graph=record.graph, entities=record.entities)
        attached = record.handle
        try:
            try:
                if attached is not None:
                    assert execution.left is not None
                    execution.left.attach(self.action.id)
                    handle = attached
                else:
                    handle = await self._submit(attempt, controller)
            except ExecutorBusyError as busy:
                handle = await self._submit_when_there_is_room(attempt, controller, busy)
        except CallFailedError:
            raise
        except Exception as failure:
            logger.debug("executor %s could not submit %s", executor.name, attempt.id, exc_info=True)
            return _system_failure(f"executor {executor.name} could not start the attempt: {failure}", failure)
        try:
            if executor.survives_engine:
                record.handle = handle
                if attached is None and execution.table.store.durable:
                    execution.table.store.record(execution.table.run, self.action)
                    await execution.committed(self.stepper)
            try:
                if attempt.timeout_seconds is None or executor.enforces_timeout:
                    outcome = await executor.wait(handle)
                else:
                    outcome = await self._wait_at_most(handle, attempt.timeout_seconds)
            except Exception as failure:  # noqa: BLE001 - as above
                await self._stop(handle)
                return self._lost(attempt, failure)
        except BaseException:
            await self._stop(handle)
            raise
        return outcome

    def _lost(self, attempt: Attempt, failure: Exception) -> Outcome:
        """Return the outcome of an attempt over which the executor failed."""
        name = self.executor.name
        logger.debug("executor %s lost %s", name, attempt.id, exc_info=failure)
        return _system_failure(f"executor {name} failed: {failure}", failure)

    def _submit(self, attempt: Attempt, controller: ActionController) -> Coroutine[Any, Any, Handle]:
        if self.executor.needs_event_loop:
            return self._submit_to_the_end(attempt, controller)
        return self.executor.submit(attempt, controller)

    async def _submit_to_the_end(self, attempt: Attempt, controller: ActionController) -> Handle:
        """Submit an attempt; an abort meanwhile waits for the handle, without which the attempt could not be stopped."""
        await become_task(self.stepper)
        if self.executor.submits_at_once:
            return await self.executor.submit(attempt, controller)
        import asyncio

        submitting = asyncio.ensure_future(self.executor.submit(attempt, controller))
        try:
            return await asyncio.shield(submitting)
        except asyncio.CancelledError:
            if not submitting.cancelled():
                await asyncio.wait([submitting])
                if not submitting.cancelled() and submitting.exception() is None:
                    await self._stop(submitting.result())
            raise

    async def _submit_when_there_is_room(
        self, attempt: Attempt, controller: ActionController, busy: ExecutorBusyError
    ) -> Handle:
        """Submit an attempt again and again; meanwhile its action is queued."""
        table, executor = self.execution.table, self.executor
        longest = self._longest_wait_seconds()
        delay, waited = _FIRST_BUSY_SECONDS, 0.0
        while True:
            pause = delay if busy.retry_after_seconds is None else busy.retry_after_seconds
            if longest is not None and waited + pause > longest:
                limit = self._wait_limit_seconds(longest)
                raise timed_out(f"executor {executor.name} had no room within {limit:g} s: {busy}")
            table.change_phase(self.action, Phase.QUEUED, message=str(busy))
            await become_task(self.stepper)
            import asyncio

            await asyncio.sleep(pause)
            delay, waited = min(delay * 2, _LONGEST_BUSY_SECONDS), waited + pause
            if not table.change_phase(self.action, Phase.RUNNING, message=""):
                raise _ended_outside(self.action)
            await self.execution.committed(self.stepper)
            try:
                return await self._submit(attempt, controller)
            except ExecutorBusyError as again:
                busy = again

    async def _wait_at_most(self, handle: Handle, longest_seconds: float) -> Outcome:
        """Wait for the end of an attempt, and stop it if it takes too long."""
        executor = self.executor
        await become_task(self.stepper)
        import asyncio

        waiting = asyncio.ensure_future(executor.wait(handle))
        try:
            await asyncio.wait([waiting], timeout=longest_seconds)
        except BaseException:
            waiting.cancel()
            await asyncio.wait([waiting])
            raise
        if waiting.done():
            return waiting.result()
        try:
            await executor.cancel(handle)
            outcome = await waiting
        except Exception:
            logger.warning("executor %s could not stop %s", executor.name, handle, exc_info=True)
        else:
            if outcome.kind == SUCCEEDED:  # just before it was stopped
                return outcome
        return self._out_of_time()

    async def _stop(self, handle: Handle) -> None:
        """Stop an attempt and wait until it has ended. Something else has failed already, so a failure is only told."""
        try:
            await self.executor.cancel(handle)
            await self.executor.wait(handle)
        except Exception:
            logger.warning("executor %s could not stop %s", self.executor.name, handle, exc_info=True)

    def _checked(self, outcome: Outcome) -> Outcome:
        """Return an outcome that keeps the executor's contract, or a failure that says how it does not."""
        if outcome.kind == SUCCEEDED:
            if outcome.graph is not None or self.plan.outputs <= outcome.outputs.keys():
                return outcome
            missing = ", ".join(repr(name) for name in self.spec.interface.outputs if name not in outcome.outputs)
            problem = f"reported a success without the outputs {missing}"
        elif outcome.kind not in OUTCOME_KINDS:
            problem = f"reported an outcome of the unknown kind {outcome.kind!r}"
        elif outcome.error is None:
            code, kind = _UNEXPLAINED[outcome.kind]
            message = f"{outcome.kind.replace('_', ' ')}; executor {self.executor.name} gave no reason"
            return replace(outcome, error=ActionError(code=code, message=message, kind=kind))
        else:
            return outcome
        error = ActionError(
            code="ExecutorError", message=f"executor {self.executor.name} {problem}", kind="system", recoverable=False
        )
        return Outcome(kind=SYSTEM_FAILURE, error=error)

    # --- the graph of a dynamic task ---------------------------------------------------------------------------------

    async def _drive_graph(self, outcome: Outcome) -> tuple[Outcome, BaseException | None]:
        """Drive the graph that a dynamic task returned. It belongs to the attempt: its failure, and its time, count."""
        execution, record = self.execution, self.action.attempts[-1]
        assert outcome.graph is not None
        if execution.table.store.durable and record.graph is None:
            # Before its first action, whose id and inputs depend on it: the code may give another one when it runs again.
            known = entities_behind(outcome.graph, execution.engine.entities) if not outcome.entities else ()
            record.graph, record.entities = outcome.graph, outcome.entities or known
            execution.table.store.record(execution.table.run, self.action)
            await execution.committed(self.stepper)
        execution.engine.learn(outcome.entities)
        suffix = f"~{record.number}" if record.number > 1 else ""
        plan = WorkflowPlan(outcome.graph, execution.engine.entities, suffix)
        left = self._seconds_left_of(record)
        original: BaseException | None = None
        try:
            if left is None:
                driver = drive_graph(execution, self.action, plan, {}, self.stepper, self.interruptible)
                outputs = await driver
            else:
                await become_task(self.stepper)
                stepper = Stepper(in_task=True)
                driver = drive_graph(execution, self.action, plan, {}, stepper, self.interruptible)
                outputs = await within(left, driver)
            outcome = Outcome(kind=SUCCEEDED, outputs=outputs)
        except CallFailedError as failure:
            outcome, original = Outcome(kind=USER_FAILURE, error=failure.error), failure.original
        except TimeoutError:
            outcome = self._out_of_time()
        record.graph, record.entities = None, ()
        record.ended_at = execution.table.clock()
        record.outcome = outcome.kind
        record.error = outcome.error
        return outcome, original

    def _seconds_left_of(self, record: AttemptRecord) -> float | None:
        """Return how long the last attempt may go on; its graph counts as a part of it."""
        longest = self.spec.timeout.runtime_seconds or None
        left = self.execution.seconds_left(self.action, self.spec)
        if longest is not None:
            own = record.started_at + longest - self.execution.table.clock()
            left = own if left is None else min(own, left)
        return None if left is None else max(left, 0.0)


def _ended_outside(action: Action) -> EndedError:
    return aborted(action.message or "it was ended from outside")


def _system_failure(message: str, failure: BaseException) -> Outcome:
    error = ActionError(code=type(failure).__name__, message=message[:MAX_MESSAGE_CHARS], kind="system")
    return Outcome(kind=SYSTEM_FAILURE, error=error)
