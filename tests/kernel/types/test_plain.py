from __future__ import annotations

import enum
import math
from datetime import date
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alula_kernel.errors import ValueConversionError
from alula_kernel.literals import (
    Blob,
    Bytes,
    Json,
    ListLiteral,
    MapLiteral,
    NonFinite,
    Scalar,
    UnionLiteral,
    content_hash,
)

atoms = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text()
keys = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.text() | st.just("$pairs") | st.just("$float")
plain = st.recursive(
    atoms, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=20
)


@given(value=st.dictionaries(keys, plain))
def test_any_plain_data(round_trip, value):
    assert typed(round_trip(dict, value)) == typed(value)


def typed(value: Any) -> Any:
    """Make a value that is equal only to one of the same types; True, 1 and 1.0 are equal."""
    if isinstance(value, dict):
        return frozenset((typed(key), typed(item)) for key, item in value.items())
    if isinstance(value, list):
        return tuple(map(typed, value))
    return (type(value), value)


@given(value=st.dictionaries(keys, atoms, min_size=1), data=st.data())
def test_order_does_not_change_the_hash(registry, context, value, data):
    shuffled = {key: value[key] for key in data.draw(st.permutations(list(value)))}
    converter = registry.converter(dict)
    assert content_hash(converter.to_literal(value, context)) == content_hash(converter.to_literal(shuffled, context))


def test_changed_value_has_another_hash(registry, context):
    values: list[dict[Any, Any]] = [
        {"a": 1},
        {"a": 1.5},
        {"a": "1"},
        {"a": [1]},
        {"a": None},
        {"a": True},
        {1: 1},
        {"1": 1},
        {},
    ]
    digests = {content_hash(registry.converter(dict).to_literal(value, context)) for value in values}
    assert len(digests) == len(values)


def test_nan(registry, context):
    converter = registry.converter(dict)
    literal = converter.to_literal({"loss": math.nan, "best": [math.inf]}, context)
    assert literal == Json({"loss": {"$float": "nan"}, "best": [{"$float": "inf"}]})
    back = converter.to_python(literal, context)
    assert (math.isnan(back["loss"]), back["best"]) == (True, [math.inf])


class Size(str, enum.Enum):
    SMALL = "small"


def test_what_becomes_plain(registry, context):
    value = {
        "tuple": (1, 2),
        "int64": np.int64(3),
        "float32": np.float32(0.5),
        "bool": np.bool_(True),
        "enum": Size.SMALL,
    }
    back = registry.converter(dict[str, Any]).to_literal(value, context).value
    assert back == {"tuple": [1, 2], "int64": 3, "float32": 0.5, "bool": True, "enum": "small"}
    assert [type(v) for v in back.values()] == [list, int, float, bool, str]


@pytest.mark.parametrize(
    ("value", "location", "message"),
    [
        ({"when": date(2026, 1, 1)}, "['when']", "found date"),
        ({"a": [1, {2, 3}]}, "['a'][1]", "found set"),
        ({"a": b"x"}, "['a']", "found bytes"),
        ({"a": {"b": object()}}, "['a']['b']", "found object"),
        ({"a": 2**63}, "['a']", "65 bits"),
        ({(1, date(2026, 1, 1)): 1}, "[(1, datetime.date(2026, 1, 1))][1]", "found date"),
        ({"a": "\udc80"}, "['a']", "lone surrogate"),
        ({"a": np.datetime64("2026-01-01")}, "['a']", "found date"),
        ({"a": np.zeros(2)}, "['a']", "found ndarray"),
    ],
)
def test_other_values_are_refused(registry, context, value, location, message):
    with pytest.raises(ValueConversionError, match=message) as raised:
        registry.converter(dict).to_literal(value, context)
    assert raised.value.location == location


def test_unordered_and_foreign_values_for_a_dict(registry, context):
    for value in ([1], "a", None, 1):
        with pytest.raises(ValueConversionError, match="expected dict, found"):
            registry.converter(dict).to_literal(value, context)


def test_cycle_is_refused(registry, context):
    value: dict[str, Any] = {}
    value["self"] = value
    with pytest.raises(ValueConversionError, match="more than 100 levels"):
        registry.converter(dict).to_literal(value, context)


def test_every_plain_literal_is_taken(registry, context):
    literal = MapLiteral(
        {
            "scalar": Scalar(1),
            "nan": NonFinite("inf"),
            "list": ListLiteral([UnionLiteral("int", Scalar(2))]),
            "json": Json({"$float": "-inf"}),
        }
    )
    back = registry.converter(dict[str, Any]).to_python(literal, context)
    assert back == {"scalar": 1, "nan": math.inf, "list": [2], "json": -math.inf}


@pytest.mark.parametrize("literal", [Blob("memory://x"), Bytes(b"x")])
def test_other_literals_are_refused(registry, context, literal):
    for wrapped in (literal, MapLiteral({"a": literal})):
        with pytest.raises(ValueConversionError, match="expected"):
            registry.converter(dict).to_python(wrapped, context)


@pytest.mark.parametrize("literal", [Scalar(1), Json([1, 2]), Json("a"), ListLiteral([Scalar(1)])])
def test_literals_that_are_no_dict_are_refused(registry, context, literal):
    with pytest.raises(ValueConversionError, match="expected dict"):
        registry.converter(dict).to_python(literal, context)
