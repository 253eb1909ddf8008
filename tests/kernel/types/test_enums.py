# ruff: noqa: UP045 - annotations are written as users write them
from __future__ import annotations

import enum
import typing
from typing import Literal, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula_kernel import types
from alula_kernel.errors import UnsupportedTypeError, ValueConversionError
from alula_kernel.literals import ListLiteral, Scalar, content_hash


class Color(enum.Enum):
    RED = "red"
    BLUE = "blue"
    CRIMSON = "red"  # noqa: PIE796 - an alias of RED


class Size(str, enum.Enum):
    SMALL = "s"
    LARGE = "l"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


class Switch(enum.Enum):
    ON = True
    OFF = False


class Ratio(enum.Enum):
    HALF = 0.5
    PAIR = (1, 2)


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


@pytest.mark.parametrize("cls", [Color, Size, Level, Switch, Ratio])
def test_members(round_trip, cls):
    for member in cls:
        assert round_trip(cls, member) is member
    round_trip(list[cls], list(cls))
    round_trip(dict[cls, int], dict.fromkeys(cls, 1))


@given(value=st.lists(st.sampled_from(Level)))
def test_lists(round_trip, value):
    round_trip(list[Level], value)


@pytest.mark.parametrize(
    ("cls", "values"),
    [
        (Color, ("red", "blue")),
        (Size, ("s", "l")),
        (Level, (1, 2)),
        (Switch, (True, False)),
        (Ratio, ("HALF", "PAIR")),
    ],
)
def test_types_on_the_wire(registry, cls, values):
    literal_type = registry.converter(cls).literal_type
    assert literal_type == types.EnumOf(cls.__name__, values)
    assert [type(v) for v in literal_type.values] == [type(v) for v in values]


def test_hashes(registry, context):
    converter = registry.converter(Color)
    assert len({content_hash(converter.to_literal(member, context)) for member in Color}) == 2
    assert converter.to_literal("red", context) == converter.to_literal(Color.RED, context)


@pytest.mark.parametrize("text", ["red", "RED", "Red", "crimson", " red "])
def test_text_is_a_value_or_a_name(registry, context, text):
    assert registry.converter(Color).from_text(text, context) is Color.RED


def test_text_of_other_enums(registry, context):
    assert registry.converter(Level).from_text("2", context) is Level.HIGH
    assert registry.converter(Level).from_text("high", context) is Level.HIGH
    assert registry.converter(Switch).from_text("true", context) is Switch.ON
    assert registry.converter(Ratio).from_text("half", context) is Ratio.HALF


def test_plain_data(registry, context):
    assert registry.converter(Level).from_plain(2, context) is Level.HIGH
    assert registry.converter(Level).from_plain(2.0, context) is Level.HIGH
    assert registry.converter(Color).from_plain("blue", context) is Color.BLUE
    assert registry.converter(Color).from_plain(Color.BLUE, context) is Color.BLUE
    assert registry.converter(Size).from_plain(Size.LARGE, context) is Size.LARGE


def test_unknown_values_list_the_known_ones(registry, context):
    with pytest.raises(ValueConversionError, match=r"expected Color, found str 'gold'\n  Known: blue, red"):
        registry.converter(Color).from_text("gold", context)
    with pytest.raises(ValueConversionError, match=r"Did you mean 'blue'\?"):
        registry.converter(Color).to_literal("bleu", context)
    with pytest.raises(ValueConversionError, match="Known: 1, 2"):
        registry.converter(Level).to_literal(3, context)
    with pytest.raises(ValueConversionError):
        registry.converter(Level).to_literal(True, context)
    for literal in (Scalar("gold"), Scalar(1), Scalar(None), ListLiteral([])):
        with pytest.raises(ValueConversionError, match="expected Color"):
            registry.converter(Color).to_python(literal, context)
    with pytest.raises(ValueConversionError):
        registry.converter(Level).to_python(Scalar(True), context)


def test_member_of_another_enum_is_refused(registry, context):
    with pytest.raises(ValueConversionError, match="expected Color"):
        registry.converter(Color).to_literal(Size.SMALL, context)


def test_enums_that_cannot_travel(registry):
    with pytest.raises(UnsupportedTypeError, match="combines its members"):
        registry.converter(Rights)
    with pytest.raises(UnsupportedTypeError, match="has no members"):
        registry.converter(enum.Enum("Empty", []))


@pytest.mark.parametrize(
    ("python_type", "values", "wire"),
    [
        (Literal["a", "b"], ["a", "b"], types.EnumOf("", ("a", "b"))),
        (Literal[1, 2], [1, 2], types.EnumOf("", (1, 2))),
        (Literal[True], [True], types.EnumOf("", (True,))),
        (Literal[Color.RED], [Color.RED], types.EnumOf("", ("red",))),
        (Literal["a", None], ["a", None], types.UnionOf((types.EnumOf("", ("a",)), types.NONE))),
        (Literal["a", 1], ["a", 1], types.UnionOf((types.EnumOf("", ("a",)), types.EnumOf("", (1,))))),
        (Literal[None], [None], types.NONE),
        (Optional[Literal["a"]], ["a", None], types.UnionOf((types.EnumOf("", ("a",)), types.NONE))),
    ],
)
def test_literal(registry, round_trip, python_type, values, wire):
    assert registry.converter(python_type).literal_type == wire
    for value in values:
        round_trip(python_type, value)


def test_literal_refuses_other_values(registry, context):
    for python_type, value in ((Literal["a", "b"], "c"), (Literal[1], True), (Literal[1], 1.0), (Literal[True], 1)):
        with pytest.raises(ValueConversionError, match="expected Literal"):
            registry.converter(python_type).to_literal(value, context)


def test_literal_text(registry, context):
    assert registry.converter(Literal[1, 2]).from_text("2", context) == 2
    assert registry.converter(Literal["a", 1]).from_text("1", context) == 1
    assert registry.converter(Literal[Color.RED, Color.BLUE]).from_text("BLUE", context) is Color.BLUE
    with pytest.raises(ValueConversionError, match=r"Known: 1, 2"):
        registry.converter(Literal[1, 2]).from_plain(3, context)


def test_literal_of_bytes_is_refused(registry):
    with pytest.raises(UnsupportedTypeError, match="Use an Enum"):
        registry.converter(typing.Literal[b"x"])


def test_preview(registry):
    assert registry.converter(Color).to_text(Color.RED) == "red"
    assert registry.converter(Color).to_html(Color.RED) == "<pre>red</pre>"
