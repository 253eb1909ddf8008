"""A registry with the built-in types, storage in memory, and the round trip that every type must pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from alula_kernel import literals
from alula_kernel.builtin.backends import builtin_backends
from alula_kernel.builtin.types import builtin_transformers
from alula_kernel.contracts import ConversionContext
from alula_kernel.registry import TypeRegistry
from alula_kernel.storage import Storage


@pytest.fixture(scope="session")
def registry() -> TypeRegistry:
    return TypeRegistry(builtin_transformers())


@pytest.fixture(scope="session")
def context() -> ConversionContext:
    return ConversionContext(storage=Storage(builtin_backends(), "memory://tests-of-types"))


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
