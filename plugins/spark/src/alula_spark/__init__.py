"""Spark jobs as tasks of Alula workflows.

Names are loaded when they are first used: Alula imports this package when it starts, to see what the plugin registers.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .config import Spark

_NAMES = ("Spark",)


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(".config", __name__), name)
    globals()[name] = value
    return value


__all__ = ["Spark"]
