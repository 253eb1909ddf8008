"""The tables of ``flytekit``."""

from __future__ import annotations

from ..rows import Row, Table, adapted, missing, same

MODULES: dict[str, Table] = {
    "flytekit": {
        "task": adapted("alula_flyte.flyte1.tasks:task", "only recoverable exceptions are retried", own="alula:task"),
        "workflow": same("alula:workflow"),
    },
}
"""The rows of each module."""

MISSING_MODULES: dict[str, Row] = {}
"""Modules that are missing as a whole."""
