"""The tables of ``flyte``."""

from __future__ import annotations

from ..rows import Row, Table, adapted, missing, same

MODULES: dict[str, Table] = {"flyte": {}}
"""The rows of each module."""

MISSING_MODULES: dict[str, Row] = {}
"""Modules that are missing as a whole."""
