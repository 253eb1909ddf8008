"""``flyte.io.DataFrame``: with the format ``lance`` where Lance is installed, as Flyte's plugin for it needs no import."""

from __future__ import annotations

from alula import DataFrame

from ..lance_datasets import register_tables

register_tables()

__all__ = ["DataFrame"]
