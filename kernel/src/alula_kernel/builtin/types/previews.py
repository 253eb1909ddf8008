"""Previews of collections: as HTML, small tables, escaped and of bounded size; as text, what their items show."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice

MAX_ROWS = 50
"""Rows shown of a table."""

MAX_COLUMNS = 20
"""Columns shown of a table."""

MAX_CELL_CHARS = 200
"""Characters shown in a cell."""

MAX_TEXT_CHARS = 1_000
"""About how many characters are shown of a collection as text."""


_DELIMITERS = frozenset("([{<'\"")


def delimited(text: str) -> str:
    """Put a text with a comma in parentheses, unless it begins with a quote or bracket: one sees where an item ends."""
    return f"({text})" if ", " in text and text[0] not in _DELIMITERS else text


def cell(text: str) -> str:
    """Escape the beginning of a text."""
    import html

    return html.escape(text if len(text) <= MAX_CELL_CHARS else f"{text[: MAX_CELL_CHARS - 3]}...")


def bracketed(brackets: str, items: Iterable[str]) -> str:
    """Join the texts of items between brackets; those that have no room any more are not asked for."""
    parts: list[str] = []
    room = MAX_TEXT_CHARS
    for item in items:
        if room <= 0:
            parts.append("...")
            break
        parts.append(item)
        room -= len(item) + 2
    text = f"{brackets[0]}{', '.join(parts)}{brackets[1]}"
    return text if len(text) <= MAX_TEXT_CHARS else f"{text[: MAX_TEXT_CHARS - 3]}..."


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
