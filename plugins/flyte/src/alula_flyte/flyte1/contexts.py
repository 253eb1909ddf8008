"""``FlyteContextManager.current_context()``: what runs now, for programs that look behind `current_context`."""

from __future__ import annotations

import enum
import functools
from typing import Any, NoReturn

import alula

from .file_access import FileAccessProvider


class ExecutionMode(enum.Enum):
    """How code is executed."""

    TASK_EXECUTION = 1
    LOCAL_WORKFLOW_EXECUTION = 2
    LOCAL_TASK_EXECUTION = 3
    DYNAMIC_TASK_EXECUTION = 4
    EAGER_EXECUTION = 5
    EAGER_LOCAL_EXECUTION = 6


class ExecutionState:
    """How code is executed now."""

    Mode = ExecutionMode

    @property
    def mode(self) -> ExecutionMode:
        """That of a task if one is running."""
        running = alula.ctx() is not None
        return ExecutionMode.LOCAL_TASK_EXECUTION if running else ExecutionMode.LOCAL_WORKFLOW_EXECUTION

    @property
    def user_space_params(self) -> Any:
        """What `flytekit.current_context` gives."""
        return alula.current_context()

    @property
    def working_dir(self) -> str:
        """Folder of the running task."""
        return str(alula.current_context().working_directory)

    @staticmethod
    def is_local_execution() -> bool:
        """Whether it is executed on this machine: yes."""
        return True


class ExecutionParameters:
    """The class of what `flytekit.current_context` gives, for annotations."""


class FlyteContext:
    """What runs now. It can be asked, and not be replaced by another."""

    Builder = None

    @property
    def file_access(self) -> FileAccessProvider:
        """Files, here and where data is stored."""
        return _file_access()

    @property
    def user_space_params(self) -> Any:
        """What `flytekit.current_context` gives."""
        return alula.current_context()

    @property
    def execution_state(self) -> ExecutionState:
        """How code is executed."""
        return ExecutionState()

    @property
    def compilation_state(self) -> Any:
        """The workflow that is being compiled; None if none is."""
        return alula.current_context().compilation_state

    @property
    def serialization_settings(self) -> None:
        """None: nothing is made for a cluster."""
        return

    flyte_client = serialization_settings

    @staticmethod
    def current_context() -> FlyteContext:
        """Return what runs now."""
        return FlyteContextManager.current_context()

    def get_deck(self) -> str:
        """Return the report of the running task, as HTML."""
        return str(alula.current_context().report.to_html())

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotImplementedError(
            f"Alula has no FlyteContext.{name}: the context of what runs can be asked, and not be replaced\n"
            "  Give a task its settings where it is defined, or where it is called, with with_overrides."
        )


@functools.lru_cache(maxsize=1)
def _file_access() -> FileAccessProvider:
    return FileAccessProvider()


class FlyteContextManager:
    """Knows what runs now."""

    @staticmethod
    def current_context() -> FlyteContext:
        """Return what runs now."""
        return FlyteContext()

    @staticmethod
    def size() -> int:
        """Return how many contexts there are."""
        return 1

    @staticmethod
    def initialize() -> None:
        """Do nothing: there is nothing to be prepared."""

    @staticmethod
    def with_context(*_args: Any, **_options: Any) -> NoReturn:
        """Refuse: see `FlyteContext`."""
        FlyteContext().with_context()

    push_context = pop_context = with_context
