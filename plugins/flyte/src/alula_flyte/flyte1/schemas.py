"""How a schema is opened, and how it is stored."""

from __future__ import annotations

import enum


class SchemaFormat(enum.Enum):
    """How it is stored."""

    PARQUET = "parquet"


class SchemaOpenMode(enum.Enum):
    """How it is opened."""

    READ = "r"
    WRITE = "w"
