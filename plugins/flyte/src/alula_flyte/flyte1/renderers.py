"""Renderers of ``flytekitplugins.deck``, each drawn by a library that is imported when it is needed."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any


class FrameProfilingRenderer:
    """Profiles a data frame of pandas, by ydata-profiling.

    Args:
        title: A heading.
    """

    def __init__(self, title: str = "Pandas Profiling Report") -> None:
        self._title = title

    def to_html(self, df: Any) -> str:
        """Return the profile as HTML."""
        import ydata_profiling  # type: ignore[import-not-found] # there where it is used

        return str(ydata_profiling.ProfileReport(df, title=self._title).to_html())


class BoxRenderer:
    """Draws boxes and whiskers of a column, by Plotly.

    Args:
        column_name: The column.
    """

    def __init__(self, column_name: str) -> None:
        self._column_name = column_name

    def to_html(self, df: Any) -> str:
        """Return the drawing as HTML."""
        import plotly.express as px  # type: ignore[import-not-found] # there where it is used

        return str(px.box(df, y=self._column_name).to_html())


class GanttChartRenderer:
    """Draws when things began and ended, by Plotly."""

    def to_html(self, df: Any) -> str:
        """Return the drawing as HTML.

        Args:
            df: A data frame of pandas with the columns ``Name``, ``Start`` and ``Finish``.
        """
        import plotly.express as px

        return str(px.timeline(df, x_start="Start", x_end="Finish", y="Name", color="Name").to_html())


class PolarsDataFrameRenderer:
    """Shows the statistics of a data frame of polars, a line for each column."""

    def to_html(self, df: Any) -> str:
        """Return the statistics as HTML; a lazy frame is collected."""
        frame = df.collect() if hasattr(df, "collect") else df
        described = frame.describe()
        names = described.to_series(0)
        return str(described.drop(names.name).transpose(column_names=names)._repr_html_())


class TableRenderer:
    """Shows a data frame of pandas as a table."""

    def to_html(self, df: Any, header_labels: list[str] | None = None, table_width: int | None = None) -> str:
        """Return the table as HTML.

        Args:
            df: The data frame.
            header_labels: Names of the columns; those of the data frame if not given.
            table_width: Width, in percent.
        """
        if header_labels is not None:
            df = df.set_axis(header_labels, axis="columns")
        style = f' style="width:{table_width}%"' if table_width is not None else ""
        return f"<div{style}>{df.to_html(border=0)}</div>"


class ImageRenderer:
    """Shows an image: a file, or one of Pillow's."""

    def to_html(self, image_src: Any) -> str:
        """Return the image as HTML.

        Args:
            image_src: A file, its path, or an image of Pillow's.
        """
        if isinstance(image_src, (str, os.PathLike)):
            data = Path(image_src).read_bytes()
            suffix = Path(image_src).suffix.removeprefix(".").lower() or "png"
        else:
            import io

            buffer = io.BytesIO()
            suffix = (image_src.format or "png").lower()
            image_src.save(buffer, suffix)
            data = buffer.getvalue()
        return f'<img src="data:image/{suffix};base64,{base64.b64encode(data).decode()}">'
