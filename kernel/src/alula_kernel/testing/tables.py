"""What every `TableStore` promises."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from ..contracts import TableStore
from ..errors import StorageError, ValueConversionError
from ..literals import Dataset
from ..uris import scheme_of
from .scenarios import Conformance, needs
from .threads import in_threads

_COLUMNS: dict[str, list[Any]] = {"number": [3, 1, 2], "text": ["c", "a", None]}


class TableStoreConformance(Conformance):
    """What a store of tables promises. A subclass provides `store` and `table_uri`; the suite needs pyarrow.

    Attributes:
        has_texts: Whether tables have columns of texts and missing values. If not, all columns are numbers.
    """

    has_texts = True

    @pytest.fixture
    def store(self) -> TableStore:
        """The store under test."""
        raise NotImplementedError("a subclass of TableStoreConformance provides the fixture store")

    @pytest.fixture
    def table_uri(self) -> Callable[[str], str]:
        """A function from a word to the URI of a table that nobody else uses, and that is not there at first."""
        raise NotImplementedError("a subclass of TableStoreConformance provides the fixture table_uri")

    def rows(self, table: Any) -> dict[str, list[Any]]:
        """Return a table as columns with their rows in an order of their own: many stores keep none."""
        frame: dict[str, list[Any]] = table.to_pydict()
        names = sorted(frame)
        lines = sorted(zip(*(frame[name] for name in names), strict=True), key=repr)
        return {name: [line[index] for line in lines] for index, name in enumerate(names)}

    def write(
        self, store: TableStore, uri: str, columns: Mapping[str, list[Any]], metadata: Mapping[str, str] | None = None
    ) -> Dataset:
        """Make a table of columns."""
        import pyarrow as pa

        return store.write(pa.table(dict(columns)).to_reader(max_chunksize=2), uri, metadata or {})

    def test_F01_says_what_it_is(self, store: TableStore, table_uri: Callable[[str], str]) -> None:
        """It is a `TableStore` with a name and a scheme in lower case, that of its URIs, and claims no types."""
        assert isinstance(store, TableStore)
        assert store.name
        assert store.scheme == store.scheme.lower() == scheme_of(table_uri("any"))
        assert not store.python_types

    def test_F02_write_and_read(self, store: TableStore, table_uri: Callable[[str], str]) -> None:
        """A table is read as it was written, and its literal says URI, columns, rows and metadata."""
        import pyarrow as pa

        columns = {"number": [3, 1, 2], "other": [1, 1, 1]}
        dataset = self.write(store, table_uri("plain"), columns, {"by": "the suite"})
        assert scheme_of(dataset.uri) == store.scheme
        assert [column.name for column in dataset.columns] == ["number", "other"]
        assert dataset.rows in {3, None}
        assert dataset.metadata == {"by": "the suite"}
        read = store.read(dataset, (), 1000)
        assert isinstance(read, pa.RecordBatchReader)
        assert self.rows(read.read_all()) == self.rows(pa.table(columns))

    @needs("has_texts")
    def test_F03_texts_and_missing_values(self, store: TableStore, table_uri: Callable[[str], str]) -> None:
        """Texts and missing values are read as they were written."""
        import pyarrow as pa

        dataset = self.write(store, table_uri("texts"), _COLUMNS)
        assert self.rows(store.read(dataset, (), 1000).read_all()) == self.rows(pa.table(_COLUMNS))

    def test_F04_columns_in_the_order_asked_for(self, store: TableStore, table_uri: Callable[[str], str]) -> None:
        """Only the columns asked for are read, in that order."""
        dataset = self.write(store, table_uri("order"), {"a": [1], "b": [2], "c": [3]})
        reader = store.read(dataset, ("c", "a"), 1000)
        assert reader.schema.names == ["c", "a"]
        assert reader.read_all().to_pylist() == [{"c": 3, "a": 1}]

    def test_F05_missing_column(self, store: TableStore, table_uri: Callable[[str], str]) -> None:
        """A column that is not there is refused with `ValueConversionError` that names it."""
        dataset = self.write(store, table_uri("narrow"), {"a": [1]})
        with pytest.raises(ValueConversionError, match="nowhere"):
            store.read(dataset, ("nowhere",), 1000).read_all()

    def test_F06_missing_table(self, store: TableStore, table_uri: Callable[[str], str]) -> None:
        """A table that is not there gives `StorageError` that names its URI, and does not exist."""
        uri = table_uri("missing")
        assert not store.exists(uri)
        with pytest.raises(StorageError) as caught:
            store.read(Dataset(uri, format=""), (), 1000).read_all()
        assert uri in caught.value.message

    def test_F07_exists(self, store: TableStore, table_uri: Callable[[str], str]) -> None:
        """A table that was written exists under the URI of its literal."""
        assert store.exists(self.write(store, table_uri("there"), {"a": [1]}).uri)

    def test_F08_write_again(self, store: TableStore, table_uri: Callable[[str], str]) -> None:
        """A table that is written again has the new columns and rows only, and another hash."""
        first = self.write(store, table_uri("again"), {"a": [1, 2]})
        second = self.write(store, table_uri("again"), {"b": [3]})
        assert store.read(second, (), 1000).read_all().to_pydict() == {"b": [3]}
        assert first.uri == second.uri
        assert first.hash != second.hash

    def test_F09_no_rows(self, store: TableStore, table_uri: Callable[[str], str]) -> None:
        """A table without rows keeps its columns."""
        import pyarrow as pa

        schema = pa.schema([("a", pa.int64()), ("b", pa.int64())])
        dataset = store.write(pa.RecordBatchReader.from_batches(schema, iter(())), table_uri("empty"), {})
        read = store.read(dataset, (), 1000).read_all()
        assert (read.num_rows, read.column_names) == (0, ["a", "b"])

    def test_F10_threads(self, store: TableStore, table_uri: Callable[[str], str]) -> None:
        """Threads write and read different tables at the same time."""
        found: dict[int, list[int]] = {}

        def work(number: int) -> None:
            dataset = self.write(store, table_uri(f"thread{number}"), {"a": [number]})
            found[number] = store.read(dataset, (), 1000).read_all()["a"].to_pylist()

        in_threads(work, 4)
        assert found == {number: [number] for number in range(4)}
