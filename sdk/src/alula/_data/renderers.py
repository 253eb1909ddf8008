"""Previews of data frames: the first rows as an HTML table or as text. Everything that users wrote is escaped."""

from __future__ import annotations

import html
from typing import Any, Protocol, runtime_checkable

from .columns import canonical
from .dataframe import DataFrame
from .frames.builtin import library_of

MAX_CELL_CHARS = 200
"""Longest text shown of a cell."""

_TEXT_CELL_CHARS = 24


@runtime_checkable
class Renderer(Protocol):
    """Shows values as HTML; put one into ``Annotated`` to use it for previews of an output."""

    def to_html(self, df: Any) -> str:
        """Return an HTML fragment. It is shown in a sandbox, without scripts."""


class TopFrameRenderer:
    """Shows the first rows and columns of a data frame of any library.

    Args:
        max_rows: Rows to show.
        max_cols: Columns to show.
    """

    def __init__(self, max_rows: int = 10, max_cols: int = 100) -> None:
        self._max_rows = max_rows
        self._max_cols = max_cols

    def to_html(self, df: Any) -> str:
        """Return an HTML table.

        Raises:
            TypeError: It is no data frame of a library that Alula knows.
        """
        head, caption = _head(df, self._max_rows)
        if head is None:
            return f"<p>{html.escape(caption)}</p>"
        shown = head.select(head.column_names[: self._max_cols])
        titles = "".join(
            f'<th title="{html.escape(canonical(str(field.type)))}">{html.escape(field.name)}</th>'
            for field in shown.schema
        )
        rows = "".join(f"<tr>{''.join(_cell(value) for value in row)}</tr>" for row in _rows(shown))
        return (
            f"<table><caption>{html.escape(caption)}</caption><thead><tr>{titles}</tr></thead>"
            f"<tbody>{rows}</tbody></table>"
        )

    def to_text(self, df: Any) -> str:
        """Return lines of aligned columns, at most about 1,000 characters.

        Raises:
            TypeError: It is no data frame of a library that Alula knows.
        """
        head, caption = _head(df, self._max_rows)
        if head is None or not head.num_columns:
            return caption
        shown = head.select(head.column_names[: min(self._max_cols, 8)])
        lines = [[_short(name) for name in shown.column_names]]
        lines += [[_short(value) for value in row] for row in _rows(shown)]
        widths = [max(len(line[column]) for line in lines) for column in range(shown.num_columns)]
        text = "\n".join(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
        )
        return f"{caption}\n{text[:900]}"


class ArrowRenderer:
    """Shows the columns of a data frame and their types."""

    def to_html(self, df: Any) -> str:
        """Return an HTML table of columns.

        Raises:
            TypeError: It is no data frame of a library that Alula knows.
        """
        head, caption = _head(df, 0)
        schema = df.schema if head is None else head.schema
        rows = "".join(
            f"<tr><td>{html.escape(field.name)}</td><td>{html.escape(str(field.type))}</td></tr>" for field in schema
        )
        return (
            f"<table><caption>{html.escape(caption)}</caption><thead><tr><th>column</th><th>type</th></tr></thead>"
            f"<tbody>{rows}</tbody></table>"
        )


def _head(df: Any, rows: int) -> tuple[Any | None, str]:
    """Return the first rows as an Arrow table, and the caption; None for what cannot be looked at twice."""
    if isinstance(df, DataFrame):
        if df.dataframe is None:
            return None, repr(df)
        df = df.dataframe
    library = library_of(df)
    if library is None:
        raise TypeError(f"{type(df).__qualname__} is no data frame that can be shown")
    height, width = library.shape(df)
    extent = f"{height:,} rows x {width:,} columns" if height is not None else f"{width:,} columns"
    return library.head(df, rows), f"{type(df).__qualname__}, {extent}"


def _rows(table: Any) -> list[tuple[Any, ...]]:
    columns = [_values(column) for column in table.columns]
    return list(zip(*columns, strict=True))


def _values(column: Any) -> list[Any]:
    try:
        return column.to_pylist()  # type: ignore[no-any-return]
    except (ValueError, OverflowError):  # a date that Python cannot hold, or nanoseconds without pandas
        return [str(value) for value in column]


def _cell(value: Any) -> str:
    return "<td></td>" if value is None else f"<td>{html.escape(_cut(str(value), MAX_CELL_CHARS))}</td>"


def _short(value: Any) -> str:
    return "" if value is None else _cut(" ".join(str(value).split()), _TEXT_CELL_CHARS)


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 3]}..."
