"""Imports of optional libraries, with the command that installs a missing one in the error."""

from __future__ import annotations

import importlib
from typing import Any

from alula_kernel.errors import MissingDependencyError

_EXTRAS = {"pandas": "pandas", "polars": "polars", "pyarrow": "arrow", "numpy": "numpy"}


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
        extra = _EXTRAS.get(library)
        package = f'"alula[{extra}]"' if extra else library
        why = f" {purpose}" if purpose else ""
        raise MissingDependencyError(
            f"{library} is needed{why}, and is not installed", hint=f"Install it: pip install {package}"
        ) from error
