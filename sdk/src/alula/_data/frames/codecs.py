"""What a format of data frames is: Arrow record batches to bytes and back.

Each format writes the same bytes for the same rows, however they were cut into batches, and holds one group of rows in
memory at a time.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from alula_kernel.errors import ValueConversionError
from alula_kernel.literals import Column

from ..columns import canonical
from ..dependencies import load
from ..scratch import scratch

if TYPE_CHECKING:
    from alula_kernel.storage import Storage

ROW_GROUP_ROWS = 131_072
"""Most rows that are encoded together."""

ROW_GROUP_BYTES = 16 * 1024 * 1024
"""About how many bytes are encoded together, so that wide rows do not fill the memory."""

_SAMPLE_ROWS = 1_024

_UNNAMED_INDEX = re.compile(r"__index_level_\d+__")


def arrow(module: str = "pyarrow") -> Any:
    """Import pyarrow or one of its modules.

    Raises:
        MissingDependencyError: It is not installed.
    """
    return load(module, "to read and write data frames")


@dataclasses.dataclass(frozen=True, slots=True)
class Selection:
    """Which columns to read.

    Attributes:
        names: The columns, in this order; empty for all.
        index: Whether to add the columns in which pandas keeps an index; else unnamed ones are left out.
        known: The columns with their types as they were when this was written; empty for files from elsewhere.
    """

    names: tuple[str, ...] = ()
    index: bool = False
    known: tuple[Column, ...] = ()

    def of(self, schema: Any) -> list[str]:
        """Return the names of the columns to read from a schema.

        Raises:
            ValueConversionError: A column is missing.
        """
        if not self.names:
            return [name for name in schema.names if self.index or not _UNNAMED_INDEX.fullmatch(name)]
        require_columns(self.names, schema.names)
        extra = _index_columns(schema) if self.index else []
        return [*self.names, *(name for name in extra if name not in self.names and name in schema.names)]


def require_columns(names: Iterable[str], present: Iterable[str]) -> None:
    """Refuse columns that are not there.

    Raises:
        ValueConversionError: A column is missing; the message names it and those that are there.
    """
    there = list(present)
    for name in names:
        if name not in there:
            raise ValueConversionError(
                f"column {name!r} is missing from the data frame",
                hint=f"The columns are: {', '.join(map(str, there[:20])) or 'none'}. Declare the ones that are there, or "
                "rename them.",
            )


def _index_columns(schema: Any) -> list[str]:
    text = (schema.metadata or {}).get(b"pandas")
    if text is None:
        return []
    return [name for name in json.loads(text).get("index_columns", []) if isinstance(name, str)]


def schema_columns(schema: Any) -> tuple[Column, ...]:
    """Return the columns of an Arrow schema, without those in which pandas keeps an unnamed index."""
    fields = (field for field in schema if not _UNNAMED_INDEX.fullmatch(field.name))
    return tuple(Column(field.name, canonical(str(field.type))) for field in fields)


def plain_schema(schema: Any) -> Any:
    """Return a schema in which the items of lists have the name that Arrow gives them.

    Parquet gives them another one, so a frame would be stored as other bytes after it was read.
    """
    pa = arrow()
    fields = [field.with_type(_plain_type(field.type)) for field in schema]
    return pa.schema(fields, metadata=schema.metadata)


def _plain_type(arrow_type: Any) -> Any:
    pa = arrow()
    kinds = pa.types
    if kinds.is_struct(arrow_type):
        return pa.struct([field.with_type(_plain_type(field.type)) for field in arrow_type])
    for matches, make in ((kinds.is_list, pa.list_), (kinds.is_large_list, pa.large_list)):
        if matches(arrow_type):
            return make(_plain_item(arrow_type.value_field))
    if kinds.is_fixed_size_list(arrow_type):
        return pa.list_(_plain_item(arrow_type.value_field), arrow_type.list_size)
    return arrow_type


def _plain_item(field: Any) -> Any:
    return field.with_name("item").with_type(_plain_type(field.type))


def regrouped(batches: Iterable[Any], schema: Any) -> Iterator[Any]:
    """Yield the same rows as tables of `ROW_GROUP_ROWS` rows or, if they are wide, fewer, in one chunk per column.

    How many rows a table has follows from its first rows and not from the batches, so that equal frames give equal bytes.
    """
    pa = arrow()
    held: list[Any] = []
    count, limit, measured = 0, _SAMPLE_ROWS, False
    for batch in batches:
        rest = batch
        while count + rest.num_rows >= limit:
            held.append(rest.slice(0, limit - count))
            rest, count = rest.slice(limit - count), limit
            if not measured:
                limit, measured = _rows_of_a_group(pa.Table.from_batches(held, schema)), True
            if count == limit:
                yield pa.Table.from_batches(held, schema).combine_chunks()
                held, count, limit, measured = [], 0, _SAMPLE_ROWS, False
        if rest.num_rows:
            held.append(rest)
            count += rest.num_rows
    if held:
        yield pa.Table.from_batches(held, schema).combine_chunks()


def _rows_of_a_group(sample: Any) -> int:
    """Return how many rows like those of a sample are encoded together, at least as many as it has."""
    pa = arrow()
    # Taking every row leaves out what lies under nulls and beside slices, so equal values have equal sizes.
    plain = sample.take(pa.array(range(len(sample)), pa.int64())).combine_chunks()
    size = sum(int(arrow("pyarrow.ipc").get_record_batch_size(batch)) for batch in plain.to_batches())
    return max(len(sample), min(ROW_GROUP_ROWS, ROW_GROUP_BYTES * len(sample) // max(1, size)))


class Place:
    """Bytes to read, at a URI.

    Args:
        storage: Has them.
        uri: Where.
    """

    def __init__(self, storage: Storage, uri: str) -> None:
        self._storage = storage
        self._uri = uri
        self._path = storage.local_path(uri)

    @property
    def path(self) -> str | None:
        """The path, if it is a local file."""
        return self._path

    @contextlib.contextmanager
    def open(self) -> Iterator[IO[bytes]]:
        """Open for random access.

        Raises:
            StorageError: It does not exist or may not be read.
        """
        if self._path is None:
            with self._storage.open(self._uri, "rb") as stream:
                if stream.seekable():
                    yield stream
                    return
            # A server that sends no ranges, as many do over HTTP.
            self._path = str(scratch.new_folder() / "data")
            self._storage.download(self._uri, self._path)
        if not Path(self._path).exists():
            with self._storage.open(self._uri, "rb") as stream:  # raises, and says what is missing
                yield stream
            return
        with Path(self._path).open("rb") as stream:
            yield stream


class Codec(ABC):
    """One format; holds no state.

    Attributes:
        format: Its name.
        suffix: Suffix of file names.
        keeps_index: Whether it keeps what pandas says about its index.
    """

    format: str
    suffix: str
    keeps_index = False

    @abstractmethod
    def write(self, tables: Iterator[Any], schema: Any, stream: IO[bytes]) -> None:
        """Write tables as `regrouped` yields them."""

    @abstractmethod
    def read(self, place: Place, selection: Selection) -> Any:
        """Read everything as a ``pyarrow.Table``."""

    @abstractmethod
    def batches(self, place: Place, selection: Selection, rows: int) -> Iterator[Any]:
        """Yield the schema, and then record batches of at most about `rows` rows, read when it is their turn."""
