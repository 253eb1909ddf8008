# ruff: noqa: UP007, UP045 - annotations are written as users write them
from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Optional, Union

import numpy as np
import pytest

from alula_kernel.errors import ValueConversionError
from alula_kernel.hashing import HashMethod
from alula_kernel.literals import Blob, Hashed, Scalar, content_hash, decode, encode
from alula_kernel.registry import HashMethod as ExportedHashMethod

Text = Annotated[str, HashMethod(str.lower)]
Array = Annotated[np.ndarray, HashMethod(lambda array: f"shape {array.shape}")]


def test_value_is_wrapped(registry, context):
    converter = registry.converter(Text)
    literal = converter.to_literal("ABC", context)
    assert literal == Hashed(Scalar("ABC"), "abc")
    assert converter.to_python(decode(encode(literal)), context) == "ABC"
    assert content_hash(literal) == content_hash(converter.to_literal("aBc", context))
    assert content_hash(literal) != content_hash(converter.to_literal("abd", context))


def test_blob_gets_the_hash_as_its_own(registry, context):
    converter = registry.converter(Array)
    literal = converter.to_literal(np.zeros(3), context)
    assert isinstance(literal, Blob)
    assert literal.hash == "shape (3,)"
    assert converter.to_python(literal, context).tolist() == [0, 0, 0]
    assert content_hash(literal) == content_hash(converter.to_literal(np.ones(3), context))


@dataclasses.dataclass
class Record:
    text: Text


@pytest.mark.parametrize(
    ("python_type", "one", "other", "different"),
    [
        (list[Text], ["A"], ["a"], ["b"]),
        (tuple[Text, int], ("A", 1), ("a", 1), ("a", 2)),
        (dict[str, Text], {"x": "A"}, {"x": "a"}, {"y": "a"}),
        (dict[str, list[Text]], {"x": ["A"]}, {"x": ["a"]}, {"x": []}),
        (dict[int, Text], {1: "A"}, {1: "a"}, {2: "a"}),
        (Optional[Text], "A", "a", None),
        (Union[Text, int], "A", "a", 1),
        (Record, Record("A"), Record("a"), Record("b")),
    ],
)
def test_it_counts_inside_other_types(registry, context, python_type, one, other, different):
    converter = registry.converter(python_type)
    digests = [content_hash(converter.to_literal(value, context)) for value in (one, other, different)]
    assert digests[0] == digests[1] != digests[2]
    assert converter.to_python(converter.to_literal(one, context), context) == one


def test_only_the_first_counts(registry, context):
    python_type = Annotated[str, "other", HashMethod(lambda value: "first"), HashMethod(lambda value: "second")]
    assert registry.converter(python_type).to_literal("x", context).hash == "first"
    nested = Annotated[Annotated[str, HashMethod(lambda value: "inner")], HashMethod(lambda value: "outer")]
    assert registry.converter(nested).to_literal("x", context).hash == "inner"


def test_hashed_values_reach_inputs_without_a_hash_method(registry, context):
    literal = registry.converter(Text).to_literal("ABC", context)
    assert registry.converter(str).to_python(literal, context) == "ABC"


def test_everything_else_is_the_inner_converters(registry, context):
    python_type = Annotated[int, HashMethod(str)]
    converter = registry.converter(python_type)
    assert converter.accepts(1)
    assert not converter.accepts("a")
    assert converter.from_text("5", context) == 5
    assert converter.from_plain(5.0, context) == 5
    assert (converter.to_text(5), converter.to_html(5), converter.describe()) == ("5", "<pre>5</pre>", "int")
    with pytest.raises(ValueConversionError, match="expected int"):
        converter.to_literal("a", context)


def test_result_that_is_no_string(registry, context):
    def digest(value: Any) -> Any:
        return 5

    with pytest.raises(ValueConversionError, match=r"\[0\]: the hash function .*digest returned int, expected str"):
        registry.converter(list[Annotated[int, HashMethod(digest)]]).to_literal([1], context)


def test_calculate():
    assert HashMethod(str).calculate(5) == "5"
    assert ExportedHashMethod is HashMethod
