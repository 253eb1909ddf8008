"""Fixtures of the plugin's tests."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

SAMPLES = Path(__file__).parent / "samples"


@pytest.fixture
def samples(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The tasks of `samples/spark_samples.py`, imported as a user's module is."""
    monkeypatch.syspath_prepend(SAMPLES)
    sys.modules.pop("spark_samples", None)
    import spark_samples  # type: ignore[import-not-found]

    return spark_samples  # type: ignore[no-any-return]
