from __future__ import annotations

import threading
import typing
from typing import Annotated

import pytest

from alula._data.pickle import Pickle, PickleTransformer
from alula_kernel.errors import UnsupportedTypeError, ValueConversionError
from alula_kernel.literals import Blob
from alula_kernel.types import Opaque


class Model:
    def __init__(self, weights: list[float]) -> None:
        self.weights = weights


def test_round_trip(converter, round_trip, context, remote):
    for where in (context, remote):
        assert round_trip(Pickle[Model], Model([1.0]), where).weights == [1.0]
        assert round_trip(Pickle, {1, 2}, where) == {1, 2}
        assert round_trip(Pickle[Model], None, where) is None
        assert round_trip(Pickle[object], 5, where) == 5
        assert round_trip(Pickle[typing.Callable[[int], int]], lambda x: x + 1, where)(1) == 2


def test_stored_as_a_blob(converter, context):
    blob = converter(Pickle[Model]).to_literal(Model([1.0]), context)
    assert isinstance(blob, Blob)
    assert blob.format == "pickle"
    assert blob.hash
    assert converter(Pickle[Model]).to_literal(Model([1.0]), context) == blob
    assert converter(Pickle[Model]).to_literal(Model([2.0]), context).hash != blob.hash


def test_types(converter):
    assert converter(Pickle[Model]).literal_type == Opaque(f"{Model.__module__}.Model")
    assert converter(Pickle).literal_type == Opaque("Pickle")
    assert converter(Pickle[list[int]]).literal_type == Opaque("list")


def test_a_type_is_pickled_only_when_asked(converter, round_trip, context):
    with pytest.raises(UnsupportedTypeError, match="Pickle"):
        converter(Model)
    for marker in (PickleTransformer(), PickleTransformer):
        assert round_trip(Annotated[Model, marker], Model([3.0]), context).weights == [3.0]
    assert converter(Annotated[Model, PickleTransformer()]).literal_type == converter(Pickle[Model]).literal_type


def test_survives_get_type_hints(converter):
    def function(x: Pickle[Model]) -> Pickle[Model] | None: ...

    hints = typing.get_type_hints(function)
    assert converter(hints["x"]).literal_type == converter(Pickle[Model]).literal_type


@pytest.mark.parametrize("annotation", [Pickle, Pickle[typing.Any], Pickle[object]])
def test_text_is_a_value_where_anything_is(converter, context, annotation):
    assert converter(annotation).from_text("5", context) == "5"
    assert converter(annotation).from_plain({"a": [1, "b"]}, context) == {"a": [1, "b"]}


def test_refusals(converter, context):
    with pytest.raises(ValueConversionError, match="found int 5"):
        converter(Pickle[Model]).to_literal(5, context)
    with pytest.raises(ValueConversionError, match="cannot be pickled"):
        converter(Pickle).to_literal(threading.Lock(), context)
    with pytest.raises(ValueConversionError, match="cannot be given as text"):
        converter(Pickle[Model]).from_text("x", context)
    broken = context.storage.put_bytes(b"no pickle")
    with pytest.raises(ValueConversionError, match="cannot be read"):
        converter(Pickle).to_python(broken, context)
    with pytest.raises(TypeError, match="annotation"):
        Pickle()
    assert not [info for info in context.storage.list(context.storage.root) if info.uri != broken.uri]
