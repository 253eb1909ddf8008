"""Data frames at the URIs of a store of tables: frames of every library, by way of Arrow."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import alula
from alula import DataFrame, kwtypes
from alula._data.transformers import data_transformers
from alula_kernel.builtin.types import builtin_transformers
from alula_kernel.contracts import ConversionContext, TableStore
from alula_kernel.errors import UnsupportedTypeError, ValueConversionError
from alula_kernel.literals import Column, Dataset
from alula_kernel.registry import TypeRegistry


class SqliteTables(TableStore):
    """Tables of numbers in a SQLite database: ``numbers://table``."""

    name = "numbers"
    scheme = "numbers"

    def __init__(self, path: Path) -> None:
        self.database = sqlite3.connect(path)

    def read(self, dataset: Dataset, columns: tuple[str, ...], batch_rows: int) -> Any:
        table = dataset.uri.partition("://")[2]
        cursor = self.database.execute(f'SELECT {", ".join(columns) or "*"} FROM "{table}"')
        names = [column[0] for column in cursor.description]
        schema = pa.schema([(name, pa.int64()) for name in names])

        def batches() -> Iterator[pa.RecordBatch]:
            while rows := cursor.fetchmany(batch_rows):
                yield pa.RecordBatch.from_pylist([dict(zip(names, row, strict=True)) for row in rows], schema=schema)

        return pa.RecordBatchReader.from_batches(schema, batches())

    def write(self, frame: Any, uri: str, metadata: Mapping[str, str]) -> Dataset:
        table, names = uri.partition("://")[2], frame.schema.names
        self.database.execute(f'DROP TABLE IF EXISTS "{table}"')
        self.database.execute(f'CREATE TABLE "{table}" ({", ".join(names)})')
        places = ", ".join("?" * len(names))
        rows = 0
        for batch in frame:
            rows += batch.num_rows
            self.database.executemany(
                f'INSERT INTO "{table}" VALUES ({places})', [list(row.values()) for row in batch.to_pylist()]
            )
        columns = tuple(Column(name, "int64") for name in names)
        return Dataset(uri, hash=f"{uri} {rows}", format="", columns=columns, rows=rows, metadata=dict(metadata))

    def exists(self, uri: str) -> bool:
        table = uri.partition("://")[2]
        found = self.database.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [table]).fetchone()
        return found is not None


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteTables]:
    store = SqliteTables(tmp_path / "numbers.db")
    yield store
    store.database.close()


@pytest.fixture
def types(store: SqliteTables) -> TypeRegistry:
    return TypeRegistry([*builtin_transformers(), *data_transformers(), store])


FRAMES = [
    pd.DataFrame({"a": [1, 2, 3], "b": [4, 5, 6]}),
    pl.DataFrame({"a": [1, 2, 3], "b": [4, 5, 6]}),
    pl.LazyFrame({"a": [1, 2, 3], "b": [4, 5, 6]}),
    pa.table({"a": [1, 2, 3], "b": [4, 5, 6]}),
    pa.table({"a": [1, 2, 3], "b": [4, 5, 6]}).to_batches()[0],
]


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: f"{type(frame).__module__}.{type(frame).__name__}")
def test_frames_of_every_library(types: TypeRegistry, context: ConversionContext, frame: Any) -> None:
    literal = types.converter(DataFrame).to_literal(DataFrame(frame, uri="numbers://one"), context)
    assert isinstance(literal, Dataset)
    assert (literal.uri, literal.rows, [column.name for column in literal.columns]) == ("numbers://one", 3, ["a", "b"])
    back = types.converter(type(frame)).to_python(literal, context)
    assert type(back) is type(frame)
    if isinstance(back, pl.LazyFrame):
        back = back.collect()
    assert (back.to_dict("list") if isinstance(back, pd.DataFrame) else pa.table(back).to_pydict()) == {
        "a": [1, 2, 3],
        "b": [4, 5, 6],
    }


def test_a_stream_and_an_iterator_of_frames(types: TypeRegistry, context: ConversionContext) -> None:
    pieces = (pd.DataFrame({"a": [n]}) for n in range(3))
    literal = types.converter(DataFrame).to_literal(DataFrame(pieces, uri="numbers://pieces"), context)
    reader = types.converter(pa.RecordBatchReader).to_python(literal, context)
    assert reader.read_all().to_pydict() == {"a": [0, 1, 2]}


def test_only_declared_columns_are_read_and_written(types: TypeRegistry, context: ConversionContext) -> None:
    narrow = Annotated[DataFrame, kwtypes(b=int)]
    frame = pd.DataFrame({"a": [1], "b": [2]})
    literal = types.converter(narrow).to_literal(DataFrame(frame, uri="numbers://narrow"), context)
    assert [column.name for column in literal.columns] == ["b"]
    wide = types.converter(DataFrame).to_literal(DataFrame(frame, uri="numbers://wide"), context)
    assert types.converter(Annotated[pa.Table, kwtypes(b=int)]).to_python(wide, context).to_pydict() == {"b": [2]}
    with pytest.raises(ValueConversionError, match="'c'"):
        types.converter(Annotated[DataFrame, kwtypes(c=int)]).to_literal(
            DataFrame(frame, uri="numbers://other"), context
        )


def test_it_is_read_in_pieces(types: TypeRegistry, context: ConversionContext) -> None:
    literal = types.converter(DataFrame).to_literal(
        DataFrame(pa.table({"a": range(70_000)}), uri="numbers://many"), context
    )
    handle = types.converter(DataFrame).to_python(literal, context)
    pieces = list(handle.open(pa.Table).iter())
    assert [piece.num_rows for piece in pieces] == [65_536, 70_000 - 65_536]


def test_a_handle_of_the_user_wins(types: TypeRegistry, context: ConversionContext) -> None:
    class Decoder(alula.DataFrameDecoder[Any]):
        def decode(self, dataset: Dataset, source: alula.FrameSource) -> Any:
            return pd.DataFrame({"mine": [1]})

    alula.register_dataframe_handler(Decoder(pd.DataFrame, "numbers"), types=types, override=True)
    read = DataFrame.from_existing_remote("numbers://any").bound(context.storage, types).open(pd.DataFrame).all()
    assert list(read.columns) == ["mine"]


def test_a_scheme_without_a_plugin_is_told(types: TypeRegistry, context: ConversionContext) -> None:
    there = DataFrame.from_existing_remote("bq://project.dataset.table").bound(context.storage, types)
    with pytest.raises(UnsupportedTypeError, match=r"(?s)Table cannot be read at bq://: .*pip install alula-bigquery"):
        there.open(pa.Table).all()
    frame = DataFrame(pa.table({"a": [1]}), uri="snowflake://account/table")
    with pytest.raises(UnsupportedTypeError, match=r"(?s)Table cannot be written at snowflake://: .*DataFrameEncoder"):
        types.converter(DataFrame).to_literal(frame, context)


def test_it_is_no_types_own_transformer(store: SqliteTables, types: TypeRegistry) -> None:
    class Unknown:
        pass

    with pytest.raises(UnsupportedTypeError, match="no types of its own"):
        types.converter(Annotated[Unknown, store])


def test_a_cached_output_whose_table_was_dropped_counts_as_missing(
    store: SqliteTables, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = alula.current_app()
    app.registry.register(store)
    ran = []

    @alula.task(cache=alula.Cache(version="1"))
    def make() -> DataFrame:
        ran.append(1)
        return DataFrame(pa.table({"a": [1]}), uri="numbers://cached")

    for _ in range(2):
        assert make().open(pa.Table).all().to_pydict() == {"a": [1]}
    assert len(ran) == 1
    store.database.execute('DROP TABLE "cached"')
    assert make().open(pa.Table).all().to_pydict() == {"a": [1]}
    assert len(ran) == 2
