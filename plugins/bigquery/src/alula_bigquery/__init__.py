"""BigQuery queries as nodes of Alula workflows.

Names are loaded when they are first used: Alula imports this package when it starts, to see what the plugin registers.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .config import BigQueryConfig
    from .task import BigQueryTask

_HOMES = {"BigQueryConfig": ".config", "BigQueryTask": ".task"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value


__all__ = ["BigQueryConfig", "BigQueryTask"]
