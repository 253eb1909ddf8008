"""Frames of every library through every format and back, with values that Hypothesis chooses."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Annotated, Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alula_kernel.errors import ValueConversionError

FORMATS = ["parquet", "csv", "arrow", "json"]
BINARY = ["parquet", "arrow"]

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\r"), max_size=8)
TIMES = st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2200, 1, 1))  # noqa: DTZ001 - without a zone on purpose
PLAIN = {
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.int8(): st.integers(-128, 127),
    pa.uint32(): st.integers(0, 2**32 - 1),
    pa.float64(): st.floats(allow_nan=False, allow_infinity=False),
    pa.string(): TEXT,
    pa.bool_(): st.booleans(),
    pa.timestamp("us"): TIMES,
    pa.timestamp("us", "UTC"): TIMES.map(lambda value: value.replace(tzinfo=dt.timezone.utc)),
    pa.date32(): st.dates(dt.date(1900, 1, 1), dt.date(2200, 1, 1)),
    pa.duration("us"): st.timedeltas(dt.timedelta(days=-10_000), dt.timedelta(days=10_000)),
    pa.list_(pa.string()): st.lists(st.none() | TEXT, max_size=3),
    pa.list_(pa.list_(pa.int64())): st.lists(st.none() | st.lists(st.integers(-5, 5), max_size=2), max_size=3),
}
RICH = {
    **PLAIN,
    pa.float32(): st.floats(width=32, allow_nan=False),
    pa.binary(): st.binary(max_size=8),
    pa.decimal128(12, 2): st.decimals(-1000, 1000, places=2),
    pa.time64("us"): st.times(),
    pa.list_(pa.int64()): st.lists(st.none() | st.integers(-5, 5), max_size=3),
    pa.struct({"x": pa.int64(), "y": pa.string()}): st.fixed_dictionaries(
        {"x": st.none() | st.integers(-5, 5), "y": st.none() | TEXT}
    ),
    pa.dictionary(pa.int32(), pa.string()): st.sampled_from(["a", "b", "é"]),
}


@st.composite
def tables(draw: st.DrawFn, kinds: dict[Any, Any] = RICH, min_columns: int = 0) -> Any:
    """Draw an Arrow table, in chunks that are cut anywhere."""
    rows = draw(st.integers(0, 6))
    chosen = draw(st.lists(st.sampled_from(list(kinds)), min_size=min_columns, max_size=4))
    names = draw(st.lists(TEXT.map("c{}".format), min_size=len(chosen), max_size=len(chosen), unique=True))
    columns = []
    for kind in chosen:
        values = draw(st.lists(st.none() | kinds[kind], min_size=rows, max_size=rows))
        columns.append(pa.array(values, kind))
    return pa.table(columns, names=names)


@st.composite
def cut(draw: st.DrawFn, table: Any) -> Any:
    """Cut a table in chunks anywhere, each with buffers that have other rows before and after."""
    points = sorted(draw(st.lists(st.integers(0, len(table)), max_size=3)))
    padded = pa.concat_tables([table, table, table])
    pieces = [
        padded.slice(len(table) + start, end - start)
        for start, end in zip([0, *points], [*points, len(table)], strict=True)
    ]
    return pa.concat_tables(pieces) if pieces else table


relaxed = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
    max_examples=40,
)


@pytest.mark.parametrize("form", BINARY)
@relaxed
@given(table=tables())
def test_arrow_keeps_everything(round_trip, context, form, table):
    found = round_trip(Annotated[pa.Table, form], table, context)
    assert found.schema.equals(table.schema)
    assert found.equals(table)


@pytest.mark.parametrize("form", ["csv", "json"])
@relaxed
@given(table=tables(PLAIN, 1))
def test_text_formats_keep_plain_values(round_trip, remote, form, table):
    found = round_trip(Annotated[pa.Table, form], table, remote)
    assert found.equals(table)


@pytest.mark.parametrize("form", FORMATS)
@relaxed
@given(table=tables(PLAIN, 1))
def test_streams_keep_rows(round_trip, context, form, table):
    found = round_trip(Annotated[pa.RecordBatchReader, form], table.to_reader(2), context)
    assert isinstance(found, pa.RecordBatchReader)
    assert found.read_all().equals(table)


@pytest.mark.parametrize("form", BINARY)
@relaxed
@given(table=tables())
def test_polars_keeps_everything(round_trip, context, form, table):
    frame = pl.from_arrow(table)
    found = round_trip(Annotated[pl.DataFrame, form], frame, context)
    assert found.schema == frame.schema
    assert found.equals(frame, null_equal=True)
    lazy = round_trip(Annotated[pl.LazyFrame, form], frame.lazy(), context)
    assert isinstance(lazy, pl.LazyFrame)
    assert lazy.collect().equals(frame, null_equal=True)


@pytest.mark.parametrize("form", ["csv", "json"])
@relaxed
@given(table=tables(PLAIN, 1))
def test_polars_text_formats(round_trip, context, form, table):
    frame = pl.from_arrow(table)
    assert round_trip(Annotated[pl.DataFrame, form], frame, context).equals(frame, null_equal=True)


INDEXES = st.one_of(
    st.builds(pd.RangeIndex, st.integers(-5, 5), st.just(100), st.integers(1, 3)),
    st.builds(
        lambda start, name: pd.RangeIndex(start, 100, name=name), st.integers(0, 5), st.sampled_from([None, "i"])
    ),
    st.builds(
        lambda seed, name: pd.Index([(seed * 7 + k * 13) % 97 for k in range(50)], name=name),
        *[st.integers(0, 9), st.sampled_from([None, "key"])],
    ),
    st.builds(lambda k: pd.Index([f"{k}{n}" for n in range(50)], name="word"), st.integers(0, 9)),
    st.just(pd.MultiIndex.from_product([["a", "b"], range(10)], names=["one", "two"])),
    st.just(pd.date_range("2024-01-01", periods=50)),
)
PANDAS = {
    kind: RICH[kind] for kind in (pa.int64(), pa.float64(), pa.string(), pa.bool_(), pa.timestamp("us"), pa.int8())
}


@pytest.mark.parametrize("form", BINARY)
@relaxed
@given(table=tables(PANDAS), index=INDEXES)
def test_pandas_keeps_values_types_and_index(round_trip, context, form, table, index):
    frame = table.to_pandas().set_axis(index[: len(table)])
    # What pandas itself gets back from Parquet is the yardstick: a column of None only has lost its type before.
    expected = pa.Table.from_pandas(frame).to_pandas()
    found = round_trip(Annotated[pd.DataFrame, form], frame, context)
    pd.testing.assert_frame_equal(found, expected, check_freq=False)
    assert found.index.equals(frame.index)


@pytest.mark.parametrize("form", ["csv", "json"])
@relaxed
@given(table=tables({kind: PANDAS[kind] for kind in (pa.int64(), pa.float64(), pa.string(), pa.bool_())}, 1))
def test_pandas_text_formats(round_trip, context, form, table):
    frame = table.to_pandas()
    expected = pa.Table.from_pandas(frame, preserve_index=False).replace_schema_metadata().to_pandas()
    pd.testing.assert_frame_equal(round_trip(Annotated[pd.DataFrame, form], frame, context), expected)


@pytest.mark.parametrize("form", FORMATS)
@relaxed
@given(data=st.data())
def test_equal_tables_hash_equal_however_they_lie_in_memory(converter, context, form, data):
    table = data.draw(tables(RICH if form in BINARY else PLAIN, 1))
    found = converter(Annotated[pa.Table, form])
    expected = found.to_literal(table, context)
    assert found.to_literal(data.draw(cut(table)), context) == expected
    stream = converter(Annotated[pa.RecordBatchReader, form])
    if not any(pa.types.is_dictionary(field.type) for field in table.schema):
        assert stream.to_literal(data.draw(cut(table)).to_reader(3), context) == expected
    if any(pa.types.is_struct(field.type) for field in table.schema):
        return  # polars 1.12 makes invalid Arrow arrays of structs in pieces
    polars = converter(Annotated[pl.DataFrame, form])
    frame = pl.from_arrow(table)
    pieces = pl.concat([frame.head(2), frame.slice(2)], rechunk=False) if len(frame) else frame
    assert polars.to_literal(pieces, context) == polars.to_literal(frame.rechunk(), context)


@relaxed
@given(table=tables(PANDAS, 1), data=st.data())
def test_equal_pandas_frames_hash_equal(converter, context, table, data):
    frame = table.to_pandas()
    found = converter(pd.DataFrame)
    expected = found.to_literal(frame, context)
    rebuilt = pd.concat([frame.iloc[: len(frame) // 2], frame.iloc[len(frame) // 2 :]])
    assert found.to_literal(rebuilt, context) == expected
    assert found.to_literal(frame.copy(), context) == expected
    assert found.to_literal(found.to_python(expected, context), context).hash == expected.hash
    if len(frame):
        reordered = frame.set_axis(pd.Index([5, *range(1, len(frame))]))
        assert found.to_literal(reordered, context).hash != expected.hash


@relaxed
@given(values=st.lists(st.integers(0, 100), min_size=1, max_size=20), position=st.integers(0, 100))
def test_one_changed_cell_changes_the_hash(converter, context, values, position):
    changed = list(values)
    changed[position % len(values)] += 1
    for python_type, make in ((pd.DataFrame, pd.DataFrame), (pl.DataFrame, pl.DataFrame), (pa.Table, pa.table)):
        found = converter(python_type)
        first = found.to_literal(make({"x": values}), context).hash
        assert found.to_literal(make({"x": changed}), context).hash != first
        assert found.to_literal(make({"y": values}), context).hash != first


@pytest.mark.parametrize("form", FORMATS)
@relaxed
@given(table=tables({kind: PLAIN[kind] for kind in (pa.int64(), pa.string(), pa.bool_())}, 1))
def test_what_one_library_stores_every_other_reads(converter, context, form, table):
    frames = [table.to_pandas(types_mapper=pd.ArrowDtype), pl.from_arrow(table), table, pl.from_arrow(table).lazy()]
    for frame in frames:
        literal = converter(Annotated[type(frame), form]).to_literal(frame, context)
        assert converter(pl.DataFrame).to_python(literal, context).equals(pl.from_arrow(table), null_equal=True)
        assert converter(pl.LazyFrame).to_python(literal, context).collect().equals(pl.from_arrow(table))
        assert converter(pa.RecordBatchReader).to_python(literal, context).read_all().to_pylist() == table.to_pylist()
        assert len(converter(pd.DataFrame).to_python(literal, context)) == len(table)


def test_polars_categories_do_not_depend_on_what_else_the_process_has(converter, context):
    found = converter(pl.DataFrame)
    first = found.to_literal(pl.DataFrame({"x": pl.Series(["b", "a", None, "b"], dtype=pl.Categorical)}), context)
    pl.Series(["q", "a", "z"], dtype=pl.Categorical)
    again = pl.DataFrame({"x": pl.Series(["z", "b", "a", None, "b"], dtype=pl.Categorical)}).slice(1)
    assert found.to_literal(again, context) == first
    back = found.to_python(first, context)
    assert back["x"].dtype == pl.Categorical
    assert back["x"].to_list() == ["b", "a", None, "b"]


def test_pandas_categories_are_kept(round_trip, context):
    frame = pd.DataFrame({"x": pd.Categorical(["b", "a"], categories=["c", "b", "a"], ordered=True)})
    found = round_trip(Annotated[pd.DataFrame, "arrow"], frame, context)
    pd.testing.assert_frame_equal(found, frame)


def test_special_floats(round_trip, context):
    values = [float("nan"), float("inf"), float("-inf"), None, -0.0]
    frame = pl.DataFrame({"x": values}, schema={"x": pl.Float64}, strict=False)
    for form in ("parquet", "arrow", "csv"):
        found = round_trip(Annotated[pl.DataFrame, form], frame, context)["x"].to_list()
        assert str(found) == str(frame["x"].to_list())
    assert round_trip(Annotated[pl.DataFrame, "json"], frame, context)["x"].to_list() == [None, None, None, None, -0.0]


def test_text_that_looks_like_nothing(round_trip, context):
    frame = pd.DataFrame({"x": ["", "NA", "null", None, '"', "a\nb", "nan", " "]})
    for form in FORMATS:
        found = round_trip(Annotated[pd.DataFrame, form], frame, context)
        assert [None if pd.isna(value) else value for value in found["x"]] == [
            None if pd.isna(value) else value for value in frame["x"]
        ]


def test_frames_without_rows_or_columns(round_trip, context):
    for form in BINARY:
        found = round_trip(Annotated[pd.DataFrame, form], pd.DataFrame(), context)
        assert found.shape == (0, 0)
        assert round_trip(Annotated[pl.DataFrame, form], pl.DataFrame(), context).shape == (0, 0)
        bare = round_trip(Annotated[pd.DataFrame, form], pd.DataFrame(index=["a", "b"]), context)
        assert bare.shape == (2, 0)
        assert round_trip(Annotated[pd.DataFrame, form], pd.DataFrame(index=range(3)), context).shape == (3, 0)
        columns_gone = pl.DataFrame({"a": [1, 2, 3]}).drop("a")
        assert round_trip(Annotated[pl.DataFrame, form], columns_gone, context).shape == columns_gone.shape
        assert round_trip(Annotated[pa.Table, form], pa.table({"a": [1]}).select([]), context).shape == (1, 0)
    for form in ("csv", "json"):
        with pytest.raises(ValueConversionError, match="without columns"):
            round_trip(Annotated[pd.DataFrame, form], pd.DataFrame(), context)
    for form in FORMATS:
        empty = pl.DataFrame(schema={"a": pl.Int64, "b": pl.String})
        found = round_trip(Annotated[pl.DataFrame, form], empty, context)
        assert found.schema == empty.schema
        assert round_trip(Annotated[pl.LazyFrame, form], empty.lazy(), context).collect().schema == empty.schema
        stream = round_trip(Annotated[pa.RecordBatchReader, form], empty.to_arrow().to_reader(), context)
        assert stream.read_all().num_rows == 0


def test_decimals_times_and_bytes_in_pandas(round_trip, context):
    frame = pd.DataFrame(
        {"d": [decimal.Decimal("1.50"), None], "t": [dt.time(1, 2, 3), None], "b": [b"\0\xff", None]}, dtype=object
    )
    found = round_trip(pd.DataFrame, frame, context)
    assert found.astype(object).where(found.notna(), None).to_dict("list") == frame.to_dict("list")


@pytest.mark.parametrize("form", ["parquet", "arrow"])
@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (pa.list_(pa.string()), [["a"], None, []]),
        (pa.struct([("x", pa.int64())]), [{"x": 1}, None, {"x": None}]),
        (pa.map_(pa.string(), pa.int64()), [[("k", 1)], None, []]),
    ],
    ids=["list", "struct", "map"],
)
@pytest.mark.parametrize("named", [False, True], ids=["range", "named index"])
def test_pandas_keeps_nested_columns_of_arrow(round_trip, context, form, kind, values, named):
    frame = pd.DataFrame({"before": [1, 2, 3], "x": pd.Series(values, dtype=pd.ArrowDtype(kind)), "after": list("abc")})
    if named:
        frame = frame.set_index("before")
    found = round_trip(Annotated[pd.DataFrame, form], frame, context)
    assert found.dtypes.to_dict() == frame.dtypes.to_dict()
    pd.testing.assert_frame_equal(found, frame)


def test_csv_holds_structs_as_json(round_trip, context):
    struct = pa.struct([("x", pa.int64()), ("day", pa.date32())])
    frame = pa.table({"s": pa.array([{"x": 1, "day": dt.date(2024, 1, 2)}, None], struct)})
    found = round_trip(Annotated[pa.Table, "csv"], frame, context)
    assert found.to_pydict() == {"s": ['{"x":1,"day":"2024-01-02"}', None]}
