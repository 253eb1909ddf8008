"""The conformance kit: what each contract promises, as tests that an implementation inherits.

A plugin's tests subclass a suite and provide its fixtures; every scenario has a number under which it is described in
``docs/reference/conformance.md``::

    class TestMyCache(CacheConformance):
        @pytest.fixture
        def open_cache(self, tmp_path):
            return lambda: MyCache(tmp_path / "cache")

What an implementation cannot do is said with a flag of the class, as ``can_list = False``; the scenarios that need it are
then not collected. The fixtures come from the pytest plugin `alula_kernel.testing.pytest_plugin`, which is switched on by
``-p alula_kernel.testing.pytest_plugin`` on pytest's command line or in its setting ``addopts``.

The kit needs pytest, which is not a dependency of ``alula-kernel``.
"""

# ruff: noqa: E402 - the suites are imported after pytest was told to rewrite their assertions

from __future__ import annotations

from ..errors import MissingDependencyError

try:
    import pytest
except ImportError as error:  # pragma: no cover - the tests themselves run under pytest
    raise MissingDependencyError(
        "alula_kernel.testing needs pytest, which is not installed", hint="Install it: pip install pytest"
    ) from error

pytest.register_assert_rewrite(
    "alula_kernel.testing.backends",
    "alula_kernel.testing.caches",
    "alula_kernel.testing.executors",
    "alula_kernel.testing.images",
    "alula_kernel.testing.secrets",
    "alula_kernel.testing.stores",
    "alula_kernel.testing.tables",
    "alula_kernel.testing.transformers",
)

from .attempts import NoCalls, run_sample, sample_attempt
from .backends import BlobBackendConformance
from .caches import CacheConformance
from .executors import TaskExecutorConformance
from .images import ImageBuilderConformance
from .scenarios import Conformance, Scenario, needs, scenarios
from .secrets import SecretProviderConformance
from .stores import StoreConformance
from .tables import TableStoreConformance
from .transformers import Sample, TypeTransformerConformance

__all__ = [
    "BlobBackendConformance",
    "CacheConformance",
    "Conformance",
    "ImageBuilderConformance",
    "NoCalls",
    "Sample",
    "Scenario",
    "SecretProviderConformance",
    "StoreConformance",
    "TableStoreConformance",
    "TaskExecutorConformance",
    "TypeTransformerConformance",
    "needs",
    "run_sample",
    "sample_attempt",
    "scenarios",
]
