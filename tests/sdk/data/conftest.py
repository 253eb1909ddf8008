"""A small world for data: a registry with all transformers, and storages that count what is asked of them."""

from __future__ import annotations

import collections
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from alula._data.transformers import data_transformers
from alula_kernel.builtin.backends import builtin_backends
from alula_kernel.builtin.backends.memory import MemoryBackend
from alula_kernel.builtin.types import builtin_transformers
from alula_kernel.contracts import ConversionContext, Converter
from alula_kernel.registry import TypeRegistry
from alula_kernel.storage import Storage


class CountingBackend(MemoryBackend):
    """A memory backend that counts calls, and bytes that are read from streams."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: collections.Counter[str] = collections.Counter()
        self.bytes_read = 0

    def open_read(self, uri: str, **options: Any) -> Any:
        self.calls["open_read"] += 1
        stream = super().open_read(uri, **options)
        read = stream.read

        class Counted:
            def __getattr__(inner, name: str) -> Any:  # noqa: N805
                return getattr(stream, name)

            def read(inner, size: int = -1) -> bytes:  # noqa: N805
                data = read(size)
                self.bytes_read += len(data)
                return data

            def __enter__(inner) -> Any:  # noqa: N805
                return inner

            def __exit__(inner, *error: object) -> None:  # noqa: N805
                stream.close()

            def __iter__(inner) -> Any:  # noqa: N805
                return iter(stream)

        return Counted()

    def get(self, uri: str, local_path: str) -> None:
        self.calls["get"] += 1
        super().get(uri, local_path)

    def list(self, uri: str) -> Any:
        self.calls["list"] += 1
        return super().list(uri)

    def put(self, local_path: str, uri: str) -> None:
        self.calls["put"] += 1
        super().put(local_path, uri)

    def open_write(self, uri: str) -> Any:
        self.calls["open_write"] += 1
        return super().open_write(uri)


@pytest.fixture(scope="session")
def registry() -> TypeRegistry:
    return TypeRegistry([*builtin_transformers(), *data_transformers()])


@pytest.fixture
def converter(registry: TypeRegistry) -> Callable[[Any], Converter[Any]]:
    """Find a converter."""
    return registry.converter


@pytest.fixture
def context(tmp_path: Path) -> ConversionContext:
    """A context with storage in a local folder beside the test's files."""
    return ConversionContext(Storage(builtin_backends(), str(tmp_path / "store")))


@pytest.fixture
def backend() -> CountingBackend:
    return CountingBackend()


@pytest.fixture
def remote(backend: CountingBackend) -> ConversionContext:
    """A context with storage that is not on the local disk."""
    others = [other for other in builtin_backends() if "memory" not in other.schemes]
    return ConversionContext(Storage([backend, *others], "memory://bucket"))


@pytest.fixture
def round_trip(registry: TypeRegistry) -> Callable[[Any, Any, ConversionContext], Any]:
    """Convert a value to a literal and back."""

    def convert(python_type: Any, value: Any, context: ConversionContext) -> Any:
        found = registry.converter(python_type)
        return found.to_python(found.to_literal(value, context), context)

    return convert
