from __future__ import annotations

import collections
import copy
import dataclasses
import pickle
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from alula import current_app
from alula._data.columns import kwtypes
from alula._data.dataframe import DataFrame, StructuredDataset
from alula_kernel.errors import StorageError, UnsupportedTypeError, UsageError, ValueConversionError
from alula_kernel.hashing import HashMethod
from alula_kernel.literals import Column, Dataset
from alula_kernel.types import DatasetOf, mismatch

FRAME = pd.DataFrame({"a": [1, 2, 3], "b": ["x", None, "z"], "c": [0.5, 1.5, 2.5]})
TYPES = [pd.DataFrame, pl.DataFrame, pl.LazyFrame, pa.Table, pa.RecordBatch, pa.RecordBatchReader]


def rows(frame: Any) -> list[dict[str, Any]]:
    if isinstance(frame, pd.DataFrame):
        return pa.Table.from_pandas(frame, preserve_index=False).to_pylist()
    if isinstance(frame, pl.LazyFrame):
        frame = frame.collect()
    if isinstance(frame, pl.DataFrame):
        return frame.to_dicts()
    return (frame.read_all() if isinstance(frame, pa.RecordBatchReader) else frame).to_pylist()


ROWS = rows(FRAME)


@pytest.fixture
def stored(converter, context) -> Dataset:
    return converter(pd.DataFrame).to_literal(FRAME, context)


# --- types ---


def test_literal_types(converter, registry):
    assert converter(DataFrame).literal_type == DatasetOf()
    for python_type in TYPES:
        assert converter(python_type).literal_type == DatasetOf()
    declared = converter(Annotated[pd.DataFrame, kwtypes(a=int, b=str), "csv"]).literal_type
    assert declared == DatasetOf((Column("a", "int64"), Column("b", "string")), "csv")
    assert converter(Annotated[DataFrame, "feather"]).literal_type == DatasetOf((), "arrow")
    assert StructuredDataset is DataFrame
    assert registry.python_type(DatasetOf()) is DataFrame
    assert mismatch(converter(pd.DataFrame).literal_type, converter(pl.DataFrame).literal_type) is None


def test_columns_are_declared_in_many_ways(converter):
    @dataclasses.dataclass
    class Row:
        a: int
        b: str

    expected = (Column("a", "int64"), Column("b", "string"))
    schema = pa.schema([("a", pa.int64()), ("b", pa.string())])
    for extra in (kwtypes(a=int, b=str), {"a": int, "b": str}, Row, schema, collections.OrderedDict(a=int, b=str)):
        assert converter(Annotated[DataFrame, extra]).literal_type.columns == expected


@pytest.mark.parametrize("python_type", TYPES)
def test_a_missing_column_is_named_when_it_is_stored(converter, context, python_type):
    frame = converter(python_type).to_python(converter(pd.DataFrame).to_literal(FRAME, context), context)
    found = converter(Annotated[python_type, kwtypes(a=int, nope=str)])
    with pytest.raises(ValueConversionError, match=r"(?s)column 'nope' is missing.*a, b, c"):
        found.to_literal(frame, context)


@pytest.mark.parametrize("python_type", TYPES)
@pytest.mark.parametrize("form", ["parquet", "csv", "arrow", "json"])
def test_a_missing_column_is_named_when_it_is_read(converter, context, python_type, form):
    literal = converter(Annotated[pd.DataFrame, form]).to_literal(FRAME, context)
    for known in (literal, Dataset(literal.uri, format=form)):  # columns known from the literal, and not
        with pytest.raises(ValueConversionError, match="column 'nope' is missing"):
            converter(Annotated[python_type, kwtypes(nope=int)]).to_python(known, context)


def test_columns_of_another_kind_are_refused(converter, context):
    for declared in (kwtypes(a=str), kwtypes(b=int), kwtypes(c=bool)):
        with pytest.raises(ValueConversionError, match="was declared as"):
            converter(Annotated[pd.DataFrame, declared]).to_literal(FRAME, context)
    converter(Annotated[pd.DataFrame, kwtypes(a=float, c=int)]).to_literal(FRAME, context)  # numbers are numbers


def test_only_declared_columns_are_stored(converter, context):
    literal = converter(Annotated[pd.DataFrame, kwtypes(c=float, a=int)]).to_literal(FRAME, context)
    assert [column.name for column in literal.columns] == ["c", "a"]
    assert list(converter(pd.DataFrame).to_python(literal, context)) == ["c", "a"]


@pytest.mark.parametrize("python_type", TYPES)
@pytest.mark.parametrize("form", ["parquet", "csv", "arrow", "json"])
def test_only_declared_columns_are_read(converter, context, remote, python_type, form):
    for where in (context, remote):
        literal = converter(Annotated[pd.DataFrame, form]).to_literal(FRAME, where)
        found = converter(Annotated[python_type, kwtypes(c=float, a=int)]).to_python(literal, where)
        assert rows(found) == [{"c": row["c"], "a": row["a"]} for row in ROWS]


def test_other_columns_of_parquet_are_not_even_read(converter, remote, backend):
    wide = pd.DataFrame({f"c{n}": np.random.default_rng(n).random(20_000) for n in range(20)})
    literal = converter(pd.DataFrame).to_literal(wide, remote)
    backend.bytes_read = 0
    converter(Annotated[pd.DataFrame, kwtypes(c3=float)]).to_python(literal, remote)
    assert 100_000 < backend.bytes_read < literal.size / 4


def test_the_literal_says_columns_rows_and_size(stored):
    assert stored.columns == (Column("a", "int64"), Column("b", "string"), Column("c", "double"))
    assert (stored.rows, stored.format) == (3, "parquet")
    assert stored.size
    assert stored.uri.endswith(".parquet")


# --- producer and consumer ---


@pytest.mark.parametrize("consumer", TYPES)
def test_any_library_reads_what_pandas_stored(converter, context, stored, consumer):
    found = converter(consumer).to_python(stored, context)
    assert isinstance(found, consumer)
    assert rows(found) == ROWS


def test_unnamed_index_is_for_pandas_only(converter, context):
    frame = FRAME.set_index(pd.Index(["p", "q", "r"]))
    literal = converter(pd.DataFrame).to_literal(frame, context)
    assert [column.name for column in literal.columns] == ["a", "b", "c"]
    assert converter(pl.DataFrame).to_python(literal, context).columns == ["a", "b", "c"]
    narrow = converter(Annotated[pd.DataFrame, kwtypes(a=int)]).to_python(literal, context)
    assert list(narrow.index) == ["p", "q", "r"]
    named = converter(pd.DataFrame).to_literal(FRAME.set_index(pd.Index(["p", "q", "r"], name="key")), context)
    assert "key" in converter(pl.LazyFrame).to_python(named, context).collect_schema().names()
    assert list(converter(Annotated[pd.DataFrame, kwtypes(a=int)]).to_python(named, context).index.names) == ["key"]
    text = converter(Annotated[pd.DataFrame, "csv"]).to_literal(
        FRAME.set_index(pd.Index([1, 2, 3], name="key")), context
    )
    assert [column.name for column in text.columns] == ["key", "a", "b", "c"]


def test_a_task_may_change_the_frame_that_it_got(converter, context, stored):
    found = converter(pd.DataFrame).to_python(stored, context)
    found["a"] += 1
    found.loc[0, "b"] = "changed"
    assert rows(converter(pd.DataFrame).to_python(stored, context)) == ROWS


def test_a_frame_of_another_class_is_refused(converter, context):
    with pytest.raises(ValueConversionError, match=r"expected pandas\.DataFrame, found polars\.DataFrame"):
        converter(pd.DataFrame).to_literal(pl.DataFrame({"a": [1]}), context)
    for value in (5, None, [1], {"a": 1}):
        with pytest.raises(ValueConversionError):
            converter(pd.DataFrame).to_literal(value, context)
        with pytest.raises(ValueConversionError):
            converter(DataFrame).to_literal(value, context)


def test_what_no_format_holds_is_refused_with_the_reason(converter, context):
    with pytest.raises(ValueConversionError, match="column x"):
        converter(pd.DataFrame).to_literal(pd.DataFrame({"x": [1, "a", object()]}), context)
    with pytest.raises(ValueConversionError, match="cannot be stored as parquet"):
        converter(pd.DataFrame).to_literal(pd.DataFrame([[1, 2]], columns=["a", "a"]), context)
    with pytest.raises(ValueConversionError, match="cannot be stored"):
        converter(pl.DataFrame).to_literal(pl.DataFrame({"x": [object()]}), context)
    with pytest.raises(UnsupportedTypeError, match=r"(?s)'xlsx'.*arrow, csv, json, parquet"):
        converter(Annotated[pd.DataFrame, "xlsx"]).to_literal(FRAME, context)
    assert not list(context.storage.list(context.storage.root))


# --- the handle ---


def test_nothing_is_read_until_used(converter, remote, backend):
    literal = converter(pd.DataFrame).to_literal(FRAME, remote)
    backend.calls.clear()
    handle = converter(DataFrame).to_python(literal, remote)
    assert (handle.uri, handle.format, handle.hash, handle.rows) == (literal.uri, "parquet", literal.hash, 3)
    assert [column.name for column in handle.columns] == ["a", "b", "c"]
    assert "3 rows" in repr(handle)
    assert handle == handle
    opened = handle.open(pd.DataFrame)
    pieces = opened.iter()
    assert not backend.calls
    assert rows(next(pieces)) == ROWS
    assert rows(opened.all()) == ROWS
    assert backend.calls["open_read"] == 2


def test_passing_on_does_not_encode_again(converter, remote, backend):
    literal = converter(pd.DataFrame).to_literal(FRAME, remote)
    handle = converter(DataFrame).to_python(literal, remote)
    backend.calls.clear()
    assert converter(DataFrame).to_literal(handle, remote) is literal
    assert converter(pd.DataFrame).to_literal(handle, remote) is literal
    assert converter(Annotated[DataFrame, kwtypes(a=int)]).to_literal(handle, remote) is literal
    assert not backend.calls
    with pytest.raises(ValueConversionError, match="'nope' is missing"):
        converter(Annotated[DataFrame, kwtypes(nope=int)]).to_literal(handle, remote)


@pytest.mark.parametrize("python_type", TYPES)
def test_open(converter, context, stored, python_type):
    handle = converter(DataFrame).to_python(stored, context).open(python_type)
    assert rows(handle.all()) == rows(handle.all_sync()) == ROWS
    assert [row for piece in handle.iter() for row in rows(piece)] == ROWS
    assert [row for piece in handle.iter_sync() for row in rows(piece)] == ROWS
    narrow = converter(Annotated[DataFrame, kwtypes(b=str)]).to_python(stored, context).open(python_type)
    assert rows(narrow.all()) == [{"b": row["b"]} for row in ROWS]


def test_open_without_a_class_is_pandas(converter, context, stored):
    assert rows(converter(DataFrame).to_python(stored, context).all()) == ROWS


def test_open_does_not_change_the_handle(converter, context, stored):
    handle = converter(DataFrame).to_python(stored, context)
    handle.open(pl.DataFrame)
    assert isinstance(handle.all(), pd.DataFrame)


def test_open_as_something_else_is_refused(converter, context, stored):
    handle = converter(DataFrame).to_python(stored, context)
    with pytest.raises(UnsupportedTypeError, match="dict"):
        handle.open(dict).all()
    with pytest.raises(UnsupportedTypeError, match="xlsx"):
        DataFrame(uri="memory://x/y.bin", file_format="xlsx").bound(context.storage, handle._types).open(
            pd.DataFrame
        ).all()


def test_frames_in_memory(converter, context):
    handle = DataFrame(FRAME)
    assert handle.dataframe is handle.val is FRAME
    assert handle.all() is FRAME
    assert handle.open(pd.DataFrame).all() is FRAME
    assert [piece is FRAME for piece in handle.iter()] == [True]
    assert rows(DataFrame(FRAME).open(pl.DataFrame).all()) == ROWS  # by way of the application's storage
    assert (handle.uri, handle.format, handle.hash) == (None, "", None)
    assert repr(handle) == "DataFrame(DataFrame in memory)"
    assert DataFrame.from_df(FRAME) == DataFrame.wrap_df(FRAME) == DataFrame(val=FRAME)
    assert DataFrame(FRAME) != DataFrame(FRAME.copy())
    literal = converter(DataFrame).to_literal(handle, context)
    assert literal == converter(pd.DataFrame).to_literal(FRAME, context)
    assert converter(DataFrame).to_literal(pl.from_pandas(FRAME), context).rows == 3


def test_a_changed_frame_is_stored_anew(converter, context):
    frame = FRAME.copy()
    handle = DataFrame(frame)
    first = converter(DataFrame).to_literal(handle, context)
    frame.loc[0, "a"] = 9
    assert converter(DataFrame).to_literal(handle, context).hash != first.hash


def test_format_of_the_annotation_counts_more(converter, context):
    assert converter(DataFrame).to_literal(DataFrame(FRAME, file_format="csv"), context).format == "csv"
    assert converter(DataFrame).to_literal(DataFrame(FRAME, format="feather"), context).format == "arrow"
    both = converter(Annotated[DataFrame, "arrow"]).to_literal(DataFrame(FRAME, file_format="csv"), context)
    assert both.format == "arrow"
    assert DataFrame(FRAME, file_format="csv").file_format == "csv"


def test_uri_with_a_frame_is_the_destination(converter, remote, tmp_path):
    literal = converter(DataFrame).to_literal(DataFrame(FRAME, uri="memory://there/x.csv"), remote)
    assert (literal.uri, literal.format) == ("memory://there/x.csv", "csv")
    assert remote.storage.exists("memory://there/x.csv")
    literal = converter(DataFrame).to_literal(DataFrame(FRAME, uri=str(tmp_path / "deep") + "/"), remote)
    assert Path(tmp_path / "deep" / "data.parquet").exists()
    assert converter(DataFrame).to_literal(DataFrame(FRAME), remote).hash == literal.hash


def test_a_folder_that_is_there_takes_a_file(converter, remote, tmp_path):
    literal = converter(DataFrame).to_literal(DataFrame(FRAME, uri=str(tmp_path)), remote)
    assert literal.uri == (tmp_path / "data.parquet").as_uri()
    assert (
        converter(DataFrame).to_literal(DataFrame(FRAME, uri=tmp_path.as_uri(), format="csv"), remote).format == "csv"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.csv", "data.parquet"]


def test_remote_uri_passes_untouched(converter, remote, backend):
    assert converter(DataFrame).to_literal(DataFrame(uri="memory://b/x.csv"), remote) == Dataset(
        "memory://b/x.csv", format="csv"
    )
    assert converter(DataFrame).to_literal("memory://b/x", remote) == Dataset("memory://b/x", format="parquet")
    assert converter(DataFrame).to_literal(DataFrame(uri="bq://p:d.t"), remote) == Dataset("bq://p:d.t", format="")
    assert not backend.calls


def test_local_file_is_copied(converter, context, tmp_path, monkeypatch):
    FRAME.to_parquet(tmp_path / "x.parquet")
    monkeypatch.chdir(tmp_path)
    literal = converter(DataFrame).to_literal(DataFrame(uri="x.parquet"), context)
    assert literal.uri.startswith(context.storage.root)
    assert literal.hash
    FRAME.head(1).to_parquet(tmp_path / "x.parquet")
    assert rows(converter(pd.DataFrame).to_python(literal, context)) == ROWS
    with pytest.raises(ValueConversionError, match="there is no"):
        converter(DataFrame).to_literal("nothing.parquet", context)


def test_empty_handle_is_refused(converter, context):
    with pytest.raises(ValueConversionError, match="empty DataFrame"):
        converter(DataFrame).to_literal(DataFrame(), context)
    with pytest.raises(UsageError, match="cannot be read"):
        DataFrame().all()


def test_missing_data_is_an_error_when_used(converter, context):
    handle = converter(DataFrame).to_python(Dataset("memory://b/none.parquet"), context)
    for python_type in TYPES:
        with pytest.raises(StorageError, match=r"none\.parquet"):
            handle.open(python_type).all()
    gone = converter(DataFrame).to_python(Dataset("file:///nowhere/none.parquet"), context)
    for python_type in TYPES:
        with pytest.raises(StorageError, match=r"none\.parquet"):
            gone.open(python_type).all()


@pytest.mark.parametrize("form", ["parquet", "csv", "arrow", "json"])
@pytest.mark.parametrize("python_type", TYPES)
def test_damaged_bytes_are_refused_with_the_place(converter, context, tmp_path, python_type, form):
    path = tmp_path / f"broken.{form}"
    path.write_bytes(b'{"a": \x00\xff\n1,2,"' * 3)
    literal = Dataset(path.as_uri(), format=form)
    with pytest.raises(ValueConversionError, match="broken"):
        rows(converter(python_type).to_python(literal, context))


def test_metadata_travels(converter, context):
    literal = converter(DataFrame).to_literal(DataFrame(FRAME, metadata={"k": "v"}), context)
    handle = converter(DataFrame).to_python(literal, context)
    assert handle.metadata == {"k": "v"}
    handle.metadata["k"] = "w"
    assert converter(DataFrame).to_literal(handle, context).metadata == {"k": "w"}
    assert literal.metadata == {"k": "v"}


def test_equality_copies_and_pickles(converter, stored):
    app = current_app()
    literal = converter(pd.DataFrame).to_literal(FRAME, app.conversion)
    handle = converter(DataFrame).to_python(literal, app.conversion)
    for twin in (pickle.loads(pickle.dumps(handle)), copy.deepcopy(handle)):
        assert twin == handle
        assert rows(twin.all()) == ROWS
    assert DataFrame(uri="a") != DataFrame(uri="b")
    assert DataFrame(uri="a") != "a"
    deep = copy.deepcopy(DataFrame(FRAME))
    assert deep.dataframe is not FRAME
    assert rows(deep.dataframe) == ROWS
    with pytest.raises(TypeError):
        hash(handle)


def test_from_local(converter, context, tmp_path):
    handle = DataFrame.from_local(FRAME, columns=kwtypes(a=int), hash_method="mine")
    literal = converter(DataFrame).to_literal(handle, context)
    assert (literal.hash, [column.name for column in literal.columns]) == ("mine", ["a"])
    sent = DataFrame.from_local_sync(FRAME, remote_destination=str(tmp_path / "x.parquet"))
    assert rows(pd.read_parquet(tmp_path / "x.parquet")) == ROWS
    assert sent.rows == 3
    FRAME.to_csv(tmp_path / "y.csv", index=False)
    again = DataFrame.from_local(str(tmp_path / "y.csv"), remote_destination=str(tmp_path / "z.csv"))
    assert rows(again.all()) == ROWS
    assert DataFrame.from_local(FRAME, hash_method=lambda frame: f"h{len(frame)}").hash == "h3"


def test_from_existing_remote(converter, remote):
    handle = DataFrame.from_existing_remote("memory://b/x", format="csv", hash="k")
    assert converter(DataFrame).to_literal(handle, remote) == Dataset("memory://b/x", hash="k", format="csv")
    assert DataFrame.from_existing_remote("memory://b/x.json").format == "json"


def test_hash_method_of_the_author(converter, context):
    counted = Annotated[pd.DataFrame, HashMethod(lambda frame: f"rows-{len(frame)}")]
    assert converter(counted).to_literal(FRAME, context).hash == "rows-3"


# --- reading what others wrote ---


@pytest.mark.parametrize("python_type", [DataFrame, *TYPES])
def test_paths_and_uris_are_read_by_their_suffix(converter, remote, tmp_path, python_type):
    FRAME.to_parquet(tmp_path / "x.parquet")
    FRAME.to_csv(tmp_path / "x.csv", index=False)
    FRAME.to_json(tmp_path / "x.jsonl", orient="records", lines=True)
    FRAME.to_json(tmp_path / "x.json", orient="records")
    FRAME.to_feather(tmp_path / "x.feather")
    for path in sorted(tmp_path.iterdir()):
        uri = f"memory://b/{path.name}"
        with remote.storage.writer(uri=uri) as stream:
            stream.write(path.read_bytes())
        for text in (str(path), uri):
            found = converter(python_type)
            value = found.from_text(text, remote)
            literal = found.to_literal(value, remote)
            assert rows(converter(pa.Table).to_python(literal, remote)) == ROWS, text
            assert (
                rows(converter(pa.Table).to_python(found.to_literal(found.from_plain(text, remote), remote), remote))
                == ROWS
            )


def test_plain_descriptions(converter, context, tmp_path):
    path = tmp_path / "no suffix"
    FRAME.to_csv(path, index=False)
    found = converter(pd.DataFrame)
    assert rows(found.from_plain({"uri": str(path), "format": "csv"}, context)) == ROWS
    assert found.from_plain(FRAME, context) is FRAME
    handle = converter(DataFrame).from_plain({"uri": str(path), "format": "csv", "hash": "h"}, context)
    assert (handle.format, handle.hash) == ("csv", "h")
    for value in (5, None, {"a": 1}):
        with pytest.raises(ValueConversionError):
            found.from_plain(value, context)
        with pytest.raises(ValueConversionError):
            converter(DataFrame).from_plain(value, context)
    with pytest.raises(ValueConversionError, match=r"there is no .*nothing\.csv"):
        found.from_text(str(tmp_path / "nothing.csv"), context)


@pytest.mark.parametrize("names", [[], ["_SUCCESS", ".crc"]])
def test_folder_without_data_is_told(converter, context, tmp_path, names):
    folder = tmp_path / "out"
    folder.mkdir()
    for name in names:
        (folder / name).write_text("")
    literal = converter(DataFrame).to_literal(DataFrame(uri=str(folder)), context)
    with pytest.raises(ValueConversionError, match=r"there is no data in the folder file://.*") as caught:
        converter(pd.DataFrame).to_python(literal, context)
    assert "write its files before" in caught.value.hint


def test_folder_of_parts_is_one_frame(converter, remote, tmp_path):
    for number in range(3):
        (tmp_path / "out.parquet").mkdir(exist_ok=True)
        FRAME.assign(a=number).to_parquet(tmp_path / "out.parquet" / f"part-{number}.parquet", index=False)
    (tmp_path / "out.parquet" / "_SUCCESS").write_text("")
    literal = converter(DataFrame).to_literal(str(tmp_path / "out.parquet"), remote)
    for python_type in TYPES:
        found = rows(converter(python_type).to_python(literal, remote))
        assert [row["a"] for row in found] == [0] * 3 + [1] * 3 + [2] * 3
    assert rows(converter(pd.DataFrame).from_text(str(tmp_path / "out.parquet"), remote))[-1]["a"] == 2
    pieces = converter(DataFrame).to_python(literal, remote).open(pl.DataFrame).iter()
    assert [len(piece) for piece in pieces] == [3, 3, 3]


# --- streams ---


def batches(count: int, size: int) -> Iterator[Any]:
    for number in range(count):
        values = np.random.default_rng(number).integers(0, 2**60, size)
        yield pa.record_batch({"n": values, "t": [f"{number}-{k}" for k in range(size)]})


@pytest.mark.parametrize("form", ["parquet", "csv", "arrow", "json"])
def test_streams_never_hold_everything(converter, context, form):
    """Write and read 60 batches of which a few are in memory at once, by Arrow's own count."""
    schema = next(batches(1, 1)).schema
    size, count = 20_000, 60
    whole = size * count * 8
    pa.default_memory_pool().release_unused()
    before = pa.total_allocated_bytes()
    most = 0

    def watched() -> Iterator[Any]:
        nonlocal most
        for batch in batches(count, size):
            most = max(most, pa.total_allocated_bytes() - before)
            yield batch

    found = converter(Annotated[pa.RecordBatchReader, form])
    literal = found.to_literal(pa.RecordBatchReader.from_batches(schema, watched()), context)
    assert literal.rows == size * count
    assert most < whole
    most, seen = 0, 0
    for piece in converter(DataFrame).to_python(literal, context).open(pa.Table).iter():
        most = max(most, pa.total_allocated_bytes() - before)
        seen += len(piece)
    assert seen == size * count
    assert most < whole


def test_iterators_of_frames(converter, context):
    whole = converter(DataFrame).to_literal(
        pa.Table.from_pandas(FRAME, preserve_index=False).replace_schema_metadata(), context
    )
    pieces = [
        FRAME.iloc[:1],
        pl.from_pandas(FRAME.iloc[1:2]),
        pa.record_batch(pa.Table.from_pandas(FRAME.iloc[2:], preserve_index=False).to_batches()[0]),
    ]
    literal = converter(DataFrame).to_literal(DataFrame(iter(pieces)), context)
    assert rows(converter(pa.Table).to_python(literal, context)) == ROWS
    assert literal.columns == whole.columns
    with pytest.raises(ValueConversionError, match="without any data frame"):
        converter(DataFrame).to_literal(DataFrame(iter([])), context)
    with pytest.raises(ValueConversionError, match="found int"):
        converter(DataFrame).to_literal(DataFrame(iter([1])), context)


def test_failure_in_a_stream_leaves_nothing(converter, context):
    def broken() -> Iterator[Any]:
        yield pa.record_batch({"x": [1]})
        raise RuntimeError("the source broke")

    reader = pa.RecordBatchReader.from_batches(pa.schema({"x": pa.int64()}), broken())
    with pytest.raises(ValueConversionError, match="the source broke"):
        converter(pa.RecordBatchReader).to_literal(reader, context)
    assert not list(context.storage.list(context.storage.root))


def test_lazy_frame_of_a_stored_file_is_a_scan(converter, context, stored):
    plan = converter(pl.LazyFrame).to_python(stored, context).select("a").explain()
    assert "SCAN" in plan
    assert "PROJECT" in plan


def test_row_groups_have_one_size(converter, context):
    frame = pl.DataFrame({"x": range(300_000)})
    literal = converter(pl.DataFrame).to_literal(frame, context)
    metadata = pq.read_metadata(context.storage.local_path(literal.uri))
    assert [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)] == [131_072, 131_072, 37_856]


# --- as values ---


def test_nested_in_other_types(round_trip, context):
    assert rows(round_trip(list[pd.DataFrame], [FRAME, FRAME], context)[1]) == ROWS
    assert round_trip(typing.Optional[pd.DataFrame], None, context) is None  # noqa: UP045
    assert rows(round_trip(dict[str, DataFrame], {"a": DataFrame(FRAME)}, context)["a"].all()) == ROWS


def test_pydantic(tmp_path):
    import pydantic

    class Model(pydantic.BaseModel):
        data: DataFrame

    assert Model(data="s3://b/x.csv").data == DataFrame(uri="s3://b/x.csv")
    assert Model(data=DataFrame(FRAME)).data.dataframe is FRAME
    assert Model.model_validate_json(Model(data="s3://b/x.csv").model_dump_json()).data.uri == "s3://b/x.csv"
    with pytest.raises(pydantic.ValidationError):
        Model(data=5)
    with pytest.raises(UsageError, match="in memory"):
        DataFrame(FRAME).to_dict()
