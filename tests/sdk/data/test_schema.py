from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pytest

from alula import current_app
from alula._data.columns import kwtypes
from alula._data.dataframe import DataFrame
from alula._data.schema import Schema
from alula_kernel.errors import ValueConversionError
from alula_kernel.literals import Column
from alula_kernel.types import DatasetOf

FRAME = pd.DataFrame({"x": [1, 2], "y": ["a", "b"]})


def schema_type():
    with pytest.warns(DeprecationWarning, match="Schema is deprecated"):
        return Schema[kwtypes(x=int, y=str)]


def make(*args: object, **kwargs: object) -> Schema:
    with pytest.warns(DeprecationWarning, match="Schema is deprecated"):
        return Schema(*args, **kwargs)


def test_is_a_data_frame_with_columns(converter):
    found = converter(schema_type())
    assert found.literal_type == DatasetOf((Column("x", "int64"), Column("y", "string")))


def test_write_and_read(converter):
    context = current_app().conversion
    found = converter(schema_type())
    schema = make()
    schema.open().write(FRAME)
    literal = found.to_literal(schema, context)
    read = found.to_python(literal, context)
    assert isinstance(read, Schema)
    pd.testing.assert_frame_equal(read.open().all(), FRAME)
    assert read.open(pa.Table).all().to_pydict() == {"x": [1, 2], "y": ["a", "b"]}
    assert sum(len(part) for part in read.open(dataframe_fmt=pd.DataFrame).iter()) == 2


def test_interchangeable_with_data_frames(converter, context):
    literal = converter(pd.DataFrame).to_literal(FRAME, context)
    read = converter(schema_type()).to_python(literal, context)
    pd.testing.assert_frame_equal(read.open().all(), FRAME)
    assert converter(DataFrame).to_literal(read, context) == literal


def test_several_frames(converter, context):
    schema = make()
    schema.open().write(FRAME, FRAME)
    assert converter(schema_type()).to_literal(schema, context).rows == 4


def test_missing_column(converter, context):
    schema = make()
    schema.open().write(FRAME[["x"]])
    with pytest.raises(ValueConversionError, match="'y' is missing"):
        converter(schema_type()).to_literal(schema, context)


def test_local_path(tmp_path, converter, context):
    FRAME.to_parquet(tmp_path / "x.parquet")
    literal = converter(schema_type()).to_literal(make(tmp_path / "x.parquet"), context)
    assert literal.hash
    with pytest.warns(DeprecationWarning, match="Schema"), pytest.raises(TypeError, match="takes the columns"):
        Schema[int]
