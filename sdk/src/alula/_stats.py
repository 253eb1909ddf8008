"""Counts and times that tasks report while they run."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

logger = logging.getLogger("alula.stats")


class Stats:
    """Takes counts and times; in a local run they go to the logger ``alula.stats``, at debug level."""

    def incr(self, metric: str, count: float = 1) -> None:
        """Add to a count."""
        logger.debug("%s +%g", metric, count)

    def decr(self, metric: str, count: float = 1) -> None:
        """Take from a count."""
        logger.debug("%s -%g", metric, count)

    def gauge(self, metric: str, value: float) -> None:
        """Say what a value is now."""
        logger.debug("%s = %g", metric, value)

    def timing(self, metric: str, seconds: float) -> None:
        """Say how long something took."""
        logger.debug("%s took %g s", metric, seconds)

    @contextmanager
    def timer(self, metric: str) -> Iterator[None]:
        """Measure how long a block takes."""
        started = time.perf_counter()
        try:
            yield
        finally:
            self.timing(metric, time.perf_counter() - started)
