"""The tables: for each module of Flyte's, what becomes of each of its names.

A table holds the public names that programs use. `table_of` gives that of a module; `tables` gives all.
"""

from __future__ import annotations

import importlib

from ..rows import Row, Table

_HOMES = {
    "flytekit": ".flytekit",
    "flytekitplugins": ".flytekitplugins",
    "flyte": ".flyte",
    "flyteplugins": ".flyteplugins",
}
"""The module with the tables of each top-level name."""


def is_flyte(module: str) -> bool:
    """Tell whether a module is one of Flyte's."""
    return module.partition(".")[0] in _HOMES


def _home(module: str) -> tuple[dict[str, Table], dict[str, Row]]:
    home = importlib.import_module(_HOMES[module.partition(".")[0]], __name__)
    return home.MODULES, home.MISSING_MODULES


def table_of(module: str) -> Table | None:
    """Return the table of a module of Flyte's; None if there is none."""
    return _home(module)[0].get(module)


def missing_module(module: str) -> Row | None:
    """Return why a module of Flyte's, or the package that it is in, is missing; None if nothing is known of it."""
    rows = _home(module)[1]
    parts = module.split(".")
    return next((rows[name] for n in range(len(parts), 0, -1) if (name := ".".join(parts[:n])) in rows), None)


def submodules(module: str) -> set[str]:
    """Return the last names of the modules directly below a module of Flyte's."""
    prefix = f"{module}."
    return {name[len(prefix) :].partition(".")[0] for name in _home(module)[0] if name.startswith(prefix)}


def is_module(module: str) -> bool:
    """Tell whether there is a table of a module, or of one below it."""
    known = _home(module)[0]
    return module in known or any(name.startswith(f"{module}.") for name in known)


def row_of(module: str, name: str) -> Row | None:
    """Return the row of a name of a module; None if it is not known, or is a module below it."""
    row = (table_of(module) or {}).get(name)
    below = f"{module}.{name}"
    return row if row is not None or is_module(below) else missing_module(below)


def tables() -> dict[str, Table]:
    """Return all tables by module."""
    return {module: table for top in _HOMES for module, table in _home(top)[0].items()}


def missing_modules() -> dict[str, Row]:
    """Return the modules that are missing as a whole."""
    return {module: row for top in _HOMES for module, row in _home(top)[1].items()}
