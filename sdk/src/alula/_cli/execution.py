"""Running an entity for the command line: progress, history, interruption, results."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from alula_kernel.engine import (
    ROOT_ACTION,
    MemoryStore,
    RunOptions,
    RunRecord,
    StoreError,
    check_interface,
    name_taken,
    new_run_name,
    this_process,
)
from alula_kernel.engine.sqlite_store import SqliteStore
from alula_kernel.errors import UsageError

from .._app import App, current_app
from .._gates import TextAnswer
from .._history import actions_of, cut, find_run, open_history
from .._loading import compile_spec, find_entity, load, load_module
from .._run import _prepared
from .._settings import DEFAULT_CACHE
from .._tree import duration_text
from .collector import working
from .entity_options import EntityCommand, input_values
from .failures import FAILED, Terminated, say, say_failure, say_warning
from .progress import begin_progress
from .results import outputs_text, run_json
from .values import pairs, values_from_file

if TYPE_CHECKING:
    from alula_kernel.engine import Engine, RunResult, Store
    from alula_kernel.specs import EntitySpec

    from .._entity import Entity
    from .._interface import CompiledInterface
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
    if app.settings.cache != DEFAULT_CACHE:
        app.cache  # noqa: B018 - a cache that was chosen and does not exist is wrong use, not a run without a cache
    request = session.request
    values = values_from_file(request.inputs_file, command.compiled) if request.inputs_file else {}
    values.update(input_values(command, texts))
    app.answers.update({name: TextAnswer(text) for name, text in pairs(request.answer, "--answer").items()})
    spec, inputs, options = _prepared(app, command.entity, (), values, _run_options(command, request, app))

    def run(engine: Engine) -> RunResult:
        return engine.run_blocking(spec, inputs, options)

    store = open_history(app.settings, say_warning)
    try:
        store.prepare()
    except StoreError as problem:
        say_warning(f"{problem}; the run goes on, and cannot be resumed or shown later")
        return _drive(run, options, command.entity, MemoryStore(), app, session)
    if request.name and store.find_run(request.name) is not None:  # before anything is said; the engine refuses it, too
        store.close()
        raise name_taken(request.name)
    return _drive(run, options, command.entity, store, app, session)


def resume(session: Session) -> int:
    """Go on with a run whose process has died; return the exit code.

    Raises:
        UsageError: There is no such run, it is over, or what it runs cannot be found any more; nothing has run.
        KeyboardInterrupt: The run was interrupted; that is recorded.
    """
    app, request = current_app(), session.request
    app.answers.update({name: TextAnswer(text) for name, text in pairs(request.answer, "--answer").items()})
    with closing(open_history(app.settings, say_warning)) as store:
        name = find_run(store, request.resume).name
        record = app.engine_over(store).resumable(name)
        entity = _loaded_again(record)

        def run(engine: Engine) -> RunResult:
            return engine.resume_blocking(name)

        return _drive(run, record.options, entity, store, app, session, ", resumed")


def _loaded_again(record: RunRecord) -> Entity:
    """Load what a run runs from where it was loaded when the run began."""
    source = record.options.source
    if not source:
        raise UsageError(f"the run {record.name!r} does not say where its code is, so that it cannot be resumed")
    with working():
        module = load(source) if os.path.isabs(source) else load_module(source)
    entity = find_entity(module, record.entity.name, source)
    compile_spec(entity)
    check_interface(record, entity.spec(current_app()))
    return entity


def _drive(
    run: Callable[[Engine], RunResult],
    options: RunOptions,
    entity: Entity,
    store: Store,
    app: App,
    session: Session,
    began: str = "",
) -> int:
    """Run to the end, record and tell how it went, also if it is stopped on the way; return the exit code.

    Args:
        run: Runs it on an engine.
        options: Its options; its name among them.
        entity: What it runs.
        store: Where it is kept.
        app: The application.
        session: The options of the command.
        began: Said where it begins.
    """
    name, started_at = options.name, time.time()
    progress = begin_progress(name, entity.id(app), store, app, session.request.verbose, began)
    app.listen(progress)
    result: RunResult | None = None
    record, attempts = None, 0
    try:
        with progress, stoppable(), working():
            result = run(app.engine_over(store))
    except KeyboardInterrupt as stop:
        stop.args = (f"interrupted: run {name} was stopped after {duration_text(time.time() - started_at)}",)
        raise
    except StoreError:
        say(f"run {name} was interrupted; go on with it: alula run --resume {name}")
        raise
    finally:
        try:
            record = _ended(store, options, entity.spec(app), started_at, result)
            if record is not None:
                attempts = _settle(record, store, session)
        except StoreError as problem:  # what the run gave is told all the same
            say_warning(str(problem))
        store.close()
        app.close()
    assert record is not None
    return _told(record, attempts, entity.compiled(app), session)


def _settle(record: RunRecord, store: Store, session: Session) -> int:
    """Print the document of a run that is over, if one is wanted, and cut what is kept of it.

    Returns:
        How many attempts the action that failed had.
    """
    if session.results.machine:
        session.results.write(run_json(record, actions_of(store, record, say_warning)))
    failed = None if record.error is None else store.find(record.name, record.error.action)
    if isinstance(store, SqliteStore):
        store.shorten(record, cut)
    return 0 if failed is None else len(failed.attempts)


def _ended(
    store: Store, options: RunOptions, spec: EntitySpec, started_at: float, result: RunResult | None
) -> RunRecord | None:
    """Return what there is to say of a run; None if it has not begun, or did not end."""
    if result is None and store.durable:
        found = store.find_run(options.name)
        return found if found is not None and found.owner == this_process() and found.ended_at is not None else None
    root = store.find(options.name, ROOT_ACTION) if result is None else result.root
    if root is None:
        return None
    return RunRecord(
        name=options.name,
        entity=spec.id,
        interface=spec.interface,
        inputs=root.inputs,
        options=options,
        status=root.phase.value,
        started_at=root.created_at or started_at,
        ended_at=root.ended_at,
        outputs={} if result is None else result.outputs,
        error=None if result is None else result.error,
        message=root.message,
    )


def _told(record: RunRecord, attempts: int, compiled: CompiledInterface, session: Session) -> int:
    """Say how the run ended; return the exit code."""
    took = duration_text((record.ended_at or record.started_at) - record.started_at)
    if record.error is not None:
        say_failure(record.error, attempts)
        say(f"run {record.name} {record.status.replace('_', ' ')} after {took}")
        return FAILED
    say(f"run {record.name} succeeded in {took}")
    if session.request.output == "python":
        session.results.write(f"{compiled.outputs_to_python(record.outputs)}\n")
    elif not session.results.machine:
        session.results.write(outputs_text(record.outputs, compiled))
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


def _source(where: str) -> str:
    """Return the absolute path of a file, or the name of a module."""
    return os.path.abspath(where) if os.path.exists(where) else where


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
        executor=request.executor,
        source=request.module or _source(command.where),
    )
