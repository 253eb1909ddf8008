"""The driver of tasks: cache, slot, attempts, retries, timeouts."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from ..cachekeys import cache_key
from ..contracts import (
    CANCELLED,
    SUCCEEDED,
    SYSTEM_FAILURE,
    TIMED_OUT,
    USER_FAILURE,
    Attempt,
    CacheEntry,
    CacheKey,
    CallFailedError,
    ExecutorBusyError,
    Handle,
    Outcome,
    TaskExecutor,
)
from ..errors import ActionError
from ..literals import Bytes, Literal, Scalar, size_bytes
from ..specs import TaskSpec
from .actions import Action, AttemptRecord
from .calls import ActionController
from .phases import Phase
from .reservations import reservation
from .retries import RetryBudget
from .stepping import Stepper, become_task

if TYPE_CHECKING:
    from .execution import Execution

logger = logging.getLogger("alula.engine")

Outputs = dict[str, Literal]

_FIRST_BUSY_SECONDS = 0.1
_LONGEST_BUSY_SECONDS = 30.0


async def drive_task(
    execution: Execution, action: Action, spec: TaskSpec, inputs: Outputs, stepper: Stepper, interruptible: bool | None
) -> Outputs:
    """Run a task to its end.

    Raises:
        CallFailedError: Every attempt that was allowed failed.
    """
    if spec.max_inline_bytes is not None:
        _check_inline_size(inputs, spec.max_inline_bytes, "inputs")
    if spec.cache is None or execution.options.disable_cache or not spec.interface.outputs:
        return await _attempts(execution, action, spec, inputs, stepper, interruptible)
    options = execution.options
    project, domain = ("", "") if options.cache_scope == "global" else (options.project, options.domain)
    key = cache_key(spec, inputs, project=project, domain=domain)
    action.cache_digest = key.digest
    if not options.overwrite_cache and (hit := _lookup(execution, action, spec, key)) is not None:
        return hit
    if not spec.cache.serialize or options.overwrite_cache:
        return await _compute(execution, action, spec, inputs, stepper, interruptible, key)
    owner = f"{execution.table.run}/{action.id}"
    async with reservation(execution.engine.cache, key.digest, owner, stepper) as waited:
        if waited and (hit := _lookup(execution, action, spec, key)) is not None:
            return hit
        return await _compute(execution, action, spec, inputs, stepper, interruptible, key)


def _lookup(execution: Execution, action: Action, spec: TaskSpec, key: CacheKey) -> Outputs | None:
    entry = execution.engine.cache.get(key.digest)
    if entry is None:
        action.cache = "miss"
        return None
    if entry.outputs.keys() != spec.interface.outputs.keys() or not execution.engine.outputs_exist(entry.outputs):
        logger.warning("the cached outputs of %s are gone or do not fit its interface; computing them again", action.name)
        action.cache = "miss"
        return None
    action.cache = "hit"
    action.cached_from = f"{entry.run}/{entry.action}"
    return entry.outputs


async def _compute(
    execution: Execution,
    action: Action,
    spec: TaskSpec,
    inputs: Outputs,
    stepper: Stepper,
    interruptible: bool | None,
    key: CacheKey,
) -> Outputs:
    outputs = await _attempts(execution, action, spec, inputs, stepper, interruptible)
    table = execution.table
    execution.engine.cache.put(
        CacheEntry(key=key, outputs=outputs, run=table.run, action=action.id, created_at=table.clock())
    )
    action.cache = "overwritten" if execution.options.overwrite_cache else "populated"
    return outputs


async def _attempts(
    execution: Execution, action: Action, spec: TaskSpec, inputs: Outputs, stepper: Stepper, interruptible: bool | None
) -> Outputs:
    budget = RetryBudget(spec.retries)
    executor = execution.engine.executor(spec, execution.options.executor)
    if interruptible is None or spec.interruptible is not None:
        interruptible = spec.interruptible
    if execution.options.interruptible is not None and spec.interruptible is None:
        interruptible = execution.options.interruptible
    while True:
        controller = ActionController(execution, action, stepper)
        await _take_slot(execution, spec, stepper)
        try:
            outcome = await _attempt(
                execution,
                action,
                spec,
                inputs,
                executor,
                controller,
                stepper,
                bool(interruptible) and not budget.last_system_attempt,
            )
        finally:
            controller.close()
        if outcome.kind == SUCCEEDED:
            if outcome.graph is None:
                if spec.max_inline_bytes is not None:
                    _check_inline_size(outcome.outputs, spec.max_inline_bytes, "outputs")
                return outcome.outputs
            outcome, original, outputs = await _drive_returned_graph(execution, action, outcome, stepper, interruptible)
            if outputs is not None:
                return outputs
        else:
            original = controller.exception
        delay = budget.spend(outcome)
        if delay is None or _past_deadline(execution, action, spec):
            assert outcome.error is not None
            raise CallFailedError(outcome.error, original)
        execution.table.change_phase(action, Phase.RETRYING)
        if delay:
            await become_task(stepper)
            import asyncio

            await asyncio.sleep(delay)


async def _drive_returned_graph(
    execution: Execution, action: Action, outcome: Outcome, stepper: Stepper, interruptible: bool | None
) -> tuple[Outcome, BaseException | None, Outputs | None]:
    """Drive the graph that a dynamic task returned; its failure is a failure of the attempt."""
    from .graphs import drive_graph
    from .plans import WorkflowPlan

    assert outcome.graph is not None
    try:
        plan = WorkflowPlan(outcome.graph, execution.engine.entities)
        return outcome, None, await drive_graph(execution, action, plan, {}, stepper, interruptible)
    except CallFailedError as failure:
        return Outcome(kind=USER_FAILURE, error=failure.error), failure.original, None


async def _take_slot(execution: Execution, spec: TaskSpec, stepper: Stepper) -> None:
    limiter = execution.limiter
    if limiter.limit is None:
        return
    longest = spec.timeout.queued_seconds
    if longest is None or limiter.free:
        await limiter.acquire(stepper)
        return
    await become_task(stepper)
    import asyncio

    try:
        await asyncio.wait_for(limiter.acquire(stepper), longest)
    except asyncio.TimeoutError:
        message = f"waited longer than {longest:g} s to start"
        raise CallFailedError(ActionError(code="Timeout", message=message, recoverable=False)) from None


async def _attempt(
    execution: Execution,
    action: Action,
    spec: TaskSpec,
    inputs: Outputs,
    executor: TaskExecutor,
    controller: ActionController,
    stepper: Stepper,
    interruptible: bool,
) -> Outcome:
    """Run one attempt: record it, submit it, wait for its end, record that."""
    table = execution.table
    number = len(action.attempts) + 1
    options = execution.options
    attempt = Attempt(
        id=f"{table.run}/{action.id}/{number}",
        run=table.run,
        action=action.id,
        number=number,
        task=spec,
        inputs=inputs,
        timeout_seconds=_remaining_seconds(execution, action, spec),
        interruptible=interruptible,
        output_prefix=f"{options.output_prefix}/{table.run}/{action.id}/{number}" if options.output_prefix else "",
        previous_checkpoint=action.checkpoint,
        project=options.project,
        domain=options.domain,
        labels=options.labels,
        environment=options.environment,
    )
    record = AttemptRecord(number=number, executor=executor.name, started_at=table.clock())
    action.attempts.append(record)
    table.change_phase(action, Phase.RUNNING)
    if table.store.durable:
        await execution.committed(stepper)
    outcome = await _submit_and_wait(execution, action, attempt, record, executor, controller, stepper)
    record.ended_at = table.clock()
    record.outcome = outcome.kind
    record.error = outcome.error
    if outcome.report:
        action.report = outcome.report
    if outcome.checkpoint:
        action.checkpoint = outcome.checkpoint
    return outcome


async def _submit_and_wait(
    execution: Execution,
    action: Action,
    attempt: Attempt,
    record: AttemptRecord,
    executor: TaskExecutor,
    controller: ActionController,
    stepper: Stepper,
) -> Outcome:
    if executor.needs_event_loop:
        await become_task(stepper)
    try:
        handle = record.handle = await _submit(execution, action, attempt, executor, controller, stepper)
    except Exception as failure:
        logger.debug("executor %s could not submit %s", executor.name, attempt.id, exc_info=True)
        return _system_failure(f"executor {executor.name} could not start the attempt: {failure}", failure)
    if execution.table.store.durable:
        execution.table.store.record(execution.table.run, action)
        await execution.committed(stepper)
    try:
        if attempt.timeout_seconds is None or executor.enforces_timeout:
            return await executor.wait(handle)
        return await _wait_at_most(executor, handle, attempt.timeout_seconds)
    except Exception as failure:
        logger.debug("executor %s lost %s", executor.name, attempt.id, exc_info=True)
        return _system_failure(f"executor {executor.name} failed: {failure}", failure)
    except BaseException:
        record.ended_at = execution.table.clock()
        record.outcome = CANCELLED
        await executor.cancel(handle)
        raise


async def _submit(
    execution: Execution,
    action: Action,
    attempt: Attempt,
    executor: TaskExecutor,
    controller: ActionController,
    stepper: Stepper,
) -> Handle:
    """Submit an attempt, as often as it takes while the executor has no room."""
    delay = _FIRST_BUSY_SECONDS
    while True:
        try:
            return await executor.submit(attempt, controller)
        except ExecutorBusyError as busy:
            execution.table.change_phase(action, Phase.QUEUED, message=str(busy))
            await become_task(stepper)
            import asyncio

            await asyncio.sleep(delay if busy.retry_after_seconds is None else busy.retry_after_seconds)
            delay = min(delay * 2, _LONGEST_BUSY_SECONDS)
            execution.table.change_phase(action, Phase.RUNNING, message="")


async def _wait_at_most(executor: TaskExecutor, handle: dict[str, object], seconds: float) -> Outcome:
    import asyncio

    waiting = asyncio.ensure_future(executor.wait(handle))
    try:
        return await asyncio.wait_for(asyncio.shield(waiting), seconds)
    except asyncio.TimeoutError:
        await executor.cancel(handle)
        await waiting
        return timed_out(seconds)
    except BaseException:
        waiting.cancel()
        raise


def timed_out(seconds: float) -> Outcome:
    """Return the outcome of an attempt that ran longer than it may."""
    return Outcome(kind=TIMED_OUT, error=ActionError(code="Timeout", message=f"ran longer than {seconds:g} s"))


def _system_failure(message: str, failure: BaseException) -> Outcome:
    return Outcome(
        kind=SYSTEM_FAILURE, error=ActionError(code=type(failure).__name__, message=message[:4_000], kind="system")
    )


def _remaining_seconds(execution: Execution, action: Action, spec: TaskSpec) -> float | None:
    limits = spec.timeout
    if limits.deadline_seconds is None:
        return limits.runtime_seconds
    left = max(0.001, action.created_at + limits.deadline_seconds - execution.table.clock())
    return left if limits.runtime_seconds is None else min(left, limits.runtime_seconds)


def _past_deadline(execution: Execution, action: Action, spec: TaskSpec) -> bool:
    deadline = spec.timeout.deadline_seconds
    return deadline is not None and execution.table.clock() >= action.created_at + deadline


def _check_inline_size(values: Outputs, limit: int, what: str) -> None:
    """Refuse values that are too large to travel inline. Numbers are not even measured."""
    if all(type(v) is Scalar and (type(v.value) is not str or len(v.value) < 1_000) for v in values.values()):
        return
    quick = max((len(v.value) for v in values.values() if isinstance(v, Bytes)), default=0)
    size = quick if quick > limit else size_bytes(values)
    if size > limit:
        largest = max(values, key=lambda name: len(msgspec.msgpack.encode(values[name])))
        raise CallFailedError(
            ActionError(
                code="InlineIOMaxBytesBreached",
                message=f"the {what} take {size:,} bytes, more than the {limit:,} that may travel inline; the largest is "
                f"{largest!r}. Pass it as a File or DataFrame, or raise max_inline_io_bytes.",
                recoverable=False,
            )
        )
