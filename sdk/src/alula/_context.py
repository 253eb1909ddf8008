"""What running code can ask about itself: `current_context`, checkpoints, reports."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
from typing import TYPE_CHECKING, Any

from alula_kernel.contracts import Attempt, Controller, ConversionContext

from ._state import STATE

if TYPE_CHECKING:
    import logging
    import tempfile

    from ._app import App
    from ._checkpoint import Checkpoint
    from ._compile import Compilation
    from ._report import Report
    from ._secrets import Secrets
    from ._stats import Stats


class TaskContext:
    """What an attempt knows about itself.

    Args:
        app: The application.
        attempt: The attempt.
        controller: How it calls other entities.

    Attributes:
        conversion: What converters may use in this attempt.
    """

    compiling = False

    def __init__(self, app: App, attempt: Attempt, controller: Controller) -> None:
        self.app = app
        self.attempt = attempt
        self.controller = controller
        prefix = attempt.output_prefix
        self.conversion = ConversionContext(app.conversion.storage, prefix) if prefix else app.conversion

    # --- names of both generations ---

    @property
    def run_name(self) -> str:
        """Name of the run."""
        return self.attempt.run

    @property
    def action_name(self) -> str:
        """Id of the action in its run's tree."""
        return self.attempt.action

    @property
    def attempt_number(self) -> int:
        """1 for the first attempt."""
        return self.attempt.number

    @property
    def project(self) -> str:
        """Project of the run."""
        return self.attempt.project

    @property
    def domain(self) -> str:
        """Domain of the run."""
        return self.attempt.domain

    @property
    def mode(self) -> str:
        """Where the attempt runs: ``local``."""
        return "local"

    @property
    def action(self) -> ActionId:
        """Id of the action, with those of its run."""
        return ActionId(self.attempt.action, self.attempt.run, self.attempt.project, self.attempt.domain)

    @property
    def compilation_state(self) -> Compilation | None:
        """The graph that a dynamic task is making, with its ``nodes`` so far; None in other tasks."""
        return _compilation()

    @property
    def execution_id(self) -> ExecutionId:
        """Project, domain and name of the run."""
        return ExecutionId(self.attempt.project, self.attempt.domain, self.attempt.run)

    @property
    def task_id(self) -> Any:
        """Id of the task."""
        return self.attempt.task.id

    @functools.cached_property
    def execution_date(self) -> dt.datetime:
        """When the attempt asked first, in UTC."""
        return dt.datetime.now(dt.timezone.utc)

    @functools.cached_property
    def working_directory(self) -> str:
        """A folder for the attempt's own files, removed when it ends."""
        import tempfile

        folder = tempfile.TemporaryDirectory(prefix="alula-")
        self._cleanup = folder
        return folder.name

    _cleanup: tempfile.TemporaryDirectory[str] | None = None

    @property
    def output_prefix(self) -> str:
        """URI prefix for what the attempt writes."""
        return self.attempt.output_prefix

    raw_output_prefix = raw_data_path = output_prefix

    @property
    def logging(self) -> logging.Logger:
        """The logger ``alula.task``."""
        from ._logger import logger

        return logger

    @functools.cached_property
    def checkpoint(self) -> Checkpoint:
        """What the attempt before left, and what this one leaves for the next."""
        from ._checkpoint import Checkpoint

        return Checkpoint(self.app.storage, f"{self.output_prefix}/checkpoint", self.attempt.previous_checkpoint)

    @functools.cached_property
    def data(self) -> dict[str, Any]:
        """What plugins offer to the task, by name; also as ``context[name]`` and as attributes in lower case."""
        return {}

    def __getitem__(self, name: str) -> Any:
        return self.data[name]

    if not TYPE_CHECKING:  # what plugins offer is not known to checkers; everything else is

        def __getattr__(self, name: str) -> Any:
            offered: dict[str, Any] = self.__dict__.get("data", {})
            for key in (name, name.upper()):
                if key in offered:
                    return offered[key]
            raise AttributeError(f"the context of a task has no {name!r}")

    @functools.cached_property
    def secrets(self) -> Secrets:
        """The secrets that the task may read."""
        from ._secrets import Secrets

        return Secrets(self.app)

    @functools.cached_property
    def stats(self) -> Stats:
        """Where counts and times are reported."""
        from ._stats import Stats

        return Stats()

    @property
    def enable_deck(self) -> bool:
        """Whether the task was asked for a report."""
        return self.attempt.task.report

    @functools.cached_property
    def report(self) -> Report:
        """The HTML report of the action."""
        from ._report import Report

        return Report(self.attempt.task.id.name, enabled=self.attempt.task.report)

    @property
    def decks(self) -> list[Any]:
        """The decks of the attempt, in order."""
        return self.report.decks

    @property
    def default_deck(self) -> Any:
        """The first deck."""
        return self.report.tab("default")

    def close(self) -> None:
        """Remove the folders that it made, if there are any."""
        if self._cleanup is not None:
            self._cleanup.cleanup()
        checkpoint = self.__dict__.get("checkpoint")
        if checkpoint is not None:
            checkpoint.close()


@dataclasses.dataclass(frozen=True)
class ActionId:
    """Identity of an action.

    Attributes:
        name: Its id in its run's tree.
        run_name: Name of the run.
        project: Project of the run.
        domain: Domain of the run.
    """

    name: str
    run_name: str
    project: str
    domain: str


class ExecutionId:
    """Identity of a run.

    Attributes:
        project: Project.
        domain: Domain.
        name: Name of the run.
    """

    __slots__ = ("domain", "name", "project")

    def __init__(self, project: str, domain: str, name: str) -> None:
        self.project = project
        self.domain = domain
        self.name = name

    def __repr__(self) -> str:
        return f"{self.project}/{self.domain}/{self.name}"


def ctx() -> TaskContext | None:
    """Return the context of the running task; None outside of one."""
    state = STATE.get()
    return state if state is None or isinstance(state, TaskContext) else state.context


def current_context() -> Any:
    """Return the context of the running task; outside of one, a context of its own for trying things out."""
    found = ctx()
    if found is not None:
        return found
    from ._app import current_app

    return _outside(current_app())


@functools.lru_cache(maxsize=1)
def _outside(app: App) -> OutsideContext:
    return OutsideContext(app)


def _compilation() -> Compilation | None:
    state = STATE.get()
    return None if isinstance(state, TaskContext) else state


class OutsideContext:
    """What `current_context` gives outside of a task: a folder and a logger, and nothing of a run."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.execution_id = ExecutionId(app.settings.project, app.settings.domain, "local")
        self.task_id = None
        self.output_prefix = self.raw_output_prefix = str(app.settings.home / "data")

    @property
    def logging(self) -> logging.Logger:
        """The logger ``alula.task``."""
        from ._logger import logger

        return logger

    @property
    def compilation_state(self) -> Compilation | None:
        """The workflow that is being compiled, with its ``nodes`` so far; None if none is."""
        return _compilation()

    @property
    def execution_date(self) -> dt.datetime:
        """Now, in UTC."""
        return dt.datetime.now(dt.timezone.utc)

    @functools.cached_property
    def working_directory(self) -> str:
        """A folder, removed when the process ends."""
        from ._data.scratch import scratch

        return str(scratch.new_folder())

    @functools.cached_property
    def secrets(self) -> Secrets:
        """The secrets that a task could read."""
        from ._secrets import Secrets

        return Secrets(self.app)

    @functools.cached_property
    def stats(self) -> Stats:
        """Where counts and times are reported."""
        from ._stats import Stats

        return Stats()

    @functools.cached_property
    def checkpoint(self) -> Checkpoint:
        """A checkpoint that no attempt came before."""
        from ._checkpoint import Checkpoint

        return Checkpoint(self.app.storage, f"{self.working_directory}/checkpoint", "")


__all__ = ["ActionId", "ExecutionId", "OutsideContext", "TaskContext", "ctx", "current_context"]
