from __future__ import annotations

from typing import Any

import msgspec
import pytest

from alula_kernel.canonical import canonical_json, fingerprint, plain
from alula_kernel.images import ImageDescription, PipPackages, Requirements, decode_image, encode_image, image_digest
from alula_kernel.specs import (
    CacheSpec,
    EntityId,
    Interface,
    ReuseSpec,
    SecretSpec,
    TaskSpec,
    TimeoutPolicy,
    Variable,
    spec_digest,
)
from alula_kernel.types import FieldType, Record, Simple


class Leaf(msgspec.Struct, frozen=True, omit_defaults=True, tag="leaf", tag_field="kind"):
    needed: int
    names: tuple[str, ...] = ()
    pair: tuple[int, int] = (1, 2)
    text: str = "some text"
    number: float = 1.5
    values: dict[str, Any] = {}


class Written(msgspec.Struct, frozen=True, rename="camel"):
    two_words: int = 1


def afresh(value: Any) -> Any:
    """Return an equal value made of new objects, as one that was computed or read is."""
    if isinstance(value, tuple):
        return type(value)([afresh(item) for item in value])
    if isinstance(value, str):
        return "".join([*value, ""])
    if isinstance(value, float):
        return float(repr(value))
    if isinstance(value, dict):
        return {key: afresh(item) for key, item in value.items()}
    if isinstance(value, msgspec.Struct):
        return type(value)(**{name: afresh(getattr(value, name)) for name in value.__struct_fields__})
    return value


def test_the_form_of_equal_values_is_equal() -> None:
    one = Leaf(1)
    other = afresh(one)
    assert one == other
    assert msgspec.json.encode(one) != msgspec.json.encode(other), "what this module is for"
    assert plain(one) == plain(other) == {"kind": "leaf", "needed": 1}
    assert fingerprint([one, {"a": one}]) == fingerprint((other, {"a": other}))


@pytest.mark.parametrize(
    "other", [Leaf(2), Leaf(1, ("a",)), Leaf(1, pair=(2, 1)), Leaf(1, text=""), Leaf(1, values={"a": Leaf(1)})]
)
def test_other_values_have_another_form(other: Leaf) -> None:
    assert fingerprint(other) != fingerprint(Leaf(1))


def test_a_field_without_a_default_is_always_there() -> None:
    assert plain(Leaf(0)) == {"kind": "leaf", "needed": 0}


def test_fields_are_named_as_they_are_written() -> None:
    assert plain(Written()) == {"twoWords": 1}


def test_the_order_of_names_does_not_count() -> None:
    assert canonical_json({"b": 1, "a": Leaf(1)}) == '{"a":{"kind":"leaf","needed":1},"b":1}'
    assert fingerprint({"b": 1, "a": 2}) == fingerprint({"a": 2, "b": 1})


def test_what_is_encoded_can_be_read_again() -> None:
    leaf = Leaf(1, ("x",), values={"a": [1, None]})
    assert msgspec.json.decode(canonical_json(leaf), type=Leaf) == leaf


# --- what is hashed ------------------------------------------------------------------------------------------------------

TASK = TaskSpec(
    id=EntityId("task", "shop.total"),
    type="python",
    interface=Interface({"n": Variable(Simple("int"))}, {"o0": Variable(Record("shop.Sum", ()))}),
    cache=CacheSpec("1"),
    reuse=ReuseSpec(),
    secrets=(SecretSpec("key"),),
    timeout=TimeoutPolicy(30.0),
)


def test_equal_specs_have_equal_digests() -> None:
    assert spec_digest(TASK) == spec_digest(afresh(TASK))
    travelled = msgspec.msgpack.decode(msgspec.msgpack.encode(afresh(TASK)), type=TaskSpec)
    assert spec_digest(travelled) == spec_digest(TASK)


def test_equal_interfaces_have_equal_fingerprints() -> None:
    record = Record("shop.Sum", (FieldType("total", Simple("int")),))
    one = Interface({"a": Variable(record), "b": Variable(Simple("str"))})
    assert one.fingerprint() == afresh(one).fingerprint()


def test_equal_descriptions_of_images_are_one_image() -> None:
    one = ImageDescription(layers=(PipPackages(packages=("a",)), Requirements(content="a")), entrypoint=())
    other = afresh(one)
    assert encode_image(one) == encode_image(other)
    assert image_digest(one) == image_digest(other)
    assert decode_image(encode_image(other)) == one
