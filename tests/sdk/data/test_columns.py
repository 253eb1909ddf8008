from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import typing

import pytest

from alula._data.columns import canonical, check_columns, columns_of, declared_columns, family, kwtypes
from alula_kernel.errors import UnsupportedTypeError, ValueConversionError
from alula_kernel.literals import Column


class Colour(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Inner:
    x: int


TYPES = {
    int: "int64",
    float: "double",
    str: "string",
    bool: "bool",
    bytes: "binary",
    dt.datetime: "timestamp[us]",
    dt.date: "date32[day]",
    dt.time: "time64[us]",
    dt.timedelta: "duration[us]",
    decimal.Decimal: "decimal128(38, 9)",
    typing.Optional[int]: "int64",  # noqa: UP045
    int | None: "int64",
    list[str]: "list<item: string>",
    dict[str, float]: "map<string, double>",
    Inner: "struct<x: int64>",
    Colour: "string",
    "float32": "float",
    "timestamp[ns, tz=UTC]": "timestamp[ns, tz=UTC]",
}


@pytest.mark.parametrize(("python_type", "text"), TYPES.items(), ids=str)
def test_python_types(python_type, text):
    assert columns_of({"x": python_type}) == (Column("x", text),)


def test_library_types():
    import numpy as np
    import pyarrow as pa

    declared = kwtypes(
        a=np.float32, b=np.dtype("int16"), c=np.str_, d=pa.large_string(), e=pa.timestamp("ms"), f=np.bool_
    )
    assert [column.type for column in columns_of(declared)] == [
        "float",
        "int16",
        "string",
        "string",
        "timestamp[ms]",
        "bool",
    ]
    assert columns_of(pa.schema([("x", pa.large_list(pa.large_string()))])) == (Column("x", "list<item: string>"),)


def test_python_and_arrow_write_types_alike():
    import pyarrow as pa

    for python_type, text in TYPES.items():
        if isinstance(python_type, type) and not typing.get_args(python_type) and python_type not in {Inner, Colour}:
            assert str(pa.type_for_alias(text) if "(" not in text else pa.decimal128(38, 9)) == text


def test_nested_dictionaries_and_lists():
    assert columns_of({"a": {"b": int, "c": {"d": list[int]}}}) == (
        Column("a", "struct<b: int64, c: struct<d: list<item: int64>>>"),
    )


def test_kwtypes_keeps_order():
    assert isinstance(kwtypes(b=int, a=str), collections.OrderedDict)
    assert list(kwtypes(b=int, a=str)) == ["b", "a"]


@pytest.mark.parametrize("wrong", [object, int | str, typing.Any, 5, set[int]], ids=str)
def test_other_types_are_refused(wrong):
    with pytest.raises(UnsupportedTypeError, match="column 'x' cannot be of type"):
        columns_of({"x": wrong})


def test_what_declares_no_columns():
    assert columns_of("csv") is None
    assert declared_columns(("csv", 5, object())) == ()
    assert declared_columns(("csv", {"x": int}, {"y": int})) == (Column("x", "int64"),)


def test_families():
    names = {"uint8": "number", "halffloat": "number", "large_string": "text", "bool": "truth value", "null": ""}
    assert {name: family(canonical(name)) for name in names} == names
    assert family("dictionary<values=string, indices=int8, ordered=0>") == "text"
    assert family("time32[s]") == "time"
    assert family("timestamp[us, tz=UTC]") == family("date32[day]") == "date"


def test_check_columns():
    have = (Column("a", "int32"), Column("b", "string"), Column("n", "null"))
    check_columns((Column("a", "double"), Column("n", "string")), have, "the frame")
    with pytest.raises(ValueConversionError, match=r"(?s)column 'z' is missing from the frame.*a, b, n"):
        check_columns((Column("z", "int64"),), have, "the frame")
    with pytest.raises(ValueConversionError, match="column 'b' of the frame was declared as int64"):
        check_columns((Column("b", "int64"),), have, "the frame")
