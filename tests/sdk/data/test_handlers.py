from __future__ import annotations

import json
from typing import Annotated, Any

import pytest

from alula._data.dataframe import DataFrame, register_dataframe_handler
from alula._data.dataframe_converter import FrameTransformer
from alula._data.frames.handlers import (
    DataFrameDecoder,
    DataFrameEncoder,
    DataFrameHandlers,
    FrameSource,
    FrameTarget,
)
from alula._data.transformers import data_transformers
from alula_kernel.builtin.types import builtin_transformers
from alula_kernel.errors import PluginError, UnsupportedTypeError
from alula_kernel.literals import Column, Dataset
from alula_kernel.registry import TypeRegistry


class Rows:
    """A data frame of a plugin: a list of dictionaries."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows


class RowsEncoder(DataFrameEncoder[Rows]):
    def encode(self, frame: Rows, target: FrameTarget) -> Dataset:
        with target.storage.writer(name="rows.rows", uri=target.uri) as stream:
            stream.write(json.dumps(frame.rows).encode())
        names = frame.rows[0] if frame.rows else ()
        blob = stream.blob
        return Dataset(blob.uri, hash=blob.hash, format="rows", columns=tuple(Column(name, "int64") for name in names))


class RowsDecoder(DataFrameDecoder[Rows]):
    def decode(self, dataset: Dataset, source: FrameSource) -> Rows:
        with source.storage.open(dataset.uri) as stream:
            rows = json.load(stream)
        return Rows([{k: v for k, v in row.items() if not source.columns or k in source.columns} for row in rows])


@pytest.fixture
def own() -> TypeRegistry:
    return TypeRegistry([*builtin_transformers(), *data_transformers()])


def test_a_plugin_registers_a_transformer(own, context):
    name = f"{Rows.__module__}.Rows"
    handlers = DataFrameHandlers(
        [RowsEncoder(name, supported_format="rows"), RowsDecoder(Rows, supported_format="rows")]
    )
    handlers.register(RowsEncoder(Rows, supported_format="rows"), default_for_type=True, override=True)
    own.register(FrameTransformer("rows", (name,), handlers), "a plugin")
    found = own.converter(Rows)
    literal = found.to_literal(Rows([{"a": 1, "b": 2}]), context)
    assert literal.format == "rows"
    assert found.to_python(literal, context).rows == [{"a": 1, "b": 2}]
    narrow = own.converter(Annotated[Rows, {"b": int}]).to_python(literal, context)
    assert narrow.rows == [{"b": 2}]
    handle = own.converter(DataFrame).to_python(literal, context)
    assert handle.open(Rows).all().rows == [{"a": 1, "b": 2}]
    assert [piece.rows for piece in handle.open(Rows).iter()] == [[{"a": 1, "b": 2}]]
    assert own.converter(DataFrame).to_literal(Rows([{"a": 1, "b": 2}]), context) == literal
    assert "Rows" in found.to_html(Rows([]))
    assert "Rows" in found.to_text(Rows([]))


def test_handlers_are_added_to_a_running_application(own, context):
    register_dataframe_handler(RowsEncoder(Rows, supported_format="rows"), default_for_type=True, types=own)
    register_dataframe_handler(RowsDecoder(Rows, supported_format="rows"), types=own)
    literal = own.converter(Rows).to_literal(Rows([{"a": 1}]), context)
    assert own.converter(Rows).to_python(literal, context).rows == [{"a": 1}]
    with pytest.raises(PluginError, match="override=True"):
        register_dataframe_handler(RowsDecoder(Rows, supported_format="rows"), types=own)
    register_dataframe_handler(RowsDecoder(Rows, supported_format="rows"), override=True, types=own)
    other = TypeRegistry([*builtin_transformers(), *data_transformers()])
    with pytest.raises(UnsupportedTypeError):
        other.converter(Rows)  # nothing is global


def test_a_new_format_for_a_class_that_is_known(own, context):
    import pyarrow as pa

    class Encoder(DataFrameEncoder[Any]):
        def encode(self, frame: Any, target: FrameTarget) -> Dataset:
            return RowsEncoder(Rows).encode(Rows(frame.to_pylist()), target)

    register_dataframe_handler(Encoder(pa.Table, supported_format="rows"), types=own)
    literal = own.converter(Annotated[pa.Table, "rows"]).to_literal(pa.table({"a": [1]}), context)
    assert literal.format == "rows"
    with pytest.raises(UnsupportedTypeError, match=r"(?s)Table cannot be read from format 'rows'.*parquet"):
        own.converter(pa.Table).to_python(literal, context)


def test_order_of_the_look_up():
    class Sub(Rows):
        pass

    exact = RowsEncoder(Rows, "s3", "parquet")
    of_protocol = RowsEncoder(Rows, "bq")
    of_format = RowsEncoder(Rows, "", "parquet")
    any_one = RowsEncoder(Rows)
    handlers = DataFrameHandlers([exact, of_protocol, of_format, any_one])
    assert handlers.encoder(Rows, "parquet", "s3://b/x") is exact
    assert handlers.encoder(Rows, "parquet", "bq://x") is of_protocol
    assert handlers.encoder(Rows, "parquet", "gs://x") is of_format
    assert handlers.encoder(Rows, "pq", "") is of_format
    assert handlers.encoder(Rows, "csv", "s3://x") is any_one
    assert handlers.encoder(Sub, "parquet", "gs://x") is of_format
    own = RowsEncoder(Sub)
    handlers.register(own)
    assert handlers.encoder(Sub, "csv", "") is own
    assert handlers.handles(Sub)
    assert not handlers.handles(int)
    with pytest.raises(UnsupportedTypeError, match="is no data frame"):
        handlers.decoder(int, "csv")


def test_protocols_of_tables_choose_their_handlers(own, context):
    seen = []

    class TableDecoder(DataFrameDecoder[Any]):
        def decode(self, dataset: Dataset, source: FrameSource) -> Any:
            seen.append((dataset.uri, source.columns))
            return None

    register_dataframe_handler(TableDecoder("pandas.DataFrame", "bq"), types=own)
    own.converter(DataFrame).to_python(Dataset("bq://p:d.t", format=""), context).open("pandas.DataFrame").all()
    assert seen == [("bq://p:d.t", ())]


def test_contracts_are_enforced():
    with pytest.raises(TypeError, match="abstract"):
        DataFrameEncoder(Rows)
    with pytest.raises(TypeError, match="abstract"):
        DataFrameDecoder(Rows)
