from __future__ import annotations

import math
import typing
from collections.abc import Generator, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alula._data.json_iterator import JSON, JSONIterator
from alula_kernel.errors import UnsupportedTypeError, ValueConversionError
from alula_kernel.literals import Blob
from alula_kernel.types import BlobOf, ListOf, Simple

VALUES = [{"a": 1, "b": [None, True, "é\n"]}, [1.5], "text", None, -(2**63)]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def test_types(converter):
    assert converter(JSON).literal_type == Simple("json")
    for python_type in (Iterator[JSON], typing.Iterator[JSON], Generator[JSON, None, None]):
        assert converter(python_type).literal_type == BlobOf("jsonl")
    with pytest.raises(UnsupportedTypeError, match=r"(?s)Iterator does not say .*Iterator\[JSON\]"):
        converter(Iterator)


def test_iterators_over_anything_else_are_listed(round_trip, converter, context):
    assert converter(Iterator[int]).literal_type == ListOf(Simple("int"))
    found = round_trip(Iterator[int], (number for number in (1, 2)), context)
    assert isinstance(found, Iterator)
    assert list(found) == [1, 2]
    assert list(converter(Iterator[int]).from_text("[3]", context)) == [3]
    for wrong in ("12", 7, ["a"]):
        with pytest.raises(ValueConversionError):
            converter(Iterator[int]).to_literal(wrong, context)


def test_round_trip(round_trip, context, remote):
    for where in (context, remote):
        found = round_trip(Iterator[JSON], iter(VALUES), where)
        assert isinstance(found, Iterator)
        assert list(found) == VALUES
        assert list(found) == []
        assert list(round_trip(Iterator[JSON], VALUES, where)) == VALUES
        assert list(round_trip(Iterator[JSON], [], where)) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(values=st.lists(json_values, max_size=5))
def test_any_values_round_trip(round_trip, remote, values):
    assert list(round_trip(Iterator[JSON], iter(values), remote)) == values


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(value=json_values)
def test_any_value_round_trips(round_trip, context, value):
    assert round_trip(JSON, value, context) == value


def test_written_and_read_one_at_a_time(converter, context):
    alive = 0
    most = 0

    class Value(dict):
        def __init__(self) -> None:
            nonlocal alive, most
            super().__init__(x="y" * 100)
            alive += 1
            most = max(most, alive)

        def __del__(self) -> None:
            nonlocal alive
            alive -= 1

    blob = converter(Iterator[JSON]).to_literal((Value() for _ in range(5_000)), context)
    assert most < 600
    assert blob.size == 5_000 * len('{"x":"%s"}\n' % ("y" * 100))
    read = converter(Iterator[JSON]).to_python(blob, context)
    assert sum(1 for _ in read) == 5_000


def test_nothing_is_read_until_used(converter, remote, backend):
    blob = converter(Iterator[JSON]).to_literal(VALUES, remote)
    backend.calls.clear()
    read = converter(Iterator[JSON]).to_python(blob, remote)
    assert converter(Iterator[JSON]).to_literal(read, remote) is blob
    assert repr(read)
    assert not backend.calls
    assert next(read) == VALUES[0]
    read.close()
    assert list(read) == []


def test_a_line_that_is_no_json_is_named(converter, context):
    blob = context.storage.put_bytes(b'{"a": 1}\n\n{broken\n', name="rows.jsonl")
    read = converter(Iterator[JSON]).to_python(blob, context)
    assert next(read) == {"a": 1}
    with pytest.raises(ValueConversionError, match=r"line 3 of rows\.jsonl is not JSON"):
        next(read)


def test_refusals(converter, context):
    for wrong in (5, "text", {"a": 1}, None):
        with pytest.raises(ValueConversionError):
            converter(Iterator[JSON]).to_literal(wrong, context)
    with pytest.raises(ValueConversionError):
        converter(Iterator[JSON]).to_literal([object()], context)
    with pytest.raises(ValueConversionError):
        converter(JSON).to_literal({1, 2}, context)
    assert not list(context.storage.list(context.storage.root))


def test_floats_that_json_does_not_have(round_trip, context):
    found = list(round_trip(Iterator[JSON], [math.inf, math.nan], context))
    assert found[0] == math.inf
    assert math.isnan(found[1])


def test_command_line(converter, context, tmp_path):
    (tmp_path / "x.jsonl").write_text('1\n{"a": 2}\n')
    take = converter(Iterator[JSON])
    assert list(take.from_text(str(tmp_path / "x.jsonl"), context)) == [1, {"a": 2}]
    assert list(take.from_text("[1, 2]", context)) == [1, 2]
    assert list(take.from_plain([1, 2], context)) == [1, 2]
    assert converter(JSON).from_text('{"a": [1]}', context) == {"a": [1]}
    with pytest.raises(ValueConversionError):
        converter(JSON).from_text("{", context)
    with pytest.raises(ValueConversionError):
        take.from_text("[1", context)


def test_iterator_of_a_handle(context):
    blob = context.storage.put_bytes(b"1\n")
    assert JSONIterator(context.storage, blob).blob == blob
    assert isinstance(blob, Blob)
