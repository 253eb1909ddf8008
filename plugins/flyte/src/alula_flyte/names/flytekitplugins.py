"""The tables of ``flytekitplugins``."""

from __future__ import annotations

from ..rows import Row, Table, adapted, missing, same

MODULES: dict[str, Table] = {"flytekitplugins": {}}
"""The rows of each module."""

MISSING_MODULES: dict[str, Row] = {}
"""Modules that are missing as a whole."""
