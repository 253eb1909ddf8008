"""Data frames of every library at the URIs of a `TableStore`: to Arrow and back on the way."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from alula_kernel.contracts import TableStore
from alula_kernel.literals import Dataset

from ..columns import check_columns
from .arrow_handlers import FrameLibrary
from .codecs import arrow, plain_schema, schema_columns
from .handlers import DataFrameDecoder, DataFrameEncoder, FrameSource, FrameTarget


class TableEncoder(DataFrameEncoder[Any]):
    """Makes tables of one store of frames of one library.

    Args:
        library: The library.
        store: The store.
    """

    def __init__(self, library: FrameLibrary[Any], store: TableStore) -> None:
        super().__init__(library.names[0], protocol=store.scheme)
        self._library = library
        self._store = store

    def encode(self, frame: Any, target: FrameTarget) -> Dataset:
        """Make a table of a frame; memory use is bounded if it comes in pieces.

        Raises:
            ValueConversionError: The store has no type for a column, or a declared column is missing or of another kind.
            StorageError: It cannot be written.
        """
        pa = arrow()
        reader = self._library.to_reader(frame, tuple(column.name for column in target.columns), False)
        schema = plain_schema(reader.schema)
        check_columns(target.columns, schema_columns(schema), "the data frame")
        batches = (batch if batch.schema.equals(schema) else batch.cast(schema) for batch in reader)
        return self._store.write(pa.RecordBatchReader.from_batches(schema, batches), target.uri, target.metadata)


class TableDecoder(DataFrameDecoder[Any]):
    """Reads tables of one store as frames of one library.

    Args:
        library: The library.
        store: The store.
    """

    def __init__(self, library: FrameLibrary[Any], store: TableStore) -> None:
        super().__init__(library.names[0], protocol=store.scheme)
        self._library = library
        self._store = store

    def decode(self, dataset: Dataset, source: FrameSource) -> Any:
        """Read a table; only the columns asked for are fetched.

        Raises:
            ValueConversionError: A column is missing.
            StorageError: It cannot be read.
        """
        return self._library.from_reader(self._store.read(dataset, source.columns, source.batch_rows))

    def iterate(self, dataset: Dataset, source: FrameSource) -> Iterator[Any]:
        """Read it in pieces, of which one is in memory at a time; errors are those of `decode`."""
        reader = self._store.read(dataset, source.columns, source.batch_rows)
        for batch in reader:
            yield self._library.from_table(arrow().Table.from_batches([batch], reader.schema))
