"""Parquet and Arrow's own file format: both keep all types, and what pandas says about its index."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import IO, Any

from .codecs import ROW_GROUP_BYTES, ROW_GROUP_ROWS, Codec, Place, Selection, arrow


class ParquetCodec(Codec):
    """Apache Parquet, compressed with Zstandard. Only the columns asked for are read."""

    format = "parquet"
    suffix = "parquet"
    keeps_index = True

    def write(self, tables: Iterator[Any], schema: Any, stream: IO[bytes]) -> None:
        """Write one row group for each table."""
        pq = arrow("pyarrow.parquet")
        with pq.ParquetWriter(stream, schema, compression="zstd") as writer:
            # Readers of 2024 take a file without row groups for a broken one.
            first = next(tables, None)
            for table in itertools.chain([schema.empty_table() if first is None else first], tables):
                writer.write_table(table, row_group_size=ROW_GROUP_ROWS)

    def read(self, place: Place, selection: Selection) -> Any:
        """Read with several threads."""
        with place.open() as stream, self._file(place, stream) as file:
            names = selection.of(file.schema_arrow)
            return file.read(columns=names, use_threads=True).select(names)

    def batches(self, place: Place, selection: Selection, rows: int) -> Iterator[Any]:
        """Read row group by row group."""
        with place.open() as stream, self._file(place, stream) as file:
            names = selection.of(file.schema_arrow)
            yield selected(file.schema_arrow, names)
            for batch in file.iter_batches(batch_size=_batch_rows(file.metadata, rows), columns=names):
                yield batch.select(names)

    def _file(self, place: Place, stream: IO[bytes]) -> Any:
        pq = arrow("pyarrow.parquet")
        # A memory map reads nothing but the columns asked for, without a copy.
        return pq.ParquetFile(stream) if place.path is None else pq.ParquetFile(place.path, memory_map=True)


def _batch_rows(metadata: Any, most: int) -> int:
    """Return how many rows of a file are decoded together: fewer if they are wide."""
    size: int = sum(metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups))
    rows: int = metadata.num_rows
    return max(1, min(most, max(1_024, ROW_GROUP_BYTES * rows // max(1, size))))


class ArrowCodec(Codec):
    """Arrow's IPC file format, also known as Feather version 2; not compressed, so that it can be mapped into memory."""

    format = "arrow"
    suffix = "arrow"
    keeps_index = True

    def write(self, tables: Iterator[Any], schema: Any, stream: IO[bytes]) -> None:
        """Write one record batch for each table."""
        pa = arrow()
        ipc = arrow("pyarrow.ipc")
        with ipc.new_file(stream, schema) as writer:
            for table in tables:
                # The buffers are written as they are, with whatever lies under the nulls; taking every row makes new
                # ones, which are equal for equal values.
                writer.write_table(table.take(pa.array(range(len(table)), pa.int64())) if len(table) else table)

    def read(self, place: Place, selection: Selection) -> Any:
        """Read; a local file is mapped and not copied."""
        with place.open() as stream:
            file = self._file(place, stream, selection)
            names = selection.of(file.schema)
            return file.read_all().select(names)

    def batches(self, place: Place, selection: Selection, rows: int) -> Iterator[Any]:
        """Read record batch by record batch."""
        with place.open() as stream:
            file = self._file(place, stream, selection)
            names = selection.of(file.schema)
            yield selected(file.schema, names)
            for index in range(file.num_record_batches):
                batch = file.get_batch(index).select(names)
                for start in range(0, batch.num_rows, rows):
                    yield batch.slice(start, rows)

    def _file(self, place: Place, stream: IO[bytes], selection: Selection) -> Any:
        pa = arrow()
        ipc = arrow("pyarrow.ipc")
        source = stream if place.path is None else pa.memory_map(place.path)
        file = ipc.open_file(source)
        if not selection.names:
            return file
        wanted = selection.of(file.schema)
        fields = [file.schema.get_field_index(name) for name in wanted]
        source.seek(0)
        return ipc.open_file(source, options=ipc.IpcReadOptions(included_fields=fields))


def selected(schema: Any, names: list[str]) -> Any:
    """Return the schema with only some of its fields, in this order, and its metadata."""
    return arrow().schema([schema.field(name) for name in names], schema.metadata)
