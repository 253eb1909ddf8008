"""Running an entity for the command line: progress, history, interruption, results."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from alula_kernel.engine import FINAL, Action, Phase, RunOptions, new_run_name
from alula_kernel.errors import ActionError

from .._app import App, current_app
from .._gates import TextAnswer
from .._history import History, RunRecord, this_process
from .._run import Run, finished, prepared
from .entity_options import EntityCommand, input_values
from .failures import INTERRUPTED, Terminated, say, say_failure, say_warning
from .progress import Progress, begin_progress
from .results import print_result
from .values import pairs, values_from_file

if TYPE_CHECKING:
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
    request = session.request
    values = values_from_file(request.inputs_file, command.compiled) if request.inputs_file else {}
    values.update(input_values(command, texts))
    app.answers.update({name: TextAnswer(text) for name, text in pairs(request.answer, "--answer").items()})
    spec, inputs, options = prepared(app, command.entity, (), values, _run_options(command, request, app))
    record = RunRecord(
        name=options.name,
        entity=command.entity.name,
        kind=command.entity.kind,
        source=request.module or (command.where or ""),
        project=options.project,
        domain=options.domain,
        labels=options.labels,
        process=this_process(),
        started_at=time.time(),
        inputs=inputs,
    )
    history = History(app.settings.home / "runs.db", say_warning)
    history.begin(record)
    progress = begin_progress(record, app, verbose=request.verbose, quiet=False)
    app.listen(progress)
    run: Run | None = None
    try:
        with progress, stoppable():
            run = finished(app, command.entity, app.engine.run_blocking(spec, inputs, options))
    finally:
        _note_end(record, run, app, sys.exc_info()[1])
        history.finish(record)
        history.close()
        if run is None:
            app.engine.store.forget(options.name)
        app.close()
        if not (run is None and session.request.output == "text"):
            print_result(record, run, session.results)
    return 0


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
        launch_plan=command.entity.name if command.entity.kind == "launch_plan" else "",
    )
