# ruff: noqa: UP045 - annotations are written as users write them
from __future__ import annotations

import typing
from typing import Annotated

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from alula_kernel import types
from alula_kernel.builtin.backends import builtin_backends
from alula_kernel.contracts import ConversionContext
from alula_kernel.errors import StorageError, UnsupportedTypeError, ValueConversionError
from alula_kernel.literals import Blob, Hashed, Scalar, content_hash
from alula_kernel.storage import Storage

dtypes = arrays.scalar_dtypes() | arrays.unicode_string_dtypes() | st.just(np.dtype([("a", "<i4"), ("b", "<f8", (2,))]))


@given(value=dtypes.flatmap(lambda dtype: arrays.arrays(dtype, arrays.array_shapes(min_dims=0, min_side=0))))
def test_array(registry, context, value):
    converter = registry.converter(np.ndarray)
    literal = converter.to_literal(value, context)
    back = converter.to_python(literal, context)
    assert (back.dtype, back.shape) == (value.dtype, value.shape)
    assert back.tobytes() == np.ascontiguousarray(value).tobytes()
    assert content_hash(converter.to_literal(back, context)) == content_hash(literal)


@given(value=arrays.arrays(np.int64, 5), index=st.integers(0, 4))
def test_changed_array_has_another_hash(registry, context, value, index):
    converter = registry.converter(np.ndarray)
    changed = value.copy()
    changed[index] ^= 1
    assert content_hash(converter.to_literal(value, context)) != content_hash(converter.to_literal(changed, context))


def test_literal(registry, context):
    literal = registry.converter(np.ndarray).to_literal(np.arange(3), context)
    assert isinstance(literal, Blob)
    assert (literal.format, literal.name, literal.hash is not None) == ("npy", "array.npy", True)
    for python_type in (np.ndarray, npt.NDArray[np.float64]):
        assert registry.converter(python_type).literal_type == types.BlobOf("npy")
    assert registry.python_type(types.BlobOf("npy")) is np.ndarray


def test_arrays_inside_other_types(registry, context):
    converter = registry.converter(dict[str, typing.Optional[np.ndarray]])
    back = converter.to_python(converter.to_literal({"a": np.ones(2), "b": None}, context), context)
    assert (back["a"].tolist(), back["b"]) == ([1.0, 1.0], None)


def test_hashed_literals_are_looked_through(registry, context):
    converter = registry.converter(np.ndarray)
    literal = Hashed(converter.to_literal(np.arange(3), context), "x")
    assert converter.to_python(literal, context).tolist() == [0, 1, 2]


def test_objects_need_permission(registry, context):
    value = np.array([{"a": 1}, None], dtype=object)
    with pytest.raises(ValueConversionError, match=r"Python objects \(dtype object\)\n.*allow_pickle"):
        registry.converter(np.ndarray).to_literal(value, context)
    pickled = registry.converter(Annotated[np.ndarray, {"allow_pickle": True}])
    literal = pickled.to_literal(value, context)
    assert pickled.to_python(literal, context).tolist() == [{"a": 1}, None]
    with pytest.raises(ValueConversionError, match="not one that may be read"):
        registry.converter(np.ndarray).to_python(literal, context)


def test_local_files_are_mapped_into_memory(registry, tmp_path):
    local = ConversionContext(storage=Storage(builtin_backends(), tmp_path.as_uri()))
    mapped = registry.converter(Annotated[np.ndarray, {"mmap_mode": "r"}])
    value = mapped.to_python(mapped.to_literal(np.arange(5), local), local)
    assert isinstance(value, np.memmap)
    assert value.tolist() == [0, 1, 2, 3, 4]


def test_files_elsewhere_are_read_although_mapping_was_asked_for(registry, context):
    mapped = registry.converter(Annotated[np.ndarray, {"mmap_mode": "r"}])
    literal = mapped.to_literal(np.arange(3), context)
    assert mapped.to_python(literal, context).tolist() == [0, 1, 2]


def test_other_values_are_refused(registry, context):
    converter = registry.converter(np.ndarray)
    for value in ([1, 2], 5, None):
        with pytest.raises(ValueConversionError, match=r"expected numpy\.ndarray, found"):
            converter.to_literal(value, context)
        assert not converter.accepts(value)
    with pytest.raises(ValueConversionError, match=r"expected numpy\.ndarray"):
        converter.to_python(Scalar(1), context)


def test_file_that_is_no_array(registry, context):
    blob = context.storage.put_bytes(b"hello")
    with pytest.raises(ValueConversionError, match=f"{blob.uri}, which is not one that may be read"):
        registry.converter(np.ndarray).to_python(blob, context)
    with pytest.raises(StorageError):
        registry.converter(np.ndarray).to_python(Blob("memory://nothing"), context)


def test_unknown_option(registry):
    with pytest.raises(UnsupportedTypeError, match=r"unknown option 'mmap'.*\n  Known: allow_pickle, mmap_mode"):
        registry.converter(Annotated[np.ndarray, {"mmap": "r"}])


def test_text_and_plain_data(registry, context):
    converter = registry.converter(np.ndarray)
    assert converter.from_text("[[1, 2], [3, 4]]", context).shape == (2, 2)
    assert converter.from_plain([1.5], context).dtype == np.float64
    value = np.zeros(2)
    assert converter.from_plain(value, context) is value
    for bad in ("[[1], [2, 3]]", '"x"', '{"a": 1}'):
        with pytest.raises(ValueConversionError, match=r"expected numpy\.ndarray"):
            converter.from_text(bad, context)


def test_preview(registry):
    text = registry.converter(np.ndarray).to_text(np.zeros((1000, 1000)))
    assert text.startswith("array of shape (1000, 1000), float64")
    assert len(text) <= 1_000
