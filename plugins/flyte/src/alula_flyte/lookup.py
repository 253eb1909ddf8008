"""A dotted name of a program, looked up in the tables."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from .names import is_module, missing_module, table_of
from .rows import Row


class Found(msgspec.Struct, frozen=True):
    """What a dotted name that begins with a module of Flyte's stands for.

    Attributes:
        name: The name with its module, without what follows it: ``flyte.io.File`` for ``flyte.io.File.from_local``.
        row: What becomes of it; None if no table has it, and for a module.
        length: How many of the parts are the name.
        is_module: Whether it is a module that the tables have.
    """

    name: str
    row: Row | None
    length: int
    is_module: bool = False


def look_up(parts: Sequence[str], at_least: int = 1) -> Found:
    """Look up a dotted name.

    Args:
        parts: The parts of the name; the first is a top-level module of Flyte's.
        at_least: How many of them are known to be names of modules or in modules, because an import has them: so many
            are in the name of what is found, if the tables do not have it.
    """
    module, row = parts[0], None
    for position in range(1, len(parts)):
        part = parts[position]
        row = (table_of(module) or {}).get(part)
        below = f"{module}.{part}"
        if is_module(below) and (row is None or ":" not in row.target):
            module = below
            continue
        if row is not None:
            return Found(below, row, position + 1)
        length = max(position + 1, at_least)
        return Found(".".join(parts[:length]), missing_module(below), length)
    if is_module(module):
        return Found(module, row, len(parts), is_module=True)
    return Found(module, missing_module(module), len(parts))
