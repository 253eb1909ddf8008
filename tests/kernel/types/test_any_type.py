"""Types put together at random, with values of them: the round trip holds for every combination of families."""

from __future__ import annotations

import dataclasses
import enum
import typing
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from alula_kernel import types
from alula_kernel.builtin.types.fitting import fits
from alula_kernel.literals import content_hash

Typed = tuple[Any, st.SearchStrategy[Any]]


class Mode(enum.Enum):
    FAST = "fast"
    SAFE = "safe"


class Level(enum.IntEnum):
    ONE = 1
    TWO = 2


HASHABLE: list[Typed] = [
    (int, st.integers(-(2**63), 2**63 - 1)),
    (str, st.text(max_size=5)),
    (bool, st.booleans()),
    (bytes, st.binary(max_size=5)),
    (date, st.dates()),
    (timedelta, st.timedeltas()),
    (Mode, st.sampled_from(Mode)),
    (Level, st.sampled_from(Level)),
    (typing.Literal["a", "b"], st.sampled_from(["a", "b"])),
    (tuple[int, str], st.tuples(st.integers(0, 9), st.text(max_size=2))),
]
LEAVES: list[Typed] = [
    *HASHABLE,
    (float, st.floats(allow_nan=False)),
    (datetime, st.datetimes()),
    (type(None), st.none()),
    (dict, st.dictionaries(st.text(max_size=3), st.none() | st.integers(0, 9) | st.text(max_size=3), max_size=3)),
]


def record_of(parts: list[Typed]) -> Typed:
    made = dataclasses.make_dataclass("Made", [(f"field{i}", part[0]) for i, part in enumerate(parts)])
    return made, st.builds(made, *(part[1] for part in parts))


def named_tuple_of(parts: list[Typed]) -> Typed:
    made = typing.NamedTuple("Named", [(f"field{i}", part[0]) for i, part in enumerate(parts)])  # type: ignore[misc]
    return made, st.builds(made, *(part[1] for part in parts))


def typed_dict_of(parts: list[Typed]) -> Typed:
    made = typing.TypedDict("Typed", {f"key {i}": part[0] for i, part in enumerate(parts)})  # type: ignore[operator]
    return made, st.fixed_dictionaries({f"key {i}": part[1] for i, part in enumerate(parts)})


ONE: list[Callable[[Typed], Typed]] = [
    lambda part: (list[part[0]], st.lists(part[1], max_size=3)),  # type: ignore[name-defined]
    lambda part: (tuple[part[0], ...], st.lists(part[1], max_size=3).map(tuple)),  # type: ignore[name-defined]
    lambda part: (dict[str, part[0]], st.dictionaries(st.text(max_size=3), part[1], max_size=3)),  # type: ignore[name-defined]
    lambda part: (typing.Optional[part[0]], st.none() | part[1]),  # noqa: UP045
]
MANY: list[Callable[[list[Typed]], Typed]] = [
    record_of,
    named_tuple_of,
    typed_dict_of,
    lambda parts: (tuple[tuple(part[0] for part in parts)], st.tuples(*(part[1] for part in parts))),  # type: ignore[misc]
]


def extend(inner: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    keyed = st.builds(
        lambda key, part: (dict[key[0], part[0]], st.dictionaries(key[1], part[1], max_size=3)),
        st.sampled_from(HASHABLE),
        inner,
    )
    sets = st.sampled_from(HASHABLE).map(lambda part: (set[part[0]], st.sets(part[1], max_size=4)))  # type: ignore[name-defined]
    one = st.builds(lambda make, part: make(part), st.sampled_from(ONE), inner)
    many = st.builds(lambda make, parts: make(parts), st.sampled_from(MANY), st.lists(inner, min_size=1, max_size=3))
    return one | many | keyed | sets


# Making types takes longer than Hypothesis expects of a strategy when other programs keep the machine busy.
unhurried = settings(suppress_health_check=[HealthCheck.too_slow])
any_type = st.recursive(st.sampled_from(LEAVES), extend, max_leaves=6)


@unhurried
@given(data=st.data())
def test_round_trip(registry, context, round_trip, data):
    python_type, values = data.draw(any_type)
    value = data.draw(values)
    round_trip(python_type, value)
    converter = registry.converter(python_type)
    literal_type = converter.literal_type
    literal = converter.to_literal(value, context)
    assert converter.accepts(value)
    assert fits(literal, literal_type, exactly=False)
    assert types.mismatch(literal_type, literal_type) is None
    assert isinstance(converter.to_html(value), str)
    assert len(converter.to_text(value)) <= 1_040


@unhurried
@given(data=st.data())
def test_equal_values_have_equal_hashes_and_others_have_not(registry, context, data):
    python_type, values = data.draw(any_type)
    one, other = data.draw(values), data.draw(values)
    converter = registry.converter(python_type)
    digests = [content_hash(converter.to_literal(value, context)) for value in (one, other)]
    # A zero has a sign that equality does not see, but that may matter to a task.
    if repr(one) == repr(other) or one != other:
        assert (digests[0] == digests[1]) == (one == other)


@unhurried
@given(data=st.data())
def test_guessed_type_reads_the_same_literal(registry, context, data):
    python_type, values = data.draw(any_type)
    converter = registry.converter(python_type)
    literal = converter.to_literal(data.draw(values), context)
    guessed = registry.converter(registry.python_type(converter.literal_type))
    guessed.to_python(literal, context)
    assert types.mismatch(converter.literal_type, guessed.literal_type) is None
