"""Running one attempt of a Python task: inputs, the user's code, outputs, and what went wrong."""

from __future__ import annotations

import contextlib
import functools
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
from ._redaction import knows_secrets, masked
from ._state import STATE
from ._tracebacks import user_traceback
from .observing import observers, run_watched, run_watched_async

if TYPE_CHECKING:
    from alula_kernel.specs import TaskSpec

    from ._app import App
    from ._interface import CompiledInterface
    from ._task import Task


class IgnoreOutputs(Exception):
    """Raised by a task to say that this process has no outputs, as on ranks other than 0 of a distributed job."""


def make_body(task: Task, app: App) -> Callable[[Attempt, Controller], Outcome | Awaitable[Outcome]]:
    """Make the function that runs one attempt of a task, in context variables of its own, which the executor sees to."""
    compiled = task.compiled(app)
    read = task.input_reader(compiled)
    execute = task.executable()
    if not task.gives_outputs():
        execute = _without_outputs(execute)

    if task.is_async:

        async def run_async(attempt: Attempt, controller: Controller) -> Outcome:
            context = TaskContext(app, attempt, controller)
            STATE.set(context)
            values: dict[str, Any] | None = None
            try:
                spec = attempt.task
                if attempt.environment or spec.environment or spec.image or spec.secrets:
                    context.until_end.enter_context(_surroundings(attempt, context))
                values = read(attempt.inputs, context.conversion)
                result = await (run_watched_async(execute, values) if observers else execute(**values))
                return _success(task, compiled, spec, context, values, result)
            except (Exception, SystemExit) as failure:  # noqa: BLE001 - the user's code may raise anything
                return _failure(failure, task, context, controller, compiled, has_inputs=values is not None)
            finally:
                context.close()

        return run_async

    def run(attempt: Attempt, controller: Controller) -> Outcome:
        context = TaskContext(app, attempt, controller)
        STATE.set(context)
        values: dict[str, Any] | None = None
        try:
            spec = attempt.task
            if attempt.environment or spec.environment or spec.image or spec.secrets:
                context.until_end.enter_context(_surroundings(attempt, context))
            values = read(attempt.inputs, context.conversion)
            result = run_watched(execute, values) if observers else execute(**values)
            return _success(task, compiled, spec, context, values, result)
        except (Exception, SystemExit) as failure:  # noqa: BLE001 - the user's code may raise anything
            return _failure(failure, task, context, controller, compiled, has_inputs=values is not None)
        finally:
            context.close()

    return run


def _without_outputs(execute: Callable[..., Any]) -> Callable[..., Any]:
    def run(**inputs: Any) -> Any:
        execute(**inputs)
        raise IgnoreOutputs

    return run


def _success(
    task: Task,
    compiled: CompiledInterface,
    spec: TaskSpec,
    context: TaskContext,
    values: Mapping[str, Any],
    result: Any,
) -> Outcome:
    if spec.dynamic:
        outcome = task.compile_result(context, compiled, result)
    else:
        outcome = Outcome(kind=SUCCEEDED, outputs=compiled.outputs_to_literals(result, context.conversion))
    if knows_secrets():
        from ._secrets import refuse_secrets_in

        refuse_secrets_in(outcome.outputs)
    if spec.report or context.used_checkpoint is not None:
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
    if context.used_checkpoint is not None and context.used_checkpoint.saved:
        checkpoint = context.used_checkpoint.prefix
    return replace(outcome, report=report, checkpoint=checkpoint)


def _failure(
    failure: BaseException,
    task: Task,
    context: TaskContext,
    controller: Controller,
    compiled: CompiledInterface,
    *,
    has_inputs: bool,
) -> Outcome:
    if isinstance(failure, IgnoreOutputs):
        from alula_kernel.literals import NONE

        return Outcome(kind=SUCCEEDED, outputs=dict.fromkeys(compiled.outputs, NONE))
    if not has_inputs and isinstance(failure, (ValueConversionError, StorageError)):  # and no error of the user's code
        kind = SYSTEM_FAILURE if isinstance(failure, StorageError) else USER_FAILURE
        error = _error(failure, recoverable=kind == SYSTEM_FAILURE, traceback="")
    else:
        kind = USER_FAILURE
        error = error_of(failure, task.settings.retry_on)
    controller.note_exception(failure)
    outcome = Outcome(kind=kind, error=error)
    if context.attempt.task.report or context.used_checkpoint is not None:
        return _with_files(task, context, outcome)
    return outcome


def error_of(failure: BaseException, retry_on: tuple[type[BaseException], ...] | None = None) -> ActionError:
    """Describe what the user's code raised.

    Args:
        failure: What it raised.
        retry_on: The exceptions after which a retry makes sense; None for any.
    """
    if isinstance(failure, TaskError) and not failure.made_by_user:
        return failure.error
    recoverable = not isinstance(failure, (NonRecoverableError, UsageError))
    if retry_on is not None:
        recoverable = recoverable and isinstance(failure, retry_on)
    return _error(failure, recoverable=recoverable, traceback=user_traceback(failure))


def _error(failure: BaseException, *, recoverable: bool, traceback: str) -> ActionError:
    try:
        message = str(failure)
    except Exception:  # noqa: BLE001 - an exception of the user's may not even be able to say what it is
        message = f"{type(failure).__qualname__}, whose message cannot be read"
    message = masked(message)
    if len(message) > MAX_MESSAGE_CHARS:
        message = f"{message[: MAX_MESSAGE_CHARS - 40]}... ({len(message):,} characters)"
    kind = type(failure)
    made = failure.error if isinstance(failure, TaskError) else None
    return ActionError(
        code=kind.__name__ if made is None else made.code,
        message=message,
        kind="user" if made is None else made.kind,
        worker="" if made is None else made.worker,
        recoverable=recoverable,
        traceback=masked(traceback),
        exception=f"{kind.__module__}:{kind.__qualname__}",
    )


@contextlib.contextmanager
def _surroundings(attempt: Attempt, context: TaskContext) -> Iterator[None]:
    """Set the attempt's environment variables, and give it its secrets, while it runs."""
    with attempt_environment(attempt):
        if not attempt.task.secrets:
            yield
            return
        with context.secrets.given():
            yield


@functools.lru_cache
def _image_environment(image: str) -> Mapping[str, str]:
    """Return the environment variables that an image sets."""
    from alula_kernel.images import decode_image

    description = decode_image(image)
    return description.environment if description is not None else {}


@contextlib.contextmanager
def attempt_environment(attempt: Attempt) -> Iterator[None]:
    """Set the attempt's environment variables while it runs."""
    image = attempt.task.image
    wanted = {**(_image_environment(image) if image else {}), **attempt.environment, **attempt.task.environment}
    with set_variables(wanted):
        yield


@contextlib.contextmanager
def set_variables(wanted: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables of this process while the block runs."""
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
