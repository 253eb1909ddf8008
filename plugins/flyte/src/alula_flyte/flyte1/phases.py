"""``flytekit.models.core.execution``: phases as the numbers that Flyte 1 gives them."""

from __future__ import annotations

from typing import ClassVar


class WorkflowExecutionPhase:
    """Phases of a run."""

    UNDEFINED: ClassVar[int] = 0
    QUEUED: ClassVar[int] = 1
    RUNNING: ClassVar[int] = 2
    SUCCEEDING: ClassVar[int] = 3
    SUCCEEDED: ClassVar[int] = 4
    FAILING: ClassVar[int] = 5
    FAILED: ClassVar[int] = 6
    ABORTED: ClassVar[int] = 7
    TIMED_OUT: ClassVar[int] = 8
    ABORTING: ClassVar[int] = 9

    @classmethod
    def enum_to_string(cls, int_value: int) -> str:
        """Return the name of a phase."""
        return _name_of(cls, int_value)


class NodeExecutionPhase:
    """Phases of a node."""

    UNDEFINED: ClassVar[int] = 0
    QUEUED: ClassVar[int] = 1
    RUNNING: ClassVar[int] = 2
    SUCCEEDED: ClassVar[int] = 3
    FAILING: ClassVar[int] = 4
    FAILED: ClassVar[int] = 5
    ABORTED: ClassVar[int] = 6
    SKIPPED: ClassVar[int] = 7
    TIMED_OUT: ClassVar[int] = 8
    DYNAMIC_RUNNING: ClassVar[int] = 9
    RECOVERED: ClassVar[int] = 10

    @classmethod
    def enum_to_string(cls, int_value: int) -> str:
        """Return the name of a phase."""
        return _name_of(cls, int_value)


class TaskExecutionPhase:
    """Phases of a task."""

    UNDEFINED: ClassVar[int] = 0
    QUEUED: ClassVar[int] = 1
    RUNNING: ClassVar[int] = 2
    SUCCEEDED: ClassVar[int] = 3
    ABORTED: ClassVar[int] = 4
    FAILED: ClassVar[int] = 5
    INITIALIZING: ClassVar[int] = 6
    WAITING_FOR_RESOURCES: ClassVar[int] = 7

    @classmethod
    def enum_to_string(cls, int_value: int) -> str:
        """Return the name of a phase."""
        return _name_of(cls, int_value)


def _name_of(phases: type, number: int) -> str:
    return next((name for name, value in vars(phases).items() if value == number and name.isupper()), "{INVALID}")
