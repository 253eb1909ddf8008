"""Imports of optional libraries, with the command that installs a missing one in the error."""

from __future__ import annotations

import importlib
import sys
from typing import Any

from alula_kernel.errors import MissingDependencyError

_EXTRAS = {"pandas": "pandas", "polars": "polars", "pyarrow": "arrow", "numpy": "numpy", "textual": "tui"}


def _extra_for(library: str) -> str | None:
    """Return the extra of ours that installs a library: for pyarrow, that of the library whose frames need it."""
    users = [user for user in ("pandas", "polars") if library == "pyarrow" and sys.modules.get(user) is not None]
    return users[0] if users else _EXTRAS.get(library)


def load(module: str, purpose: str = "") -> Any:
    """Import a module of an optional library.

    Args:
        module: Its name, as ``pyarrow.parquet``.
        purpose: What needs it, for the message, as ``to read data frames``.

    Raises:
        MissingDependencyError: It is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        library = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != library:
            raise
        extra = _extra_for(library)
        package = f'"alula[{extra}]"' if extra else library
        why = f" {purpose}" if purpose else ""
        raise MissingDependencyError(
            f"{library} is needed{why}, and is not installed", hint=f"Install it: pip install {package}"
        ) from error
