"""Keeping results apart from everything else that is printed."""

from __future__ import annotations

import contextlib
import os
import sys
from types import TracebackType
from typing import TextIO


class ResultStream:
    """Where a command prints its results.

    With `machine`, stdout is for one document and nothing else: until the ``with`` block ends, what tasks, the programs
    that they start, and scripts print on stdout goes to stderr.

    Args:
        machine: Whether another program reads stdout.
    """

    def __init__(self, *, machine: bool) -> None:
        self.machine = machine
        self._stdout: TextIO = sys.stdout
        self._document = ""
        self._saved: int | None = None
        self._redirection: contextlib.redirect_stdout[TextIO] | None = None

    def __enter__(self) -> ResultStream:
        self._stdout = sys.stdout
        if self.machine:
            self._stdout.flush()
            if _is_standard(self._stdout, 1) and _is_standard(sys.stderr, 2):
                # The descriptor too, because child processes inherit it and not sys.stdout.
                self._saved = os.dup(1)
                os.dup2(2, 1)
            self._redirection = contextlib.redirect_stdout(sys.stderr)
            self._redirection.__enter__()
        return self

    def write(self, text: str) -> None:
        """Print a result, or keep it until stdout is free again."""
        if self.machine:
            self._document += text
        else:
            self._stdout.write(text)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if self._redirection is not None:
            self._redirection.__exit__(kind, error, tb)
            self._redirection = None
        if self._saved is not None:
            sys.stderr.flush()
            os.dup2(self._saved, 1)
            os.close(self._saved)
            self._saved = None
        self._stdout.write(self._document)
        self._document = ""
        self._stdout.flush()


def _is_standard(stream: TextIO, descriptor: int) -> bool:
    try:
        return stream.fileno() == descriptor
    except (OSError, ValueError):  # a stream of a test, without a file
        return False
