# ruff: noqa: UP006, UP007, UP045 - old and new spellings of a type are the subject
from __future__ import annotations

import collections
import collections.abc as abc
import typing
from datetime import date
from enum import Enum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula_kernel import types
from alula_kernel.errors import UnsupportedTypeError, ValueConversionError
from alula_kernel.literals import Hashed, Json, ListLiteral, MapLiteral, Scalar, content_hash

ints = st.integers(-(2**63), 2**63 - 1)


class Color(Enum):
    RED = "red"
    BLUE = "blue"


def digest(registry, context, python_type, value):
    return content_hash(registry.converter(python_type).to_literal(value, context))


@given(value=st.lists(ints))
def test_list(round_trip, value):
    round_trip(list[int], value)


@given(value=st.lists(st.lists(st.none() | st.text())))
def test_nested_list(round_trip, value):
    round_trip(list[list[typing.Optional[str]]], value)


@given(value=st.tuples(ints, st.text(), st.booleans()))
def test_fixed_tuple(round_trip, value):
    round_trip(tuple[int, str, bool], value)


@given(value=st.lists(st.floats(allow_nan=False)).map(tuple))
def test_variable_tuple(round_trip, registry, value):
    round_trip(tuple[float, ...], value)
    assert registry.converter(tuple[float, ...]).literal_type == types.ListOf(types.FLOAT)


@given(value=st.sets(st.text()))
def test_set(round_trip, value):
    round_trip(set[str], value)
    round_trip(frozenset[str], frozenset(value))


@given(value=st.dictionaries(st.text(), ints))
def test_string_keyed_dict(round_trip, value):
    round_trip(dict[str, int], value)


@given(value=st.dictionaries(ints, st.text()))
def test_int_keyed_dict(round_trip, value):
    round_trip(dict[int, str], value)


@given(value=st.dictionaries(st.tuples(ints, st.booleans()) | st.dates(), st.lists(ints)))
def test_dict_with_keys_of_several_types(round_trip, value):
    round_trip(dict[typing.Union[tuple[int, bool], date], list[int]], value)


@given(value=st.dictionaries(st.text(), ints, min_size=2), data=st.data())
def test_order_does_not_change_the_hash_of_a_dict(registry, context, value, data):
    keys = data.draw(st.permutations(list(value)))
    shuffled = {key: value[key] for key in keys}
    assert digest(registry, context, dict[str, int], value) == digest(registry, context, dict[str, int], shuffled)
    for python_type in (dict[int, str], dict[typing.Any, typing.Any]):
        one = {item: key for key, item in value.items()}
        other = dict(reversed(one.items()))
        assert digest(registry, context, python_type, one) == digest(registry, context, python_type, other)


@given(value=st.sets(st.tuples(ints, st.text())))
def test_order_does_not_change_the_hash_of_a_set(registry, context, value):
    python_type = set[tuple[int, str]]
    other: set[tuple[int, str]] = set()
    for item in sorted(value, reverse=True):
        other.add(item)  # in another order, which may change the order of the set
    assert digest(registry, context, python_type, value) == digest(registry, context, python_type, other)


def test_changed_value_has_another_hash(registry, context):
    values = [{"a": 1}, {"a": 2}, {"b": 1}, {"a": 1, "b": 1}, {}]
    assert len({digest(registry, context, dict[str, int], value) for value in values}) == len(values)
    lists: list[list[int]] = [[], [1], [1, 2], [2, 1]]
    assert len({digest(registry, context, list[int], value) for value in lists}) == len(lists)


@pytest.mark.parametrize(
    ("python_type", "value"),
    [
        (list[int], []),
        (tuple[()], ()),
        (typing.Tuple[()], ()),
        (tuple[int, ...], ()),
        (set[int], set()),
        (dict[str, int], {}),
        (dict[int, int], {}),
        (dict, {}),
        (typing.List[int], [1]),
        (typing.Dict[str, int], {"a": 1}),
        (typing.Sequence[int], [1]),
        (abc.Sequence[int], [1]),
        (abc.MutableSequence[int], [1]),
        (abc.Collection[int], [1]),
        (abc.Iterable[int], [1]),
        (abc.Set[int], {1}),
        (typing.Mapping[str, int], {"a": 1}),
        (abc.MutableMapping[int, int], {1: 1}),
        (collections.deque[int], collections.deque([1, 2])),
        (collections.OrderedDict[str, int], collections.OrderedDict(a=1)),
        (collections.defaultdict[str, int], collections.defaultdict(None, {"a": 1})),
        (collections.Counter[str], collections.Counter("abca")),
        (dict[Color, float], {Color.BLUE: 0.5, Color.RED: 1.0}),
        (dict[tuple[int, int], str], {(1, 2): "a"}),
        (dict[bool, int], {True: 1, False: 0}),
        (list[Any], [1, "a", None, {"b": [1.5]}]),
        (tuple[Any, int], ([1], 2)),
    ],
)
def test_families(round_trip, python_type, value):
    round_trip(python_type, value)


def test_abstract_types_take_any_such_value(registry, context):
    for value in ((1, 2), range(1, 3), collections.deque([1, 2])):
        converter = registry.converter(typing.Sequence[int])
        assert converter.to_python(converter.to_literal(value, context), context) == [1, 2]
    iterable = registry.converter(typing.Iterable[int])
    assert iterable.to_python(iterable.to_literal((i for i in (1, 2)), context), context) == [1, 2]


def test_what_is_declared_for_keys_and_values_is_on_the_wire(registry):
    assert registry.converter(dict[str, int]).literal_type == types.MapOf(types.INT)
    pairs = types.ListOf(types.TupleOf((types.INT, types.STR)))
    assert registry.converter(dict[int, str]).literal_type == pairs
    for python_type in (dict, typing.Dict, dict[str, Any], dict[Any, Any], dict[str, object]):
        assert registry.converter(python_type).literal_type == types.JSON


def test_int_keys_are_sorted_as_numbers(registry, context):
    literal = registry.converter(dict[int, int]).to_literal({10: 0, -1: 0, 9: 0}, context)
    assert [pair.items[0].value for pair in literal.items] == [-1, 9, 10]


@pytest.mark.parametrize(
    ("python_type", "value"),
    [
        (list[int], (1, 2)),
        (list[int], "12"),
        (list[int], None),
        (list[int], {1: 2}),
        (tuple[int, str], [1, "a"]),
        (tuple[int, ...], [1]),
        (set[int], [1]),
        (dict[str, int], [("a", 1)]),
        (dict[int, int], [(1, 1)]),
        (typing.Sequence[str], "abc"),
        (typing.Iterable[str], "abc"),
    ],
)
def test_other_values_are_refused(registry, context, python_type, value):
    converter = registry.converter(python_type)
    with pytest.raises(ValueConversionError, match=r"expected .*\[") as raised:
        converter.to_literal(value, context)
    assert f"found {type(value).__name__ if value is not None else 'None'}" in str(raised.value)
    assert not converter.accepts(value)


@pytest.mark.parametrize(
    ("python_type", "value", "location"),
    [
        (list[int], [1, "a"], "[1]"),
        (list[list[int]], [[1], [2, "a"]], "[1][1]"),
        (list[float], [1.0, "a"], "[1]"),
        (list[str], ["a", 1], "[1]"),
        (tuple[int, str], (1, 2), "[1]"),
        (dict[str, int], {"a": 1, "b": "x"}, "['b']"),
        (dict[str, int], {"a": 1, 5: 1}, "[5]"),
        (dict[str, list[int]], {"é": ["x"]}, "['é'][0]"),
        (dict[int, str], {1: "a", 2: 3}, "[2]"),
    ],
)
def test_messages_say_where(registry, context, python_type, value, location):
    with pytest.raises(ValueConversionError, match=r"expected (int|str|float), found") as raised:
        registry.converter(python_type).to_literal(value, context)
    assert raised.value.location == location


def test_tuple_of_another_length(registry, context):
    with pytest.raises(ValueConversionError, match="found 1 items instead of 2"):
        registry.converter(tuple[int, int]).to_literal((1,), context)
    with pytest.raises(ValueConversionError, match="found 3 items instead of 2"):
        registry.converter(tuple[int, int]).to_python(ListLiteral([Scalar(1)] * 3), context)


@pytest.mark.parametrize(
    ("python_type", "literal", "location"),
    [
        (list[int], Scalar(1), ""),
        (list[int], ListLiteral([Scalar(1), Scalar("a")]), "[1]"),
        (dict[str, int], ListLiteral([]), ""),
        (dict[str, int], MapLiteral({"a": Scalar("b")}), "['a']"),
        (dict[int, int], ListLiteral([Scalar(1)]), ""),
        (dict[int, int], MapLiteral({}), ""),
        (tuple[int, int], MapLiteral({}), ""),
    ],
)
def test_literals_of_another_type_are_refused(registry, context, python_type, literal, location):
    with pytest.raises(ValueConversionError, match="expected") as raised:
        registry.converter(python_type).to_python(literal, context)
    assert raised.value.location == location


def test_hashed_literals_are_looked_through(registry, context):
    literal = Hashed(ListLiteral([Hashed(Scalar(1), "x")]), "y")
    assert registry.converter(list[int]).to_python(literal, context) == [1]
    assert registry.converter(tuple[int]).to_python(literal, context) == (1,)
    mapped = Hashed(MapLiteral({"a": Hashed(Scalar(1), "x")}), "y")
    assert registry.converter(dict[str, int]).to_python(mapped, context) == {"a": 1}


def test_declared_dict_fits_an_undeclared_one(registry, context):
    literal = registry.converter(dict[int, str]).to_literal({1: "a"}, context)
    assert registry.converter(dict).to_python(literal, context) == {1: "a"}
    literal = registry.converter(dict[str, list[int]]).to_literal({"a": [1]}, context)
    assert registry.converter(dict).to_python(literal, context) == {"a": [1]}


@pytest.mark.parametrize("python_type", [list, tuple, set, frozenset, typing.List, typing.Tuple, typing.Sequence])
def test_undeclared_collections_are_refused_with_an_example(registry, python_type):
    with pytest.raises(UnsupportedTypeError, match=r"does not say what it holds\n  Write \w+\[int"):
        registry.converter(python_type)


@pytest.mark.parametrize(
    "python_type",
    [type("MyList", (list,), {}), type("MyDict", (dict,), {}), type("MySequence", (abc.Sequence,), {})],
)
def test_unknown_subclasses_are_refused(registry, python_type):
    with pytest.raises(UnsupportedTypeError, match="subclass of a built-in"):
        registry.converter(python_type)


@pytest.mark.parametrize(
    ("python_type", "text", "expected"),
    [
        (list[int], "[1, 2]", [1, 2]),
        (list[int], "[]", []),
        (list[float], "[1, NaN]", None),
        (tuple[int, str], '[1, "a"]', (1, "a")),
        (tuple[int, ...], "[1, 2.0]", (1, 2)),
        (set[int], "[2, 1, 2]", {1, 2}),
        (dict[str, int], '{"a": 1}', {"a": 1}),
        (dict[int, str], '{"1": "a"}', {1: "a"}),
        (dict[int, str], '[[1, "a"]]', {1: "a"}),
        (dict[tuple[int, int], str], '[[[1, 2], "a"]]', {(1, 2): "a"}),
        (dict[Color, int], '{"red": 1}', {Color.RED: 1}),
        (dict[str, date], '{"a": "2026-01-31"}', {"a": date(2026, 1, 31)}),
        (dict, '{"a": [1, null]}', {"a": [1, None]}),
    ],
)
def test_text(registry, context, python_type, text, expected):
    value = registry.converter(python_type).from_text(text, context)
    if expected is None:
        assert repr(value) == "[1.0, nan]"
    else:
        assert (value, type(value)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("python_type", "text", "message"),
    [
        (list[int], "1, 2", "not valid JSON"),
        (list[int], '"[1]"', "expected list"),
        (list[int], '{"a": 1}', "expected list"),
        (list[int], '[1, "x"]', r"\[1\]: expected int"),
        (tuple[int, int], "[1]", "found 1 items instead of 2"),
        (dict[str, int], "[1]", "expected dict"),
        (dict[str, int], '{"a": "x"}', r"\['a'\]: expected int"),
        (dict[int, int], "[[1]]", "expected dict"),
        (dict, "[1]", "expected dict"),
        (dict, "{", "not valid JSON"),
    ],
)
def test_bad_text(registry, context, python_type, text, message):
    with pytest.raises(ValueConversionError, match=message):
        registry.converter(python_type).from_text(text, context)


def test_bad_json_has_an_example(registry, context):
    with pytest.raises(ValueConversionError, match=r"Give it as JSON, as \[1, 2\]"):
        registry.converter(list[int]).from_text("1 2", context)


def test_plain_values_of_the_type_pass(registry, context):
    assert registry.converter(tuple[int, str]).from_plain((1, "a"), context) == (1, "a")
    assert registry.converter(set[Color]).from_plain({Color.RED}, context) == {Color.RED}
    assert registry.converter(dict[int, int]).from_plain({1: 2}, context) == {1: 2}


def test_a_literal_does_not_change_with_the_value(registry, context):
    for python_type, value in ((list[int], [1]), (dict[str, int], {"a": 1}), (dict, {"a": [1]})):
        converter = registry.converter(python_type)
        literal = converter.to_literal(value, context)
        first = converter.to_python(literal, context)
        first.clear()
        assert converter.to_python(literal, context) == value
        before = content_hash(literal)
        value.clear()
        assert content_hash(literal) == before


def test_plain_json_literal(registry, context):
    assert registry.converter(dict).to_literal({"a": 1}, context) == Json({"a": 1})
