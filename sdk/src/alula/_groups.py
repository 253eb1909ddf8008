"""Groups: names under which the children of a task are shown together."""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator

from alula_kernel.errors import UsageError

from ._redaction import masked
from ._state import STATE, call_site

# With the task that it belongs to: in one process, a child inherits the context variables of its parent.
_GROUP: contextvars.ContextVar[tuple[object, str]] = contextvars.ContextVar("alula_group", default=(None, ""))


@contextlib.contextmanager
def group(name: str) -> Iterator[None]:
    """Show the children that are made inside together, under a name.

    Groups can be nested: the inner one is shown as ``outer/inner``. A group is no part of a child's identity, so that it can be
    renamed without a finished child being run again.

    Args:
        name: What people see.

    Raises:
        UsageError: The name is empty.
    """
    if not name:
        raise UsageError("a group needs a name", location=call_site())
    name = masked(name)
    owner = STATE.get()
    outer = current_group(owner)
    token = _GROUP.set((owner, f"{outer}/{name}" if outer else name))
    try:
        yield
    finally:
        _GROUP.reset(token)


def current_group(owner: object) -> str:
    """Return the group in which a running task, or top-level code (None), makes children now; empty for none."""
    found, name = _GROUP.get()
    return name if found is owner else ""


__all__ = ["current_group", "group"]
