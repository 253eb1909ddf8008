"""``LocalTaskCache``: the cache of runs on this machine."""

from __future__ import annotations

import alula


class LocalTaskCache:
    """The cache of runs on this machine, which is Alula's."""

    @staticmethod
    def initialize() -> None:
        """Do nothing: it is made when it is first needed."""

    @staticmethod
    def clear() -> None:
        """Forget everything."""
        alula.current_app().cache.clear()
