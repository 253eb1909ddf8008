"""``flytekit.testing``: tasks, workflows and references that do what a test says."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import MagicMock

from alula.errors import UsageError


@contextlib.contextmanager
def task_mock(t: Any) -> Iterator[MagicMock]:
    """Let a mock answer instead of a task, workflow or reference, in this process, while the block runs.

    Args:
        t: The task, workflow or reference.

    Raises:
        UsageError: It is none of them.
    """
    if not hasattr(t, "replaced_by"):
        raise UsageError(
            f"expected a task, workflow or reference to mock, found {type(t).__qualname__}",
            hint="Mock the tasks that it is made of.",
        )
    mock = MagicMock()
    with t.replaced_by(mock):
        yield mock


def patch(target: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Let a mock answer instead of a task, workflow or reference, while the decorated test runs; it is the test's first argument.

    Args:
        target: The task, workflow or reference.
    """

    def decorate(test: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(test)
        def run(*args: Any, **kwargs: Any) -> Any:
            with task_mock(target) as mock:
                return test(mock, *args, **kwargs)

        del run.__wrapped__  # a test runner would take the mock for a fixture
        return run

    return decorate
