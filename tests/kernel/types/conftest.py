"""A registry with the built-in types, storage in memory, and the round trip that every type must pass."""

from __future__ import annotations

import contextlib
import hashlib
import io
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, cast

import pytest

from alula_kernel import literals
from alula_kernel.builtin.types import builtin_transformers
from alula_kernel.contracts import ConversionContext
from alula_kernel.registry import TypeRegistry
from alula_kernel.storage import Storage


class Writer(io.BytesIO):
    """A file that becomes a blob when its block is left."""

    blob: literals.Blob


class MemoryStorage:
    """The part of `Storage` that converters of values need, in memory."""

    def __init__(self) -> None:
        self.contents: dict[str, bytes] = {}

    @contextlib.contextmanager
    def writer(self, name: str = "") -> Iterator[Writer]:
        writer = Writer()
        yield writer
        data = writer.getvalue()
        digest = hashlib.sha256(data).hexdigest()
        uri = f"memory://{digest}/{name}"
        self.contents[uri] = data
        writer.blob = literals.Blob(uri, hash=digest, size=len(data), name=name)

    def open(self, uri: str) -> BinaryIO:
        return io.BytesIO(self.contents[uri])


@pytest.fixture(scope="session")
def registry() -> TypeRegistry:
    return TypeRegistry(builtin_transformers())


@pytest.fixture(scope="session")
def context() -> ConversionContext:
    return ConversionContext(storage=cast("Storage", MemoryStorage()))


RoundTrip = Callable[[Any, Any], Any]


@pytest.fixture(scope="session")
def round_trip(registry: TypeRegistry, context: ConversionContext) -> RoundTrip:
    """Convert a value to a literal, through msgpack and JSON, and back; it must be equal and have an equal hash."""

    def check(python_type: Any, value: Any) -> Any:
        converter = registry.converter(python_type)
        literal = converter.to_literal(value, context)
        packed = literals.encode(literal)
        through_msgpack = literals.decode(packed)
        through_json = literals.from_json(literals.to_json(literal))
        # Literals are compared by their bytes: in Python, 1, 1.0 and True are equal.
        assert literals.encode(through_msgpack) == packed
        assert literals.encode(through_json) == packed
        back = converter.to_python(through_msgpack, context)
        assert type(back) is type(value)
        assert back == value
        again = converter.to_literal(back, context)
        assert literals.content_hash(again) == literals.content_hash(literal)
        return back

    return check
