"""Texts and numbers that programs import."""

from __future__ import annotations

import sys

CACHE_KEY_METADATA = "cache-key-metadata"
DEFAULT_MAX_COLS = 100
DEFAULT_MAX_ROWS = 10
LOGGING_RICH_FMT_ENV_VAR = "FLYTE_SDK_RICH_TRACEBACKS"
MESSAGEPACK = "msgpack"
SERIALIZATION_FORMAT = "serialization-format"
SERIALIZED_CONTEXT_ENV_VAR = "_F_SS_C"


def is_imported(module_name: str) -> bool:
    """Tell whether a module is imported."""
    return module_name in sys.modules
