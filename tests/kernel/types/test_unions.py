# ruff: noqa: DTZ001, UP007, UP045 - old and new spellings of a type are the subject
from __future__ import annotations

import dataclasses
from datetime import date, datetime, timedelta
from typing import Any, Optional, Union

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula_kernel import types
from alula_kernel.contracts import Converter, TypeRequest, TypeTransformer
from alula_kernel.errors import UnsupportedTypeError, ValueConversionError
from alula_kernel.literals import Blob, Hashed, Json, ListLiteral, MapLiteral, Scalar, UnionLiteral, content_hash


@dataclasses.dataclass
class Circle:
    radius: float


@dataclasses.dataclass
class Square:
    side: float


@dataclasses.dataclass
class Disc(Circle):
    thickness: float = 1.0


@dataclasses.dataclass
class OtherCircle:
    radius: float


AnyValue = Union[
    int, float, str, bool, bytes, date, datetime, timedelta, list[int], dict[str, int], Circle, Square, None
]
any_values = (
    st.none()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | st.text()
    | st.booleans()
    | st.binary()
    | st.dates()
    | st.datetimes()
    | st.timedeltas()
    | st.lists(st.integers(0, 9))
    | st.dictionaries(st.text(), st.integers(0, 9))
    | st.builds(Circle, st.floats(allow_nan=False))
    | st.builds(Square, st.floats(allow_nan=False))
)


@given(value=any_values)
def test_union(round_trip, value):
    round_trip(AnyValue, value)


@given(value=st.none() | st.text())
def test_optional(round_trip, value):
    round_trip(Optional[str], value)


@given(values=st.lists(st.lists(st.integers(0, 9)) | st.lists(st.text())))
def test_variants_with_one_class(round_trip, values):
    round_trip(list[Union[list[int], list[str]]], values)


def test_new_style_unions(round_trip, registry):
    assert registry.converter(int | str).literal_type == registry.converter(Union[int, str]).literal_type
    assert registry.converter(int | None).literal_type == types.UnionOf((types.INT, types.NONE))
    round_trip(int | str, "a")


def test_only_two_variants_besides_none_are_tagged(registry, context):
    assert registry.converter(Optional[int]).to_literal(1, context) == Scalar(1)
    union = registry.converter(Union[int, str, None])
    assert union.to_literal(1, context) == UnionLiteral("int", Scalar(1))
    assert union.to_literal(None, context) == Scalar(None)
    shapes = registry.converter(Union[Circle, list[Square]])
    assert shapes.to_literal([Square(1)], context).variant == "list[Square]"


def test_equal_values_of_other_variants_have_other_hashes(registry, context):
    converter = registry.converter(AnyValue)
    values: list[Any] = [1, 1.0, True, "1", b"1", Circle(1), Square(1), None, [], {}]
    assert len({content_hash(converter.to_literal(value, context)) for value in values}) == len(values)


@pytest.mark.parametrize(
    ("python_type", "value", "variant"),
    [
        (Union[float, int], 1, "int"),
        (Union[int, float], 1.0, "float"),
        (Union[int, bool], True, "bool"),
        (Union[float, str], 1, "float"),  # accepted: an integer is a number
        (Union[int, float], np.float32(1), "float"),
        (Union[str, int], np.int64(1), "int"),
        (Union[str, float], np.float64(1), "float"),
        (Union[Circle, Disc], Disc(1), "Disc"),
        (Union[Disc, Circle], Circle(1), "Circle"),
        (Union[Square, Circle], Disc(1), "Circle"),  # the nearest base class
        (Union[Circle, Square], {"side": 1}, "Square"),
        (Union[date, str], date(2026, 1, 1), "date"),
        (Union[list[int], list[str]], [], "list[int]"),
        (Union[tuple[int, int], tuple[str, str]], ("a", "b"), "tuple[str, str]"),
        (Union[dict[str, int], dict[str, str]], {"a": "b"}, "dict[str, str]"),
        (Union[dict[str, Any], list[Any]], {"a": "b"}, "json"),
    ],
)
def test_variant_of_a_value(registry, context, python_type, value, variant):
    literal = registry.converter(python_type).to_literal(value, context)
    assert isinstance(literal, UnionLiteral)
    assert literal.variant == variant


@pytest.mark.parametrize(
    ("python_type", "value"),
    [
        (Union[int, float], True),
        (Union[int, str], 1.5),
        (Union[int, str], None),
        (Union[date, str], datetime(2026, 1, 1)),
    ],
)
def test_value_of_no_variant_is_refused(registry, context, python_type, value):
    with pytest.raises(ValueConversionError, match="expected"):
        registry.converter(python_type).to_literal(value, context)


class Costly:
    pass


class CostlyConverter(Converter[Any]):
    """Must not be asked to convert what it does not accept."""

    python_type = Costly
    literal_type = types.Opaque("Costly")

    def to_literal(self, value, context):
        assert isinstance(value, Costly)
        return Blob("memory://costly")

    def to_python(self, literal, context):
        assert isinstance(literal, Blob)
        return Costly()


class CostlyTransformer(TypeTransformer):
    name = "costly"

    def converter(self, request: TypeRequest):
        return CostlyConverter()


def test_variants_are_not_tried_by_converting(registry, context):
    from typing import Annotated

    converter = registry.converter(Union[Annotated[Costly, CostlyTransformer()], int, str])
    for value in (1, "a"):
        assert converter.to_python(converter.to_literal(value, context), context) == value
    literal = converter.to_literal(Costly(), context)
    assert literal.variant == "Costly"
    assert isinstance(converter.to_python(literal.value, context), Costly)


@pytest.mark.parametrize(
    ("python_type", "literal", "expected"),
    [
        (Union[float, int], Scalar(1), 1),
        (Union[int, float], Scalar(1.0), 1.0),
        (Union[float, str], Scalar(1), 1.0),
        (Union[int, str], Scalar("a"), "a"),
        (Union[date, int], Scalar("2026-01-31"), date(2026, 1, 31)),
        (Union[date, datetime, int], Scalar("2026-01-31T00:00:00"), datetime(2026, 1, 31)),
        (Union[int, timedelta], Scalar("PT5S"), timedelta(seconds=5)),
        (Union[date, str], Scalar("2026-01-31"), "2026-01-31"),
        (Union[list[int], list[str]], ListLiteral([Scalar("a")]), ["a"]),
        (Union[tuple[int, int], int], ListLiteral([Scalar(1), Scalar(2)]), (1, 2)),
        (Union[Circle, Square], MapLiteral({"side": Scalar(1.0)}), Square(1.0)),
        (Union[Circle, Disc], MapLiteral({"radius": Scalar(1.0), "thickness": Scalar(2.0)}), Disc(1.0, 2.0)),
        (Union[Circle, dict[str, int]], MapLiteral({"a": Scalar(1)}), {"a": 1}),
        (Union[str, dict], Json({"a": 1}), {"a": 1}),
        (Union[str, dict], MapLiteral({"a": Scalar(1)}), {"a": 1}),
        (Union[int, str, None], Scalar(None), None),
        (Union[int, str], Hashed(Scalar(1), "x"), 1),
        (Union[int, str], Hashed(UnionLiteral("str", Scalar("1")), "x"), "1"),
        (Union[int, str], UnionLiteral("bool | int", Scalar(1)), 1),
        (Optional[int], Hashed(Scalar(None), "x"), None),
        (Optional[int], UnionLiteral("int", Scalar(1)), 1),
        (Optional[int], Hashed(UnionLiteral("None", Scalar(None)), "x"), None),
    ],
)
def test_literal_without_its_variant_is_chosen_by_shape(registry, context, python_type, literal, expected):
    value = registry.converter(python_type).to_python(literal, context)
    assert (value, type(value)) == (expected, type(expected))


@pytest.mark.parametrize("literal", [Scalar(1.5), Scalar(None), ListLiteral([]), UnionLiteral("float", Scalar(1.5))])
def test_literal_of_no_variant_is_refused(registry, context, literal):
    with pytest.raises(ValueConversionError, match=r"expected int \| str"):
        registry.converter(Union[int, str]).to_python(literal, context)


def test_records_of_one_name_are_told_apart_by_shape(registry, context):
    from types import SimpleNamespace

    other = SimpleNamespace(cls=dataclasses.make_dataclass("Circle", [("diameter", float)]))
    converter = registry.converter(Union[Circle, other.cls])
    for value in (Circle(1.0), other.cls(2.0)):
        assert converter.to_python(converter.to_literal(value, context), context) == value


@pytest.mark.parametrize(
    "python_type",
    [Union[list[int], set[int]], Union[list[int], tuple[int, ...]], Union[dict, dict[str, Any], str]],
)
def test_variants_that_are_the_same_on_the_wire_are_refused(registry, python_type):
    with pytest.raises(UnsupportedTypeError, match="cannot be told apart"):
        registry.converter(python_type)


@pytest.mark.parametrize(
    ("python_type", "text", "expected"),
    [
        (Union[int, str], "5", 5),
        (Union[str, int], "5", 5),
        (Union[str, int], '"5"', "5"),
        (Union[int, str], "abc", "abc"),
        (Union[str, float], "5", 5.0),
        (Union[float, int], "5", 5),
        (Union[int, float], "5.5", 5.5),
        (Union[str, bool], "true", True),
        (Union[int, bool], "yes", True),
        (Union[date, str], "2026-01-31", date(2026, 1, 31)),
        (Union[str, date], "2026-01-31", "2026-01-31"),
        (Union[int, list[int]], "[1, 2]", [1, 2]),
        (Union[str, Circle], '{"radius": 1}', Circle(1.0)),
        (Union[Circle, Square], '{"side": 1}', Square(1.0)),
        (Union[int, str, None], "null", None),
        (Optional[int], "5", 5),
        (Optional[int], "none", None),
        (Optional[int], "null", None),
        (Optional[str], "none", "none"),
        (Optional[list[int]], "null", None),
    ],
)
def test_text(registry, context, python_type, text, expected):
    value = registry.converter(python_type).from_text(text, context)
    assert (value, type(value)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("python_type", "plain", "expected"),
    [
        (Union[str, int], 5, 5),
        (Union[float, str], 5, 5.0),
        (Union[int, str], "5", "5"),
        (Union[int, date], "2026-01-31", date(2026, 1, 31)),
        (Union[str, list[str]], ["a"], ["a"]),
        (Union[Circle, Square], {"side": 1}, Square(1.0)),
        (Union[Circle, Square], Square(1.0), Square(1.0)),
        (Union[str, int, None], None, None),
        (Optional[float], 5, 5.0),
        (Optional[float], None, None),
    ],
)
def test_plain_data(registry, context, python_type, plain, expected):
    value = registry.converter(python_type).from_plain(plain, context)
    assert (value, type(value)) == (expected, type(expected))


def test_text_of_no_variant_gives_the_reason_of_each(registry, context):
    with pytest.raises(ValueConversionError) as raised:
        registry.converter(Union[int, date]).from_text("soon", context)
    assert str(raised.value).splitlines() == [
        "expected int | date, found str 'soon'",
        "  as int: expected int, found str 'soon'",
        "  as date: expected date, found 'soon'",
    ]
    with pytest.raises(ValueConversionError, match="expected int, found str 'soon'"):
        registry.converter(Optional[int]).from_text("soon", context)


def test_previews(registry):
    assert registry.converter(Union[int, str]).to_text("a") == "'a'"
    assert registry.converter(Optional[int]).to_text(None) == "None"
    assert registry.converter(Optional[int]).to_html(None) == "<pre>None</pre>"
    assert "<table>" in registry.converter(Union[int, Circle]).to_html(Circle(1))
