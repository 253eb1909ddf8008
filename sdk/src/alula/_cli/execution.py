"""Running an entity for the command line: progress, history, interruption, results."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from alula_kernel.engine import Phase, RunOptions, new_run_name
from alula_kernel.errors import MAX_MESSAGE_CHARS, ActionError

from .._app import App, current_app
from .._gates import TextAnswer
from .._history import History, RunRecord, this_process
from .._run import _finished, _prepared
from .._settings import Settings
from .._tree import duration_text
from .collector import working
from .entity_options import EntityCommand, input_values
from .failures import FAILED, Terminated, say, say_failure, say_warning
from .progress import begin_progress
from .results import outputs_text, run_json
from .values import pairs, values_from_file

if TYPE_CHECKING:
    from .._entity import Entity
    from .run import RunRequest, Session


def execute(command: EntityCommand, texts: Mapping[str, tuple[str, ...]], session: Session) -> int:
    """Run an entity with the inputs of the command line; return the exit code.

    Args:
        command: The entity and its interface.
        texts: The texts of its options.
        session: The options of the run.

    Raises:
        UsageError: An input or option is wrong; nothing has run.
        KeyboardInterrupt: The run was interrupted; that is recorded.
    """
    app = current_app()
    if app.settings.cache != Settings.cache:
        app.cache  # noqa: B018 - a cache that was chosen and does not exist is wrong use, not a run without a cache
    request = session.request
    values = values_from_file(request.inputs_file, command.compiled) if request.inputs_file else {}
    values.update(input_values(command, texts))
    app.answers.update({name: TextAnswer(text) for name, text in pairs(request.answer, "--answer").items()})
    spec, inputs, options = _prepared(app, command.entity, (), values, _run_options(command, request, app))
    record = RunRecord(
        name=options.name,
        entity=command.entity.name,
        kind=command.entity.kind,
        source=request.module or os.path.abspath(command.where),
        project=options.project,
        domain=options.domain,
        labels=options.labels,
        process=this_process(),
        started_at=time.time(),
        inputs=inputs,
    )
    with History(app.settings.home / "runs.db", say_warning) as history:
        history.begin(record)
        try:
            _drive(record, app, command.entity, spec, inputs, options, request.verbose)
        finally:
            history.finish(record)
            app.close()
            if session.results.machine:
                session.results.write(run_json(record))
    return _told(record, session)


def _drive(
    record: RunRecord, app: App, entity: Entity, spec: Any, inputs: Any, options: RunOptions, verbose: int
) -> None:
    """Run to the end and fill in how it went, also if it is stopped on the way."""
    progress = begin_progress(record, app, verbose)
    app.listen(progress)
    try:
        with progress, stoppable(), working():
            run = _finished(app, entity, app.engine.run_blocking(spec, inputs, options))
    except BaseException as stop:
        record.actions = list(app.engine.store.actions(record.name))
        app.engine.store.forget(record.name)
        _note_stop(record, stop)
        raise
    record.ended_at = time.time()
    record.actions = list(run.actions)
    record.inputs = record.actions[0].inputs  # with the defaults
    record.status = run.phase.value
    record.outputs = dict(run.output_literals)
    record.error = run.error


def _note_stop(record: RunRecord, stop: BaseException) -> None:
    record.ended_at = time.time()
    record.status = Phase.ABORTED.value
    if isinstance(stop, KeyboardInterrupt):
        record.message = "interrupted"
        took = duration_text(record.ended_at - record.started_at)
        stop.args = (f"interrupted: run {record.name} was stopped after {took}",)
    else:
        record.error = ActionError(code=type(stop).__name__, message=str(stop)[:MAX_MESSAGE_CHARS])


def _told(record: RunRecord, session: Session) -> int:
    """Say how the run ended; return the exit code."""
    took = duration_text((record.ended_at or record.started_at) - record.started_at)
    if record.error is not None:
        failed = next((action for action in record.actions if action.id == record.error.action), None)
        say_failure(record.error, len(failed.attempts) if failed is not None else 0)
        say(f"run {record.name} {record.status.replace('_', ' ')} after {took}")
        return FAILED
    say(f"run {record.name} succeeded in {took}")
    if not session.results.machine:
        session.results.write(outputs_text(record.outputs))
    return 0


@contextmanager
def stoppable() -> Iterator[None]:
    """Let SIGTERM and SIGHUP stop the run as Ctrl-C does, so that children are stopped and temporary files removed."""
    import signal
    import threading

    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, _frame: object) -> None:
        raise Terminated(number)

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run_options(command: EntityCommand, request: RunRequest, app: App) -> RunOptions:
    return RunOptions(
        name=request.name or new_run_name(),
        project=app.settings.project,
        domain=app.settings.domain,
        labels=pairs(request.label, "--label"),
        environment=pairs(request.env, "--env"),
        overwrite_cache=request.cache_overwrite,
        disable_cache=request.no_cache,
        max_parallelism=request.max_parallelism,
    )
