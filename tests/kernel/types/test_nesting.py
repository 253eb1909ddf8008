"""Values that are nested too deeply give an error of ours, whatever the type; the usual depths work."""

# ruff: noqa: UP045 - annotations are written as users write them
from __future__ import annotations

import dataclasses
from typing import Any, Optional

import pytest
from pydantic import BaseModel

from alula_kernel.errors import ValueConversionError
from alula_kernel.literals import Json, content_hash, decode, encode, from_json, to_json
from alula_kernel.registry import MAX_DEPTH


@dataclasses.dataclass
class Chain:
    next: Optional[Chain] = None


@dataclasses.dataclass
class Tree:
    children: list[Tree] = dataclasses.field(default_factory=list)


class Model(BaseModel):
    children: list[Model] = []


def chain(depth: int) -> Chain:
    value = Chain()
    for _ in range(depth):
        value = Chain(value)
    return value


def tree(depth: int) -> Tree:
    value = Tree()
    for _ in range(depth):
        value = Tree([value])
    return value


def model(depth: int) -> Model:
    value = Model()
    for _ in range(depth):
        value = Model.model_construct(children=[value])
    return value


def plain(depth: int) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for _ in range(depth):
        value = {"a": [value]} if depth < 1_000 else {"a": value}
    return value


CASES = [(Chain, chain), (Tree, tree), (Model, model), (dict, plain)]


@pytest.mark.parametrize(("python_type", "make"), CASES)
@pytest.mark.parametrize("depth", [1_000, 100_000])
def test_very_deep_values_are_refused(registry, context, python_type, make, depth):
    value = make(depth)
    try:
        with pytest.raises(ValueConversionError, match="nested more than 100 levels deep") as raised:
            registry.converter(python_type).to_literal(value, context)
        assert len(str(raised.value)) < 500
        with pytest.raises(ValueConversionError, match="expected int") as raised:  # and can be named in messages
            registry.converter(int).to_literal(value, context)
        assert len(str(raised.value)) < 500
    finally:
        take_apart(value)


def take_apart(value: Any) -> None:
    """Release a deep value level by level; Python itself may run out of stack when it does it at once."""
    while value:
        if isinstance(value, dict):
            value = value.pop("a", None)
            value = value[0] if isinstance(value, list) else value
        elif isinstance(value, Chain):
            value.next, value = None, value.next
        else:
            value = value.children.pop() if value.children else None


@pytest.mark.parametrize("make", [chain, tree])
def test_deepest_values_that_are_taken(round_trip, make):
    round_trip(type(make(0)), make(MAX_DEPTH - 1))


def test_deepest_model(registry, context):
    converter = registry.converter(Model)
    value = model(MAX_DEPTH - 1)
    literal = converter.to_literal(value, context)
    assert from_json(to_json(literal)) == decode(encode(literal)) == literal
    assert content_hash(literal)
    back = converter.to_python(literal, context)
    depth = 0
    while back.children:
        back, depth = back.children[0], depth + 1
    assert depth == MAX_DEPTH - 1


def test_deepest_plain_data(round_trip):
    round_trip(dict, plain(MAX_DEPTH // 2 - 1))


@pytest.mark.parametrize(
    ("python_type", "text"),
    [
        (dict, '{"a":' * 100_000 + "1" + "}" * 100_000),
        (list[int], "[" * 100_000 + "]" * 100_000),
        (Chain, '{"next":' * 100_000 + "null" + "}" * 100_000),
        (Chain, '{"next":' * 200 + "null" + "}" * 200),
        (Tree, '{"children":[' * 200 + "]}" * 200),
        (Model, '{"children":[' * 300 + "]}" * 300),
        (Optional[int], "[" * 100_000),
        (int | dict[str, Any], "[" * 100_000),
    ],
    ids=["dict", "list", "chain", "shorter chain", "tree", "model", "optional", "union"],
)
def test_very_deep_text_is_refused(registry, context, python_type, text):
    converter = registry.converter(python_type)

    def convert() -> None:
        converter.to_literal(converter.from_text(text, context), context)

    with pytest.raises(ValueConversionError) as raised:
        convert()
    assert len(str(raised.value)) < 1_000


def test_deep_literal_is_refused(registry, context):
    value: Any = 1
    for _ in range(100_000):
        value = [value]
    with pytest.raises(ValueConversionError, match="nested more than 100 levels"):
        registry.converter(dict).to_python(Json({"a": value}), context)
    while isinstance(value, list):
        value = value.pop()
