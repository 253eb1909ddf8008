"""polars data frames to Arrow and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from alula_kernel.errors import ValueConversionError

from ..dependencies import load
from .arrow_handlers import FrameLibrary
from .arrow_library import plain_dictionaries
from .codecs import ROW_GROUP_ROWS, Selection, arrow, require_columns

_PATTERN = frozenset("*?[")


class PolarsLibrary(FrameLibrary[Any]):
    """``polars.DataFrame``."""

    names = ("polars.dataframe.frame.DataFrame", "polars.DataFrame")

    def to_reader(self, frame: Any, columns: tuple[str, ...], index: bool) -> Any:
        """Convert a frame.

        Raises:
            ValueConversionError: A column is missing.
        """
        if columns:
            require_columns(columns, frame.columns)
            frame = frame.select(columns)
        return plain_dictionaries(_to_arrow(frame)).to_reader()

    def from_table(self, table: Any) -> Any:
        """Convert back, sharing memory where the types allow."""
        return load("polars", "to read a data frame as polars.DataFrame").from_arrow(table)

    def head(self, frame: Any, rows: int) -> Any:
        """Return the first rows; columns that Arrow cannot hold become text."""
        pl = load("polars")
        top = frame.head(rows)
        objects = [name for name, kind in top.schema.items() if kind == pl.Object]
        texts = [pl.Series(name, [str(value) for value in top[name]]) for name in objects]
        return _to_arrow(top.with_columns(texts))

    def shape(self, frame: Any) -> tuple[int | None, int]:
        """Return the numbers of rows and columns."""
        return frame.shape  # type: ignore[no-any-return]


class LazyPolarsLibrary(FrameLibrary[Any]):
    """``polars.LazyFrame``: stored batch by batch, and a local Parquet or Arrow file is read when it is collected."""

    names = ("polars.lazyframe.frame.LazyFrame", "polars.LazyFrame")

    def to_reader(self, frame: Any, columns: tuple[str, ...], index: bool) -> Any:
        """Convert a frame, collecting it in batches.

        Raises:
            ValueConversionError: A column is missing.
        """
        pa = arrow()
        schema = frame.collect_schema()
        if columns:
            require_columns(columns, schema.names())
            frame = frame.select(columns)
        batches = _collected(frame)
        first = next(batches, None)
        if first is None:
            return plain_dictionaries(_to_arrow(frame.head(0).collect())).to_reader()
        fields = first.schema

        def tables() -> Iterator[Any]:
            yield from first.to_batches()
            for table in batches:
                yield from table.cast(fields).to_batches()

        return pa.RecordBatchReader.from_batches(fields, tables())

    def from_table(self, table: Any) -> Any:
        """Make a lazy frame of a table in memory."""
        return load("polars", "to read a data frame as polars.LazyFrame").from_arrow(table).lazy()

    def scan(self, path: str, format: str, columns: tuple[str, ...]) -> Any | None:
        """Make a lazy frame of a local file, of which polars reads no more than a query needs.

        Raises:
            ValueConversionError: A column is missing.
        """
        if format not in {"parquet", "arrow"} or not _PATTERN.isdisjoint(path):
            return None  # only these two say their types, and polars takes some paths for patterns
        pl = load("polars", "to read a data frame as polars.LazyFrame")
        frame = pl.scan_parquet(path) if format == "parquet" else pl.scan_ipc(path)
        schema = frame.collect_schema()
        names = Selection(columns).of(arrow().schema([(name, arrow().null()) for name in schema.names()]))
        return frame if names == schema.names() else frame.select(names)

    def head(self, frame: Any, rows: int) -> Any:
        """Collect the first rows."""
        return _to_arrow(frame.head(rows).collect())

    def shape(self, frame: Any) -> tuple[int | None, int]:
        """Return the number of columns; that of rows is known only when the frame is collected."""
        return None, len(frame.collect_schema())


def _collected(frame: Any) -> Iterator[Any]:
    """Collect a lazy frame in pieces if this polars can, in order."""
    if hasattr(frame, "collect_batches"):
        for batch in frame.collect_batches(chunk_size=ROW_GROUP_ROWS, maintain_order=True):
            yield plain_dictionaries(_to_arrow(batch))
    else:
        yield plain_dictionaries(_to_arrow(frame.collect()))


def _to_arrow(frame: Any) -> Any:
    pl = load("polars")
    objects = [name for name, kind in frame.schema.items() if kind == pl.Object]
    if objects:  # Arrow would get the addresses of the objects
        raise ValueConversionError(
            f"column {objects[0]!r} holds Python objects, which cannot be stored", hint="Give it a polars type."
        )
    # The oldest level has only types that every reader of Parquet and Arrow files knows.
    # A clone shares the columns. Older releases borrow the frame mutably for this, and another thread may read it.
    return frame.clone().to_arrow(compat_level=pl.CompatLevel.oldest())
