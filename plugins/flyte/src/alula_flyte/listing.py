"""The tables as text, for ``alula flyte names``, and as Markdown, for the documentation."""

from __future__ import annotations

from collections.abc import Iterator

from alula_kernel.errors import UnknownNameError

from .names import missing_modules, tables
from .rows import Row


def listing(module: str | None = None) -> str:
    """Return the rows of a module, or of all, one a line.

    Raises:
        UnknownNameError: There is no table of that module.
    """
    known = tables()
    if module is not None and module not in known:
        raise UnknownNameError.among("module of Flyte", module, known)
    chosen = known if module is None else {module: known[module]}
    lines = []
    for name, table in chosen.items():
        lines += [name, *(f"  {line}" for line in _lines(table)), ""]
    if module is None:
        lines += [f"{name}  missing: {row.note}" for name, row in missing_modules().items()]
    return "\n".join(lines).rstrip() + "\n"


def _lines(table: dict[str, Row]) -> Iterator[str]:
    width = max(map(len, table), default=0)
    for name, row in table.items():
        what = " -> ".join(filter(None, [row.status, row.own.replace(":", ".")]))
        told = "; ".join(filter(None, [row.note, row.instead]))
        yield f"{name:{width}}  {what}{': ' if told else ''}{told}"


def markdown() -> str:
    """Return all tables as Markdown, one section for each module."""
    parts = []
    for module, table in tables().items():
        parts.append(f"## {module}\n\n| name | what becomes of it | |\n|---|---|---|")
        for name, row in table.items():
            own = f"{row.status}: `{row.own.replace(':', '.')}`" if row.own else row.status
            told = "; ".join(filter(None, [row.note, row.instead])).replace("|", r"\|")
            parts[-1] += f"\n| `{name}` | {own} | {told} |"
    if missing_modules():
        rows = "".join(
            f"\n| `{name}` | {'; '.join(filter(None, [row.note, row.instead]))} |"
            for name, row in missing_modules().items()
        )
        parts.append(f"## Modules that are missing\n\n| module | why, and what to use |\n|---|---|{rows}")
    return "\n\n".join(parts) + "\n"
