"""``LocalTaskCache``: the cache of runs on this machine."""

from __future__ import annotations

import os

from msgspec.structs import replace

import alula
from alula_kernel.engine import RunOptions

_NO = frozenset({"", "0", "f", "false", "n", "no", "off"})


def options_of_variables(options: RunOptions) -> RunOptions:
    """Return the options of a run with what ``FLYTE_LOCAL_CACHE_ENABLED`` and ``FLYTE_LOCAL_CACHE_OVERWRITE`` say now."""
    if os.environ.get("FLYTE_LOCAL_CACHE_ENABLED", "true").lower() in _NO:
        return replace(options, disable_cache=True)
    if os.environ.get("FLYTE_LOCAL_CACHE_OVERWRITE", "").lower() not in _NO:
        return replace(options, overwrite_cache=True)
    return options


class LocalTaskCache:
    """The cache of runs on this machine, which is Alula's."""

    @staticmethod
    def initialize() -> None:
        """Do nothing: it is made when it is first needed."""

    @staticmethod
    def clear() -> None:
        """Forget everything."""
        alula.current_app().cache.clear()
