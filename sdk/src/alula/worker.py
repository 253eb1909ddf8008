"""The worker: runs one attempt of a Python task, wherever an executor has put it.

``python -m alula.worker --attempt URI`` reads an attempt, loads its code, runs it and writes how it ended. An executor that
is in the right process already calls `run_attempt`; one that shares a pair of streams with its workers lets them `serve`,
so that running tasks can call others. What the files and messages hold is told by `alula_kernel.worker_protocol`.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, BinaryIO

from msgspec.structs import replace

from alula_kernel.contracts import (
    CANCELLED,
    SUCCEEDED,
    SYSTEM_FAILURE,
    USER_FAILURE,
    Attempt,
    CodeReference,
    Controller,
    Outcome,
)
from alula_kernel.errors import ActionError, StorageError
from alula_kernel.worker_protocol import Ended, load_attempt, store_outcome

from ._app import App, current_app
from ._context import TaskContext
from ._state import STATE
from ._worker_channel import Channel, ChannelController, EngineGoneError
from ._worker_code import load_code_into, loading_failure, task_in
from ._worker_signals import AttemptStopped, StopSignals

if TYPE_CHECKING:
    from alula_kernel.engine import OpenRun
    from alula_kernel.specs import EntityId, Target, TaskSpec

    from ._task import Task

FAILED = 1
"""Exit code for an attempt that has any other outcome than success."""


def load_code(code: CodeReference) -> None:
    """Make the code of a run importable in this process: what is loaded already is not loaded again.

    Raises:
        UsageError: It cannot be read, or is damaged.
        Exception: What code of the user's raised while it was unpickled.
    """
    load_code_into(current_app(), code)


def task_of(spec: TaskSpec) -> Task:
    """Return the task that a spec describes, in code that was loaded.

    Raises:
        CodeError: It is not there; the message names the module and where it was looked for.
        Exception: What the user's module raised when it was imported.
    """
    return task_in(current_app(), spec)


def run_attempt(attempt: Attempt, controller: Controller | None = None) -> Outcome:
    """Load the code of an attempt and run it to its end in this thread and process.

    Coroutine functions run in an event loop of their own. The time limit of the attempt is kept as far as Python can:
    code that stays inside one C function is stopped when it comes back.

    Args:
        attempt: What to run.
        controller: How it calls other entities. Without one they run in this process too, as part of the attempt.

    Returns:
        How it ended. Nothing is written but what the task itself writes.

    Raises:
        KeyboardInterrupt: The attempt was interrupted from outside.
        EngineGoneError: The controller's channel was closed while a call waited.
    """
    return attempt_in(current_app(), attempt, controller)


def attempt_in(app: App, attempt: Attempt, controller: Controller | None = None) -> Outcome:
    """Run an attempt as `run_attempt` does, in an application that the caller has at hand."""
    from ._body import attempt_environment

    with attempt_environment(attempt):  # modules of the user's may look at it when they are imported
        try:
            if attempt.code is not None:
                load_code_into(app, attempt.code)
            task_in(app, attempt.task).body(app)
        except (Exception, SystemExit) as failure:  # noqa: BLE001 - modules of the user's may raise anything
            return loading_failure(failure)
        if controller is not None:
            return _run(app, attempt, controller)
        run = _run_for_calls(app, attempt)
        try:
            outcome = _run(app, attempt, run.controller)
        except BaseException as stop:
            run.end(stopped=str(stop) or type(stop).__name__)
            raise
        run.end(outcome.error)
        return outcome


@contextlib.contextmanager
def joined_attempt(attempt: Attempt) -> Iterator[TaskContext]:
    """Make this process one more of an attempt that another process runs, while the block runs.

    `alula.current_context` answers as in the attempt. Entities that are called run in this process, as part of the attempt.
    Environment variables and secrets are those of this process; whoever starts it inside of the attempt hands them on.

    Args:
        attempt: The attempt.
    """
    app = current_app()
    app.settings.import_preloaded()
    run = _run_for_calls(app, attempt)
    context = TaskContext(app, attempt, run.controller)
    token = STATE.set(context)
    try:
        yield context
    except BaseException as stop:
        run.end(stopped=str(stop) or type(stop).__name__)
        raise
    else:
        run.end()
    finally:
        STATE.reset(token)
        context.close()


def _run_for_calls(app: App, attempt: Attempt) -> OpenRun:
    """Open a run in this process for what an attempt calls without an engine to ask."""
    from alula_kernel.engine import MemoryStore, RunOptions

    options = RunOptions(
        project=attempt.project,
        domain=attempt.domain,
        labels=attempt.labels,
        environment=attempt.environment,
        output_prefix=f"{attempt.output_prefix}/calls" if attempt.output_prefix else "",
        context=attempt.context,
        code=attempt.code,
    )
    engine = app.engine_over(MemoryStore())
    engine.listeners = ()  # the attempt is announced by the engine that it belongs to
    return engine.open_run(attempt.task.id.name, attempt.task.id, options)


def _run(app: App, attempt: Attempt, controller: Controller) -> Outcome:
    from alula_kernel.builtin.inline import InlineExecutor
    from alula_kernel.engine.stepping import Stepper, become_task, run_blocking

    executor, stepper = InlineExecutor(app.body), Stepper()

    async def drive() -> Outcome:
        if not attempt.task.blocking:
            await become_task(stepper)
        running = executor.run(attempt, controller)
        return running if isinstance(running, Outcome) else await running

    try:
        outcome = run_blocking(drive())
    except (KeyboardInterrupt, EngineGoneError):
        raise
    except BaseException as failure:  # noqa: BLE001 - not even an Exception, but the user's all the same
        from ._tracebacks import user_traceback

        error = ActionError(code=type(failure).__name__, message=str(failure), traceback=user_traceback(failure))
        return Outcome(kind=USER_FAILURE, error=error)
    return with_entities(app, outcome)


def with_entities(app: App, outcome: Outcome) -> Outcome:
    """Return an outcome with the specs behind its graph, if it has one."""
    if outcome.graph is None:
        return outcome
    from alula_kernel.specs import entity_ids

    return replace(outcome, entities=tuple(app.entities.behind(*entity_ids(outcome.graph))))


def run_stored(uri: str) -> Outcome:
    """Run the attempt that lies at a URI, and write how it ended beside it.

    Raises:
        StorageError: The attempt cannot be read, or the outcome cannot be written.
        KeyboardInterrupt: It was interrupted; no outcome is written.
    """
    app = current_app()
    attempt = load_attempt(app.storage, uri)
    outcome = run_attempt(attempt)
    store_outcome(app.storage, attempt, outcome)
    return outcome


def serve(stream_in: BinaryIO, stream_out: BinaryIO) -> int:
    """Run the attempts that come over a channel, one after the other, until it is closed; in the main thread only.

    The outcome of each is written to its file and then sent. An attempt that is told to stop ends as cancelled. If the
    channel is closed an attempt goes on, unless it waits for a call, which nobody would answer: then it ends at once and
    writes no outcome.

    Args:
        stream_in: Messages of the executor, blocking.
        stream_out: Messages to the executor.

    Returns:
        0 if the last attempt succeeded or there was none, else 1.

    Raises:
        AttemptStopped: A signal asked the process to end. No outcome was written.
    """
    app = current_app()
    with StopSignals() as signals:
        channel = Channel(stream_in, stream_out, signals.stop)
        status = 0
        while (attempt := channel.next_attempt()) is not None:
            controller = controller_over(channel, app)
            try:
                with signals.attempt():
                    outcome = attempt_in(app, attempt, controller)
            except EngineGoneError:
                return FAILED
            except AttemptStopped as stopped:
                if not stopped.by_executor:
                    raise
                outcome = _cancelled(stopped.reason)
            if controller.engine_gone:  # the task went on without the answer, so that what it made is worth nothing
                return FAILED
            channel.send(Ended(_stored(app, attempt, outcome)))
            status = 0 if outcome.kind == SUCCEEDED else FAILED
        channel.close()
    return status


def controller_over(channel: Channel, app: App) -> ChannelController:
    """Return what an attempt may ask of the engine at the other end of a channel."""
    return ChannelController(channel, lambda target: app.entities.behind(*_called(target)))


def _called(target: Target) -> list[EntityId]:
    entity = getattr(target, "entity", None)
    return [] if entity is None else [entity]


def _cancelled(reason: str) -> Outcome:
    return Outcome(kind=CANCELLED, error=ActionError(code="Aborted", message=reason or "cancelled", recoverable=False))


def _stored(app: App, attempt: Attempt, outcome: Outcome) -> Outcome:
    """Write an outcome and return it, or what became of it if it could not be written."""
    try:
        store_outcome(app.storage, attempt, outcome)
    except StorageError as problem:
        error = ActionError(code="StorageError", message=f"the outcome could not be written: {problem}", kind="system")
        return Outcome(kind=SYSTEM_FAILURE, error=error)
    return outcome


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line of the worker.

    Args:
        arguments: Arguments; those of the process if not given.

    Returns:
        0 if the attempt succeeded, 1 if it did not. A bad command line exits with 2.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments and arguments[0] in {"--template", "--child"}:  # of the ``process`` executor
        from alula_kernel.builtin.process.worker import worker_main

        from ._worker_process import ProcessWorker

        worker_main(arguments, ProcessWorker())
    import argparse

    parser = argparse.ArgumentParser(
        prog="python -m alula.worker", description="Run one attempt, or the attempts that come over a channel."
    )
    choice = parser.add_mutually_exclusive_group(required=True)
    choice.add_argument("--attempt", metavar="URI", help="where the attempt lies; the outcome is written beside it")
    choice.add_argument(
        "--channel",
        nargs=2,
        type=int,
        metavar=("IN", "OUT"),
        help="file descriptors over which messages are exchanged; see alula_kernel.worker_protocol",
    )
    given = parser.parse_args(arguments)
    try:
        if given.channel:
            # Never closed: a thread may be reading, and what could not be written would be written again.
            return serve(open(given.channel[0], "rb"), open(given.channel[1], "wb", buffering=0))
        with StopSignals() as signals, signals.attempt():
            outcome = run_stored(given.attempt)
    except AttemptStopped as stopped:
        return stopped.end_process()
    except StorageError as problem:
        _say(f"error: {problem}")
        return FAILED
    if outcome.error is not None:
        _say(f"{outcome.kind}: {outcome.error.code}: {outcome.error.message}\n{outcome.error.traceback}")
    return 0 if outcome.kind == SUCCEEDED else FAILED


def _say(text: str) -> None:
    print(text.rstrip(), file=sys.stderr)  # noqa: T201 - this is what a command says


if __name__ == "__main__":
    sys.exit(main())
