"""What packages need that put functions of their own in front of Alula's, as under the names of another system."""

from __future__ import annotations

from ._aio import WithAio
from ._state import count_as_own

__all__ = ["WithAio", "count_as_own", "let_promises_be_printed", "let_unions_be_narrowed"]


def let_promises_be_printed() -> None:
    """Let workflows print promises, in this process: what is printed says what they are promises of.

    For programs of a system in which that was allowed. Alula's own are told that it is of no use.
    """
    from ._promise import Promise

    Promise.let_be_printed()


def let_unions_be_narrowed() -> None:
    """Let workflows pass a value of a union where not all of its variants fit, as an optional one where None does not.

    For programs of a system that looks at values when they are there. Alula's own are told before anything runs.
    """
    from ._promise import Promise

    Promise.let_be_narrowed()
