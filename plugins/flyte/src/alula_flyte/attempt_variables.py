"""Environment variables that Flyte gives to each attempt: what `os.environ` says of them goes by the task that asks.

Attempts share a process, and so its environment; a variable of the process could be that of one of them only.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

_VARIABLES: dict[str, Callable[[Any], str]] = {
    "FLYTE_ATTEMPT_NUMBER": lambda context: str(context.attempt.number - 1),
    "FLYTE_INTERNAL_EXECUTION_DOMAIN": lambda context: str(context.domain),
    "FLYTE_INTERNAL_EXECUTION_ID": lambda context: str(context.run_name),
    "FLYTE_INTERNAL_EXECUTION_PROJECT": lambda context: str(context.project),
}

_Environment: Any = type(os.environ)


class _WithAttempts(_Environment):  # type: ignore[misc]  # what `os.environ` is has no public name
    """The environment of the process, and the variables of the running attempt."""

    def __getitem__(self, key: str) -> str:
        if key in _VARIABLES:
            import alula

            context = alula.ctx()
            if context is not None:
                return _VARIABLES[key](context)
        return str(super().__getitem__(key))


def give() -> None:
    """Let `os.environ` have them, in this process."""
    os.environ.__class__ = _WithAttempts
