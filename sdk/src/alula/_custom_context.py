"""The custom context: texts by name that every task hands on to the tasks that it calls."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator

from alula_kernel.errors import UsageError

from ._context import ctx
from ._state import STATE, call_site

_NOTHING: dict[str, str] = {}

# With the task that it belongs to: in one process, a child inherits the context variables of its parent.
_ADDED: contextvars.ContextVar[tuple[object, dict[str, str]]] = contextvars.ContextVar(
    "alula_custom_context", default=(None, _NOTHING)
)


@contextlib.contextmanager
def custom_context(**entries: str) -> Iterator[None]:
    """Add entries to the custom context of everything that is called inside, and of what that calls in turn.

    At top level they go to the runs that begin inside. The custom context is no part of a child's identity and of no cache
    key: what decides about a result is an input.

    Args:
        entries: Text by name; one that exists already is replaced.

    Raises:
        UsageError: A value is no text.
    """
    for name, value in entries.items():
        if not isinstance(value, str):
            raise UsageError(
                f"entry {name!r} of the custom context must be a str, found {type(value).__qualname__}",
                hint="Pass what is not text as an input.",
                location=call_site(),
            )
    owner = STATE.get()
    token = _ADDED.set((owner, {**added_context(owner), **entries}))
    try:
        yield
    finally:
        _ADDED.reset(token)


def get_custom_context() -> dict[str, str]:
    """Return the custom context as it is here: that of the running task, and what `custom_context` blocks around add."""
    context = ctx()
    handed = _NOTHING if context is None else context.attempt.context
    return {**handed, **added_context(STATE.get())}


def added_context(owner: object) -> dict[str, str]:
    """Return what blocks around the present code of a running task, or of top-level code (None), add; not to be changed."""
    found, entries = _ADDED.get()
    return entries if found is owner else _NOTHING


__all__ = ["added_context", "custom_context", "get_custom_context"]
