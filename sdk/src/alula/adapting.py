"""What packages need that put functions of their own in front of Alula's, as under the names of another system."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ._aio import WithAio
from ._state import count_as_own

if TYPE_CHECKING:
    from alula_kernel.engine import RunOptions

__all__ = [
    "WithAio",
    "complete_options_by",
    "count_as_own",
    "let_outputs_hold_secrets",
    "let_promises_be_printed",
    "let_unions_be_narrowed",
]


def complete_options_by(complete: Callable[[RunOptions], RunOptions]) -> None:
    """Let a function change the options of each run that begins in this process, from now on.

    For settings of a system that holds them for every run, as in environment variables. Calling it again with the same
    function does nothing.

    Args:
        complete: It is given what the caller said, and returns what holds.
    """
    from ._run import options_completed_by

    if complete not in options_completed_by:
        options_completed_by.append(complete)


def let_outputs_hold_secrets() -> None:
    """Let tasks return the values of secrets, in this process: they are stored, and a warning says so.

    For programs of a system in which that was allowed. Alula's own are refused.
    """
    from ._secrets import Outputs

    Outputs.may_hold_secrets = True


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
