"""Running one attempt of a Python task: inputs, the user's code, outputs, and what went wrong."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from alula_kernel.contracts import SUCCEEDED, SYSTEM_FAILURE, USER_FAILURE, Attempt, Controller, Outcome
from alula_kernel.errors import (
    MAX_MESSAGE_CHARS,
    ActionError,
    NonRecoverableError,
    StorageError,
    TaskError,
    UsageError,
    ValueConversionError,
)

from ._context import TaskContext
from ._state import STATE
from ._tracebacks import user_traceback

if TYPE_CHECKING:
    from ._app import App
    from ._interface import CompiledInterface
    from ._task import Task


class IgnoreOutputs(Exception):
    """Raised by a task to say that this process has no outputs, as on ranks other than 0 of a distributed job."""


def make_body(task: Task, app: App) -> Callable[[Attempt, Controller], Outcome | Awaitable[Outcome]]:
    """Make the function that runs one attempt of a task."""
    compiled = task.compiled(app)
    execute = task.executable()

    if task.is_async:

        async def run_async(attempt: Attempt, controller: Controller) -> Outcome:
            context = TaskContext(app, attempt, controller)
            token = STATE.set(context)
            try:
                with _environment(attempt):
                    values = _inputs(compiled, context)
                    result = await execute(**values)
                    return _success(task, compiled, context, values, result)
            except (Exception, SystemExit) as failure:  # noqa: BLE001 - the user's code may raise anything
                return _failure(failure, context, controller, compiled)
            finally:
                STATE.reset(token)
                context.close()

        return run_async

    def run(attempt: Attempt, controller: Controller) -> Outcome:
        context = TaskContext(app, attempt, controller)
        token = STATE.set(context)
        try:
            if attempt.environment or attempt.task.environment:
                with _environment(attempt):
                    values = _inputs(compiled, context)
                    return _success(task, compiled, context, values, execute(**values))
            values = _inputs(compiled, context)
            return _success(task, compiled, context, values, execute(**values))
        except (Exception, SystemExit) as failure:  # noqa: BLE001 - the user's code may raise anything
            return _failure(failure, context, controller, compiled)
        finally:
            STATE.reset(token)
            context.close()

    return run


class InputConversionError(Exception):
    """An input could not be made; wraps the reason so that it is not taken for an error of the user's code."""


def _inputs(compiled: CompiledInterface, context: TaskContext) -> dict[str, Any]:
    try:
        return compiled.inputs_to_python(context.attempt.inputs, context.conversion)
    except (ValueConversionError, StorageError) as problem:
        raise InputConversionError from problem


def _success(
    task: Task, compiled: CompiledInterface, context: TaskContext, values: Mapping[str, Any], result: Any
) -> Outcome:
    spec = context.attempt.task
    if spec.dynamic:
        outcome = task.compile_result(context, compiled, result)
    else:
        outcome = Outcome(kind=SUCCEEDED, outputs=compiled.outputs_to_literals(result, context.conversion))
    if spec.report or "checkpoint" in context.__dict__:
        return _with_files(task, context, outcome, values, result)
    return outcome


def _with_files(
    task: Task, context: TaskContext, outcome: Outcome, values: Mapping[str, Any] | None = None, result: Any = None
) -> Outcome:
    """Add what the attempt wrote beside its outputs."""
    from msgspec.structs import replace

    report = checkpoint = ""
    if context.attempt.task.report:
        if values is not None:
            context.report.add_automatic(task, values, result, context.app)
        report = context.report.write(context.app.storage, context.output_prefix)
    if "checkpoint" in context.__dict__ and context.checkpoint.saved:
        checkpoint = context.checkpoint.prefix
    return replace(outcome, report=report, checkpoint=checkpoint)


def _failure(
    failure: BaseException, context: TaskContext, controller: Controller, compiled: CompiledInterface
) -> Outcome:
    if isinstance(failure, IgnoreOutputs):
        from alula_kernel.literals import NONE

        return Outcome(kind=SUCCEEDED, outputs=dict.fromkeys(compiled.outputs, NONE))
    if isinstance(failure, InputConversionError):
        cause = failure.__cause__
        assert isinstance(cause, UsageError)
        kind = SYSTEM_FAILURE if isinstance(cause, StorageError) else USER_FAILURE
        failure = cause
        error = _error(failure, recoverable=kind == SYSTEM_FAILURE, traceback="")
    elif isinstance(failure, TaskError):
        kind = USER_FAILURE
        error = failure.error
    else:
        kind = USER_FAILURE
        error = _error(
            failure,
            recoverable=not isinstance(failure, (NonRecoverableError, UsageError)),
            traceback=user_traceback(failure),
        )
    controller.note_exception(failure)
    outcome = Outcome(kind=kind, error=error)
    if context.attempt.task.report or "checkpoint" in context.__dict__:
        task = context.app.entities.object(context.attempt.task.id)
        return _with_files(task, context, outcome)  # type: ignore[arg-type]
    return outcome


def _error(failure: BaseException, *, recoverable: bool, traceback: str) -> ActionError:
    try:
        message = str(failure)
    except Exception:  # noqa: BLE001 - an exception of the user's may not even be able to say what it is
        message = f"{type(failure).__qualname__}, whose message cannot be read"
    if len(message) > MAX_MESSAGE_CHARS:
        message = f"{message[: MAX_MESSAGE_CHARS - 40]}... ({len(message):,} characters)"
    return ActionError(code=type(failure).__name__, message=message, recoverable=recoverable, traceback=traceback)


@contextlib.contextmanager
def _environment(attempt: Attempt) -> Iterator[None]:
    """Set the attempt's environment variables while it runs."""
    wanted = {**attempt.environment, **attempt.task.environment}
    if not wanted:
        yield
        return
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
