"""Encoders and decoders that go by way of Arrow: each library to Arrow and back, each format from Arrow and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Generic, TypeVar, cast

from alula_kernel.errors import AlulaError, ValueConversionError
from alula_kernel.literals import Dataset
from alula_kernel.storage_errors import storage_error
from alula_kernel.uris import name_of, shown

from ..columns import check_columns
from .codecs import Codec, Place, Selection, arrow, plain_schema, regrouped, schema_columns
from .handlers import DataFrameDecoder, DataFrameEncoder, FrameSource, FrameTarget

T = TypeVar("T")


_BARE_ROWS = b"alula.rows"
"""Where the schema of a stored frame without columns has the number of its rows."""


class FrameLibrary(ABC, Generic[T]):
    """Frames of one class, to Arrow and back; holds no state.

    Attributes:
        names: ``"module.Class"`` under which the class is known; the first is the one of its handlers.
        keeps_index: Whether it can read what pandas says about its index.
        streams: Whether a frame is read batch by batch while it is used.
    """

    names: tuple[str, ...]
    keeps_index = False
    streams = False

    @abstractmethod
    def to_reader(self, frame: T, columns: tuple[str, ...], index: bool) -> Any:
        """Return a frame as a ``pyarrow.RecordBatchReader``.

        Args:
            frame: The frame; not changed, but used up if it is a stream.
            columns: Columns to keep, in this order; empty for all.
            index: Whether to add what pandas says about its index.

        Raises:
            ValueConversionError: A column is missing.
        """

    @abstractmethod
    def from_table(self, table: Any) -> T:
        """Make a frame of a ``pyarrow.Table``, which nobody else uses afterwards."""

    def from_reader(self, reader: Any) -> T:
        """Make a frame of a ``pyarrow.RecordBatchReader``."""
        return self.from_table(reader.read_all())

    def scan(self, path: str, format: str, columns: tuple[str, ...]) -> T | None:
        """Make a frame of a local file that is read later, or return None if the library cannot."""
        return None

    @abstractmethod
    def head(self, frame: T, rows: int) -> Any | None:
        """Return the first rows as a ``pyarrow.Table``; None if that would use the frame up."""

    @abstractmethod
    def shape(self, frame: T) -> tuple[int | None, int]:
        """Return the number of rows, None if it would have to be computed, and of columns."""


class ArrowEncoder(DataFrameEncoder[Any]):
    """Stores frames of one library in one format.

    Args:
        library: The library.
        codec: The format.
    """

    def __init__(self, library: FrameLibrary[Any], codec: Codec) -> None:
        super().__init__(library.names[0], supported_format=codec.format)
        self._library = library
        self._codec = codec

    def encode(self, frame: Any, target: FrameTarget) -> Dataset:
        """Store a frame; memory use is bounded if it comes in pieces.

        Raises:
            ValueConversionError: The format cannot hold it, or a declared column is missing or of another kind.
            StorageError: It cannot be written.
        """
        arrow()  # before a library misses it, and says so in its own way
        name = f"{target.name}.{self._codec.suffix}"
        rows = 0

        def counted(batches: Any) -> Iterator[Any]:
            nonlocal rows
            for batch in batches:
                rows += batch.num_rows
                yield batch if batch.schema.equals(schema) else batch.cast(schema)

        with _blamed(f"the {self.python_type.rpartition('.')[2]} cannot be stored as {self._codec.format}"):
            wanted = tuple(column.name for column in target.columns)
            reader = self._library.to_reader(frame, wanted, self._codec.keeps_index)
            schema = plain_schema(reader.schema)
            columns = schema_columns(schema)
            check_columns(target.columns, columns, "the data frame")
            bare_rows = 0 if len(schema) else self._library.shape(frame)[0] or 0
            if bare_rows:  # formats count the rows of columns
                schema = schema.with_metadata({**(schema.metadata or {}), _BARE_ROWS: str(bare_rows)})
            with target.storage.writer(name=name, uri=target.uri, format=self._codec.format) as stream:
                self._codec.write(regrouped(counted(reader), schema), schema, cast("IO[bytes]", stream))
        blob = stream.blob
        return Dataset(
            blob.uri,
            hash=blob.hash,
            size=blob.size,
            format=self._codec.format,
            columns=columns,
            rows=rows or bare_rows,
            metadata=target.metadata,
        )


class ArrowDecoder(DataFrameDecoder[Any]):
    """Reads frames of one library from one format.

    Args:
        library: The library.
        codec: The format.
    """

    def __init__(self, library: FrameLibrary[Any], codec: Codec) -> None:
        super().__init__(library.names[0], supported_format=codec.format)
        self._library = library
        self._codec = codec

    def decode(self, dataset: Dataset, source: FrameSource) -> Any:
        """Read a frame: now, or while it is used if the library can do that.

        Raises:
            ValueConversionError: A column is missing, or the bytes are not of the format.
            StorageError: It cannot be read.
        """
        selection = self._selection(dataset, source)
        with self._reading(dataset):
            places = _places(dataset, source)
            if len(places) == 1 and (path := places[0].path) is not None and Path(path).exists():
                found = self._library.scan(path, self._codec.format, source.columns)
                if found is not None:
                    return found
            if self._library.streams:
                return self._library.from_reader(self._open(places, selection, source.batch_rows))
            tables = [self._codec.read(place, selection) for place in places]
            table = tables[0] if len(tables) == 1 else arrow().concat_tables(tables, promote_options="permissive")
            return self._library.from_table(_with_bare_rows(table))

    def iterate(self, dataset: Dataset, source: FrameSource) -> Iterator[Any]:
        """Read it in pieces, of which one is in memory at a time.

        Raises:
            ValueConversionError: A column is missing, or the bytes are not of the format.
            StorageError: It cannot be read.
        """
        selection = self._selection(dataset, source)
        with self._reading(dataset):
            reader = self._open(_places(dataset, source), selection, source.batch_rows)
        pa = arrow()
        while True:
            with self._reading(dataset):
                batch = next(reader, None)
            if batch is None:
                return
            yield self._library.from_table(pa.Table.from_batches([batch], reader.schema))

    def _selection(self, dataset: Dataset, source: FrameSource) -> Selection:
        index = self._library.keeps_index and self._codec.keeps_index
        return Selection(source.columns, index, dataset.columns)

    def _reading(self, dataset: Dataset) -> Any:
        return _blamed(f"{shown(dataset.uri)} cannot be read as {self._codec.format}", dataset.uri)

    def _open(self, places: list[Place], selection: Selection, rows: int) -> Any:
        """Return a reader over all places, which opens each when it is its turn."""
        first = self._codec.batches(places[0], selection, rows)
        schema = next(first)

        def batches() -> Iterator[Any]:
            yield from first
            for place in places[1:]:
                following = self._codec.batches(place, selection, rows)
                next(following)
                for batch in following:
                    yield batch if batch.schema.equals(schema) else _fitted(batch, schema)

        return arrow().RecordBatchReader.from_batches(schema, batches())


def _with_bare_rows(table: Any) -> Any:
    """Return a table without columns with as many rows as were stored; any other as it is."""
    rows = int((table.schema.metadata or {}).get(_BARE_ROWS, 0))
    if not rows or table.num_columns:
        return table
    pa = arrow()
    return pa.table({"": pa.nulls(rows)}).drop_columns([""])


def _fitted(batch: Any, schema: Any) -> Any:
    pa = arrow()
    table = pa.Table.from_batches([batch]).select(schema.names).cast(schema)
    return table.combine_chunks().to_batches()[0]


def _places(dataset: Dataset, source: FrameSource) -> list[Place]:
    """Return what to read: the object itself, or the objects below it if it is a prefix, as Spark writes.

    Names that begin with a dot or an underscore are not data, by the convention of Hadoop.

    Raises:
        ValueConversionError: It is a folder without data.
    """
    storage, uri = source.storage, dataset.uri
    is_folder = _is_folder(storage.local_path(uri))
    if "." in name_of(uri) and not uri.endswith("/") and not is_folder:
        return [Place(storage, uri)]
    below = [info.uri for info in storage.list(uri) if info.uri.rstrip("/") != uri.rstrip("/")]
    parts = [part for part in below if not name_of(part).startswith((".", "_"))]
    if is_folder and not parts:
        raise ValueConversionError(
            f"there is no data in the folder {uri}",
            hint="A folder is stored as it is when it is passed on: write its files before.",
        )
    return [Place(storage, part) for part in parts] or [Place(storage, uri)]


def _is_folder(path: str | None) -> bool:
    return path is not None and Path(path).is_dir()


@contextmanager
def _blamed(what: str, uri: str = "") -> Iterator[None]:
    """Turn what a library says about data into our errors.

    Raises:
        ValueConversionError: A library refused the data.
        StorageError: The operating system refused a file.
    """
    try:
        yield
    except (AlulaError, ImportError, MemoryError, GeneratorExit):
        raise
    except OSError as error:
        if error.errno is not None:
            raise storage_error("read", uri, error) from error
        raise _refused(what, error) from error
    except Exception as error:
        raise _refused(what, error) from error


def _refused(what: str, error: Exception) -> ValueConversionError:
    text = str(error).strip().splitlines()
    reason = text[0][:300] if text else type(error).__name__
    return ValueConversionError(
        f"{what}: {reason}", hint="Convert the column, or use another format, as Annotated[DataFrame, 'parquet']."
    )
