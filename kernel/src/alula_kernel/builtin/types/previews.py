"""Previews of values as HTML: small tables, escaped and of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

MAX_ROWS = 50
"""Rows shown of a table."""

MAX_COLUMNS = 20
"""Columns shown of a table."""

MAX_CELL_CHARS = 200
"""Characters shown in a cell."""


def cell(text: str) -> str:
    """Escape the beginning of a text."""
    import html

    return html.escape(text if len(text) <= MAX_CELL_CHARS else f"{text[: MAX_CELL_CHARS - 3]}...")


def table(rows: Iterable[Sequence[str]], *, total_rows: int, header: Sequence[str] = ()) -> str:
    """Make a table.

    Args:
        rows: Cells as text, row by row; those beyond `MAX_ROWS` are not asked for.
        total_rows: How many rows there are, to say how many are not shown.
        header: Names of the columns; without them, the first cell of each row is its name.
    """
    lines = ["<table>"]
    columns = 0
    if header:
        columns = len(header)
        lines.append(_row(header, "th", "th"))
    for row in islice(rows, MAX_ROWS):
        columns = max(columns, len(row))
        lines.append(_row(row, "td" if header else "th", "td"))
    lines.append("</table>")
    if total_rows > MAX_ROWS:
        lines.append(f"<p>{total_rows - MAX_ROWS:,} more rows</p>")
    if columns > MAX_COLUMNS:
        lines.append(f"<p>{columns - MAX_COLUMNS:,} more columns</p>")
    return "".join(lines)


def _row(cells: Sequence[str], first_tag: str, tag: str) -> str:
    tags = [first_tag] + [tag] * len(cells)
    shown = (f"<{tags[i]}>{cell(text)}</{tags[i]}>" for i, text in enumerate(cells[:MAX_COLUMNS]))
    return f"<tr>{''.join(shown)}</tr>"
