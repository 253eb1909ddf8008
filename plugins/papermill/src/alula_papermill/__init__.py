"""Jupyter notebooks as nodes of Alula workflows.

Names are loaded when they are first used: Alula imports this package when it starts, to see what the plugin registers.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cells import load_input, record_outputs
    from .errors import NotebookFailedError
    from .task import NotebookTask

_HOMES = {
    "NotebookFailedError": ".errors",
    "NotebookTask": ".task",
    "load_input": ".cells",
    "record_outputs": ".cells",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOMES[name], __name__), name)
    globals()[name] = value
    return value


__all__ = ["NotebookFailedError", "NotebookTask", "load_input", "record_outputs"]
