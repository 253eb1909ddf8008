"""The command line: ``alula``.

Each command has a module of its own, which is imported when the command is used.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

COMPLETION_VARIABLE = "_ALULA_COMPLETE"
"""Set by the shell's completion script, which `alula completion` prints, when it asks for completions."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: The arguments, without the name of the program; those of the process if not given.

    Returns:
        The exit code: 0, 1 for a failed run, 2 for wrong use, 130 after Ctrl-C.
    """
    if argv is not None:
        return _guarded(list(argv))
    from .collector import resting

    with resting():
        return _guarded(sys.argv[1:])


def _guarded(arguments: list[str]) -> int:
    from .failures import guarded

    return guarded(lambda: _main(arguments))


def _main(arguments: list[str]) -> int:
    from .commands import build

    group = build()
    instruction = os.environ.get(COMPLETION_VARIABLE)
    if instruction:
        from click.shell_completion import shell_complete

        try:
            return shell_complete(group, {}, "alula", COMPLETION_VARIABLE, instruction)
        except Exception:  # noqa: BLE001 - a file that cannot be loaded has no completions, and nobody asked for its errors
            from .failures import FAILED

            return FAILED
    with group.make_context("alula", arguments) as context:
        result = group.invoke(context)
    return result if isinstance(result, int) else 0
