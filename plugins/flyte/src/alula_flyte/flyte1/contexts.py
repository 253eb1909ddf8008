"""``FlyteContextManager.current_context()``: what runs now, for programs that look behind `current_context`."""

from __future__ import annotations

import contextlib
import contextvars
import enum
import functools
from collections.abc import Iterator
from typing import Any

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

    def with_params(self, **_params: Any) -> ExecutionState:
        """Return it as it is."""
        return self

    @staticmethod
    def is_local_execution() -> bool:
        """Whether it is executed on this machine: yes."""
        return True


class ExecutionParameters:
    """The class of what `flytekit.current_context` gives, for annotations."""


class FlyteContext:
    """What runs now. Another one, made by a method that begins with ``with``, differs by its `file_access` at most.

    Args:
        file_access: Files, here and where data is stored.
        serialization_settings: Kept, and not looked at.
    """

    def __init__(self, file_access: FileAccessProvider | None = None, serialization_settings: Any = None) -> None:
        self._file_access = file_access
        self.serialization_settings = serialization_settings
        self.flyte_client = None

    @property
    def file_access(self) -> FileAccessProvider:
        """Files, here and where data is stored."""
        return self._file_access or _file_access()

    @property
    def user_space_params(self) -> Any:
        """What `flytekit.current_context` gives."""
        return alula.current_context()

    @property
    def execution_state(self) -> ExecutionState:
        """How code is executed."""
        return ExecutionState()

    def new_execution_state(self, *_settings: Any) -> ExecutionState:
        """Return how code is executed."""
        return ExecutionState()

    @property
    def compilation_state(self) -> Any:
        """The workflow that is being compiled; None if none is."""
        return alula.current_context().compilation_state

    @staticmethod
    def current_context() -> FlyteContext:
        """Return what runs now."""
        return FlyteContextManager.current_context()

    def get_deck(self) -> str:
        """Return the report of the running task, as HTML."""
        return str(alula.current_context().report.to_html())

    # --- others ---

    def with_file_access(self, fa: FileAccessProvider) -> FlyteContext:
        """Return one with another `file_access`."""
        return FlyteContext(fa, self.serialization_settings)

    def with_serialization_settings(self, ss: Any) -> FlyteContext:
        """Return one with other settings, which nobody looks at."""
        return FlyteContext(self._file_access, ss)

    def with_execution_state(self, _state: Any = None) -> FlyteContext:
        """Return one like it: how code is executed is not for the program to say."""
        return FlyteContext(self._file_access, self.serialization_settings)

    with_compilation_state = with_new_compilation_state = new_builder = build = with_execution_state

    def __enter__(self) -> FlyteContext:
        self._block = FlyteContextManager.with_context(self)
        return self._block.__enter__()

    def __exit__(self, *problem: Any) -> None:
        self._block.__exit__(*problem)


@functools.lru_cache(maxsize=1)
def _file_access() -> FileAccessProvider:
    return FileAccessProvider()


_CURRENT: contextvars.ContextVar[tuple[FlyteContext, ...]] = contextvars.ContextVar("alula_flyte_contexts", default=())


class FlyteContextManager:
    """Knows what runs now."""

    @staticmethod
    def current_context() -> FlyteContext:
        """Return what runs now."""
        made = _CURRENT.get()
        return made[-1] if made else FlyteContext()

    @staticmethod
    def size() -> int:
        """Return how many contexts there are."""
        return len(_CURRENT.get()) + 1

    @staticmethod
    def initialize() -> None:
        """Do nothing: there is nothing to be prepared."""

    @staticmethod
    @contextlib.contextmanager
    def with_context(b: FlyteContext) -> Iterator[FlyteContext]:
        """Let another context be the current one while the block runs."""
        token = _CURRENT.set((*_CURRENT.get(), b))
        try:
            yield b
        finally:
            _CURRENT.reset(token)

    @staticmethod
    def push_context(ctx: FlyteContext) -> FlyteContext:
        """Let another context be the current one."""
        _CURRENT.set((*_CURRENT.get(), ctx))
        return ctx

    @staticmethod
    def pop_context() -> FlyteContext:
        """Let the one before be the current one again.

        Raises:
            IndexError: There is none.
        """
        *rest, last = _CURRENT.get()
        _CURRENT.set(tuple(rest))
        return last


@contextlib.contextmanager
def new_context() -> Iterator[FlyteContext]:
    """Let a new context be the current one while the block runs."""
    with FlyteContextManager.with_context(FlyteContext()) as made:
        yield made
