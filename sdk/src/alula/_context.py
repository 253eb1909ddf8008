"""What running code can ask about itself: `current_context`, checkpoints, reports."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import os
from typing import TYPE_CHECKING, Any

import msgspec

from alula_kernel.contracts import Attempt, Controller, ConversionContext

from ._state import STATE

if TYPE_CHECKING:
    import logging

    from alula_kernel.contracts import CodeReference

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
    awaits_calls = False
    """Whether the task awaits plain entities as well as async ones; it may say so before its first call."""

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
    def version(self) -> str:
        """Version of the task; empty for one that was not registered."""
        return self.attempt.task.id.version

    @property
    def custom_context(self) -> dict[str, str]:
        """What `alula.get_custom_context` returns."""
        from ._custom_context import get_custom_context

        return get_custom_context()

    @property
    def group_data(self) -> str:
        """Name of the group in which children are made now; empty for none."""
        from ._groups import current_group

        return current_group(self)

    @property
    def code_bundle(self) -> CodeReference | None:
        """Where a worker finds the code; None where only this process can run it."""
        return self.attempt.code

    @property
    def run_start_time(self) -> dt.datetime:
        """When the run began, in UTC: the same in every attempt of every task of the run."""
        return dt.datetime.fromtimestamp(self.attempt.run_started_at, dt.timezone.utc)

    # Of a process among those that a launcher such as torchrun or mpirun has started for one attempt.

    @property
    def rank(self) -> int:
        """Number of this process among those of the attempt, from 0."""
        return _launched("RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", default=0)

    @property
    def world_size(self) -> int:
        """How many processes the attempt has."""
        return _launched("WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE", default=1)

    @property
    def local_rank(self) -> int:
        """Number of this process among those of its machine, from 0."""
        return _launched("LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", default=0)

    @property
    def local_world_size(self) -> int:
        """How many processes of the attempt run on this machine."""
        return _launched("LOCAL_WORLD_SIZE", "OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS", default=1)

    @property
    def node_rank(self) -> int:
        """Number of this machine among those of the attempt, from 0."""
        return _launched("GROUP_RANK", "NODE_RANK", "OMPI_COMM_WORLD_NODE_RANK", default=0)

    def is_in_cluster(self) -> bool:
        """Tell whether the attempt runs in a Kubernetes pod."""
        return "KUBERNETES_SERVICE_HOST" in os.environ

    @property
    def in_worker(self) -> bool:
        """Whether the attempt runs in another process than the engine, which ends without its ``atexit`` handlers."""
        from ._worker_channel import ChannelController

        return isinstance(self.controller, ChannelController)

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
        from ._leftovers import working_folder

        return self.until_end.enter_context(working_folder())

    @property
    def output_prefix(self) -> str:
        """URI prefix for what the attempt writes."""
        return self.attempt.output_prefix

    raw_output_prefix = raw_data_path = output_path = output_prefix

    @property
    def run_base_dir(self) -> str:
        """URI prefix for what the whole run writes."""
        return self.attempt.output_prefix.removesuffix(f"/{self.attempt.action}/{self.attempt.number}")

    @property
    def logging(self) -> logging.Logger:
        """The logger ``alula.task``."""
        from ._logger import logger

        return logger

    @property
    def checkpoint(self) -> Checkpoint:
        """What the attempt before left, and what this one leaves for the next."""
        if self.used_checkpoint is None:
            from ._checkpoint import Checkpoint

            prefix = f"{self.output_prefix}/checkpoint"
            self.used_checkpoint = Checkpoint(self.app.storage, prefix, self.attempt.previous_checkpoint)
            self.until_end.callback(self.used_checkpoint.close)
        return self.used_checkpoint

    used_checkpoint: Checkpoint | None = None
    """The same if the attempt has asked for it, else None."""

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

        return Secrets(self.app, self.attempt.task.secrets)

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

    @functools.cached_property
    def open_conditions(self) -> set[str]:
        """Names of the conditions that it waits for."""
        return set()

    @property
    def until_end(self) -> contextlib.ExitStack:
        """What is left when the attempt has ended and its outputs are stored; for plugins whose values need it so long."""
        if self._until_end is None:
            self._until_end = contextlib.ExitStack()
        return self._until_end

    _until_end: contextlib.ExitStack | None = None

    def close(self) -> None:
        """Leave what was entered until the end."""
        if self._until_end is not None:
            self._until_end.close()


class ActionId(msgspec.Struct, frozen=True):
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


def _launched(*names: str, default: int) -> int:
    """Return a number that a launcher has put into the environment."""
    for name in names:
        value = os.environ.get(name, "")
        if value.isdecimal():
            return int(value)
    return default


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
        self.output_prefix = self.raw_output_prefix = app.settings.path("data")

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
