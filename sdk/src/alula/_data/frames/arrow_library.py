"""Arrow's own tables and streams of record batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from alula_kernel.errors import ValueConversionError

from .arrow_handlers import FrameLibrary
from .binary_codecs import selected
from .codecs import arrow, require_columns


class ArrowLibrary(FrameLibrary[Any]):
    """``pyarrow.Table``."""

    names = ("pyarrow.lib.Table", "pyarrow.Table")

    def to_reader(self, frame: Any, columns: tuple[str, ...], index: bool) -> Any:
        """Return the table's batches.

        Raises:
            ValueConversionError: A column is missing.
        """
        if columns:
            require_columns(columns, frame.column_names)
            frame = frame.select(columns)
        return plain_dictionaries(frame).to_reader()

    def from_table(self, table: Any) -> Any:
        """Return the table."""
        return table

    def head(self, frame: Any, rows: int) -> Any:
        """Return the first rows."""
        return frame.slice(0, rows)

    def shape(self, frame: Any) -> tuple[int | None, int]:
        """Return the numbers of rows and columns."""
        return frame.shape  # type: ignore[no-any-return]


class ArrowBatchLibrary(ArrowLibrary):
    """``pyarrow.RecordBatch``."""

    names = ("pyarrow.lib.RecordBatch", "pyarrow.RecordBatch")

    def to_reader(self, frame: Any, columns: tuple[str, ...], index: bool) -> Any:
        """Return the batch as the only one.

        Raises:
            ValueConversionError: A column is missing.
        """
        return super().to_reader(arrow().Table.from_batches([frame]), columns, index)

    def from_table(self, table: Any) -> Any:
        """Return the table as one batch."""
        pa = arrow()
        batches = table.combine_chunks().to_batches()
        return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)

    def head(self, frame: Any, rows: int) -> Any:
        """Return the first rows."""
        return arrow().Table.from_batches([frame.slice(0, rows)])

    def shape(self, frame: Any) -> tuple[int | None, int]:
        """Return the numbers of rows and columns."""
        return frame.num_rows, frame.num_columns


class ArrowReaderLibrary(FrameLibrary[Any]):
    """``pyarrow.RecordBatchReader``: a stream, stored and read batch by batch, which can be used once."""

    names = ("pyarrow.lib.RecordBatchReader", "pyarrow.RecordBatchReader")
    streams = True

    def to_reader(self, frame: Any, columns: tuple[str, ...], index: bool) -> Any:
        """Return the stream, batch by batch with the columns asked for.

        Raises:
            ValueConversionError: A column is missing.
        """
        if not columns:
            return frame
        require_columns(columns, frame.schema.names)
        schema = selected(frame.schema, list(columns))
        return arrow().RecordBatchReader.from_batches(schema, (batch.select(list(columns)) for batch in frame))

    def from_table(self, table: Any) -> Any:
        """Return a stream over a table."""
        return table.to_reader()

    def from_reader(self, reader: Any) -> Any:
        """Return the stream."""
        return reader

    def head(self, frame: Any, rows: int) -> Any | None:
        """Return None: reading the first rows would take them away."""
        return None

    def shape(self, frame: Any) -> tuple[int | None, int]:
        """Return the number of columns; that of rows is known only at the end."""
        return None, len(frame.schema)


class PiecesLibrary(FrameLibrary[Any]):
    """Any iterator of frames that one of the other libraries knows; stored piece by piece, used up by that.

    Args:
        libraries: The other libraries.
    """

    names = ("collections.abc.Iterator",)

    def __init__(self, libraries: Sequence[FrameLibrary[Any]]) -> None:
        self._by_name = {name: library for library in libraries for name in library.names}

    def to_reader(self, frame: Any, columns: tuple[str, ...], index: bool) -> Any:
        """Return the batches of all pieces; the first one says the types.

        Raises:
            ValueConversionError: There is no piece, one is no data frame, or a column is missing.
        """
        first = next(frame, None)
        if first is None:
            raise ValueConversionError(
                "an iterator without any data frame was given", hint="Yield at least one, if need be without rows."
            )
        reader = self._library(first).to_reader(first, columns, False)

        def batches() -> Iterator[Any]:
            yield from reader
            for piece in frame:
                following = self._library(piece).to_reader(piece, columns or tuple(reader.schema.names), False)
                yield from following.cast(reader.schema)

        return arrow().RecordBatchReader.from_batches(reader.schema, batches())

    def from_table(self, table: Any) -> Any:
        """Return the batches."""
        return iter(table.to_batches())

    def head(self, frame: Any, rows: int) -> Any | None:
        """Return None: reading the first rows would take them away."""
        return None

    def shape(self, frame: Any) -> tuple[int | None, int]:
        """Return that nothing is known."""
        return None, 0

    def _library(self, piece: Any) -> FrameLibrary[Any]:
        for cls in type(piece).__mro__:
            if (found := self._by_name.get(f"{cls.__module__}.{cls.__qualname__}")) is not None:
                return found
        raise ValueConversionError(f"expected a data frame from the iterator, found {type(piece).__qualname__}")


def plain_dictionaries(table: Any) -> Any:
    """Return the table with each unordered dictionary as one of the values in the order of their appearance.

    Equal columns can have different dictionaries: polars shares one among all frames of a process, and every chunk of an
    Arrow table can have its own.
    """
    pa = arrow()
    for index, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type) and not field.type.ordered:
            plain = table.column(index).cast(field.type.value_type).combine_chunks()
            encoded = plain.dictionary_encode().cast(pa.dictionary(pa.int32(), field.type.value_type))
            table = table.set_column(index, field.with_type(encoded.type), encoded)
    return table
