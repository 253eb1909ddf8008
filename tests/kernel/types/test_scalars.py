from __future__ import annotations

import enum
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula_kernel import literals, types
from alula_kernel.errors import ValueConversionError
from alula_kernel.literals import INT64_MAX, INT64_MIN, NonFinite, Scalar

int64s = st.integers(INT64_MIN, INT64_MAX)


@given(value=int64s)
def test_int(round_trip, value):
    round_trip(int, value)


@given(value=st.floats(allow_nan=False))
def test_float(round_trip, value):
    back = round_trip(float, value)
    assert math.copysign(1, back) == math.copysign(1, value)


@given(value=st.booleans())
def test_bool(round_trip, value):
    assert round_trip(bool, value) is value


@given(value=st.text())
def test_str(round_trip, value):
    round_trip(str, value)


@given(value=st.binary())
def test_bytes(round_trip, value):
    round_trip(bytes, value)


def test_none(round_trip):
    round_trip(None, None)


@given(values=st.lists(int64s), other=int64s)
def test_hash_tells_values_apart(registry, context, values, other):
    converter = registry.converter(list[int])
    before = literals.content_hash(converter.to_literal(values, context))
    assert before == literals.content_hash(converter.to_literal(list(values), context))
    assert before != literals.content_hash(converter.to_literal([*values, other], context))


@pytest.mark.parametrize("python_type", [int, float])
def test_lists_have_the_same_literals_as_single_values(registry, context, python_type):
    values = [python_type(i) for i in (-1, 0, 2**40)]
    one = registry.converter(python_type)
    many = registry.converter(list[python_type])
    assert many.to_literal(values, context).items == [one.to_literal(value, context) for value in values]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_floats_that_are_not_finite(registry, context, value):
    for python_type, wrapped in ((float, value), (list[float], [value, 1.0])):
        converter = registry.converter(python_type)
        literal = converter.to_literal(wrapped, context)
        back = converter.to_python(literals.from_json(literals.to_json(literal)), context)
        assert repr(back) == repr(wrapped)
    assert registry.converter(float).to_literal(value, context) == NonFinite(repr(value))


def test_int_becomes_float_where_float_is_declared(registry, context):
    converter = registry.converter(float)
    literal = converter.to_literal(3, context)
    assert type(literal.value) is float
    back = converter.to_python(Scalar(3), context)  # from an int output
    assert (back, type(back)) == (3.0, float)


@pytest.mark.parametrize(
    ("python_type", "value", "expected"),
    [
        (int, np.int64(5), 5),
        (int, np.uint8(5), 5),
        (float, np.float64(0.5), 0.5),
        (float, np.float32(0.5), 0.5),
        (float, np.int32(2), 2.0),
        (bool, np.bool_(True), True),
        (str, np.str_("x"), "x"),
    ],
)
def test_numpy_scalars_are_taken(registry, context, python_type, value, expected):
    literal = registry.converter(python_type).to_literal(value, context)
    assert literal == Scalar(expected)
    assert type(literal.value) is python_type


@pytest.mark.parametrize(
    ("python_type", "value"),
    [
        (int, True),
        (int, 1.0),
        (int, "1"),
        (int, None),
        (float, True),
        (float, "1"),
        (float, 1j),
        (bool, 1),
        (bool, "true"),
        (str, 1),
        (str, b"x"),
        (bytes, "x"),
        (type(None), 0),
    ],
)
def test_other_values_are_refused(registry, context, python_type, value):
    converter = registry.converter(python_type)
    name = "None" if python_type is type(None) else python_type.__name__
    with pytest.raises(ValueConversionError, match=f"expected {name}, found"):
        converter.to_literal(value, context)
    assert not converter.accepts(value)


def test_bool_for_a_number_says_why(registry, context):
    with pytest.raises(ValueConversionError, match="true and false are not numbers"):
        registry.converter(int).to_literal(True, context)


@pytest.mark.parametrize(
    "value", [INT64_MAX + 1, INT64_MIN - 1, 10**30, 10**10_000], ids=["max", "min", "large", "huge"]
)
def test_int_beyond_64_bits(registry, context, value):
    for python_type, wrapped in ((int, value), (list[int], [value])):
        with pytest.raises(ValueConversionError, match=r"between -2\*\*63 and 2\*\*63 - 1") as raised:
            registry.converter(python_type).to_literal(wrapped, context)
        assert "float, or str" in str(raised.value)
        assert len(str(raised.value)) < 500


def test_int_beyond_floats(registry, context):
    with pytest.raises(ValueConversionError, match="beyond the range of floats"):
        registry.converter(float).to_literal(10**400, context)


def test_lone_surrogate_is_refused_before_it_is_stored(registry, context):
    for python_type, value in ((str, "a\ud800"), (list[str], ["a\ud800"]), (dict[str, int], {"a\ud800": 1})):
        with pytest.raises(ValueConversionError, match=r"lone surrogate \(U\+D800 at position 1\)"):
            registry.converter(python_type).to_literal(value, context)


def test_huge_text(registry, context):
    text = "x" * 100_000_000
    converter = registry.converter(str)
    literal = converter.to_literal(text, context)
    assert converter.to_python(literal, context) is text
    assert len(converter.to_text(text)) < 1_100
    with pytest.raises(ValueConversionError, match=r"100,000,000 characters") as raised:
        registry.converter(int).to_literal(text, context)
    assert len(str(raised.value)) < 300


class Url(str):
    __slots__ = ()


class Count(int):
    pass


class Level(enum.IntEnum):
    LOW = 1


def test_subclasses_come_back_as_such(round_trip):
    assert type(round_trip(Url, Url("https://example.org"))) is Url
    assert type(round_trip(Count, Count(3))) is Count


def test_values_of_subclasses_become_plain_where_the_base_is_declared(registry, context):
    assert type(registry.converter(str).to_literal(Url("x"), context).value) is str
    assert type(registry.converter(int).to_literal(Level.LOW, context).value) is int


def test_literals_of_another_type_are_refused(registry, context):
    wrong = {
        int: Scalar("1"),
        float: Scalar("1"),
        str: Scalar(1),
        bool: Scalar(1),
        bytes: Scalar("x"),
        type(None): Scalar(0),
    }
    for python_type, literal in wrong.items():
        with pytest.raises(ValueConversionError, match="expected"):
            registry.converter(python_type).to_python(literal, context)
        with pytest.raises(ValueConversionError, match="found a list"):
            registry.converter(python_type).to_python(literals.ListLiteral([]), context)
    with pytest.raises(ValueConversionError):
        registry.converter(int).to_python(Scalar(True), context)
    with pytest.raises(ValueConversionError):
        registry.converter(list[int]).to_python(literals.ListLiteral([Scalar(1), Scalar(True)]), context)


TEXTS = [
    (int, "5", 5),
    (int, " -5 ", -5),
    (int, "1_000", 1000),
    (int, "0x1f", 31),
    (int, "007", 7),
    (float, "0.5", 0.5),
    (float, "1e3", 1000.0),
    (float, "-inf", -math.inf),
    (float, "3", 3.0),
    (bool, "true", True),
    (bool, "Yes", True),
    (bool, "1", True),
    (bool, "on", True),
    (bool, "FALSE", False),
    (bool, "no", False),
    (bool, "0", False),
    (bool, "off", False),
    (str, " as it is ", " as it is "),
    (str, "", ""),
    (bytes, "héllo", "héllo".encode()),
    (bytes, "base64:aGk=", b"hi"),
    (type(None), "none", None),
    (type(None), "NULL", None),
]


@pytest.mark.parametrize(("python_type", "text", "expected"), TEXTS)
def test_text(registry, context, python_type, text, expected):
    value = registry.converter(python_type).from_text(text, context)
    assert (value, type(value)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("python_type", "text"),
    [
        (int, "5.0"),
        (int, "five"),
        (int, ""),
        (int, str(2**63)),
        (int, "9" * 5_000),
        (float, "half"),
        (bool, "maybe"),
        (bool, ""),
        (bytes, "base64:!"),
        (type(None), "something"),
    ],
)
def test_bad_text(registry, context, python_type, text):
    with pytest.raises(ValueConversionError, match="expected") as raised:
        registry.converter(python_type).from_text(text, context)
    assert len(str(raised.value)) < 400


@pytest.mark.parametrize(
    ("python_type", "plain", "expected"),
    [
        (int, 3, 3),
        (int, 3.0, 3),
        (int, "3", 3),
        (float, 3, 3.0),
        (float, "nan", math.nan),
        (bool, False, False),
        (bool, "yes", True),
        (str, "x", "x"),
        (bytes, "aGk=", b"hi"),
        (bytes, b"hi", b"hi"),
        (type(None), None, None),
    ],
)
def test_plain_data(registry, context, python_type, plain, expected):
    value = registry.converter(python_type).from_plain(plain, context)
    assert repr(value) == repr(expected)


@pytest.mark.parametrize(
    ("python_type", "plain"),
    [(int, 3.5), (int, True), (int, None), (int, [1]), (float, True), (bool, 1), (str, 1), (bytes, 1), (bytes, "§")],
)
def test_bad_plain_data(registry, context, python_type, plain):
    with pytest.raises(ValueConversionError, match="expected"):
        registry.converter(python_type).from_plain(plain, context)


def test_types_on_the_wire(registry):
    expected = [types.INT, types.FLOAT, types.BOOL, types.STR, types.BYTES]
    assert [registry.converter(t).literal_type for t in (int, float, bool, str, bytes)] == expected
