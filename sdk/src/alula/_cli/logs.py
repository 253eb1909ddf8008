"""What loggers say while a run lasts."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from .failures import say, say_warning


class _ToPeople(logging.Handler):
    """Prints messages of Alula's own loggers for people: one line, without a traceback of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        tell = say_warning if record.levelno >= logging.WARNING else say
        try:
            tell(record.getMessage())
        except Exception:  # noqa: BLE001 - as every handler: a log message that cannot be shown stops nothing
            self.handleError(record)


class _Complete(logging.StreamHandler):  # type: ignore[type-arg]
    """Prints to whatever stderr is at the time, which the live tree and tests replace."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


@contextmanager
def logged(verbose: int) -> Iterator[None]:
    """Let loggers speak while the block lasts.

    Args:
        verbose: With 0, Alula's own warnings; with 1, everybody's messages from INFO on, with tracebacks; with 2 or more,
            Alula's from DEBUG on too.
    """
    own, root = logging.getLogger("alula"), logging.getLogger()
    before = own.level, root.level
    logger = own
    handler: logging.Handler = _ToPeople()
    if verbose:
        logger, handler = root, _Complete()
        handler.setFormatter(logging.Formatter("%(levelname)s %(name)s: %(message)s"))
        root.setLevel(logging.INFO)
        own.setLevel(logging.DEBUG if verbose > 1 else logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        own.setLevel(before[0])
        root.setLevel(before[1])
