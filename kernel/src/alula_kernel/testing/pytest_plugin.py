"""A pytest plugin with the fixtures of the conformance kit.

Switched on by ``-p alula_kernel.testing.pytest_plugin`` on pytest's command line or in its setting ``addopts``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from ..contracts import ConversionContext
from ..registry import TypeRegistry
from ..storage import Storage


@pytest.fixture
def alula_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that ``ALULA_HOME`` names: no cache, no history of runs, no configuration."""
    home = tmp_path_factory.mktemp("alula-home")
    monkeypatch.setenv("ALULA_HOME", str(home))
    return home


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """A storage that keeps content in memory, and reads and writes local files."""
    from ..builtin.backends import builtin_backends

    return Storage(builtin_backends(), "memory://content")


@pytest.fixture
def conversion_context(storage: Storage) -> ConversionContext:
    """What converters get: a storage and a prefix for values that have a place of their own."""
    return ConversionContext(storage=storage, output_prefix="memory://outputs")


@pytest.fixture
def type_registry() -> TypeRegistry:
    """A registry with the transformers of the kernel."""
    from ..builtin.types import builtin_transformers

    return TypeRegistry(builtin_transformers())
