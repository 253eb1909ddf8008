"""The tables of ``flyteplugins``."""

from __future__ import annotations

from ..rows import Row, Table, adapted, missing, same

MODULES: dict[str, Table] = {"flyteplugins": {}}
"""The rows of each module."""

MISSING_MODULES: dict[str, Row] = {}
"""Modules that are missing as a whole."""
