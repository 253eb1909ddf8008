"""Environments of tasks hold what every process of a run imports first."""

from __future__ import annotations

from pathlib import Path

import pytest

from alula._repacking import running_alula, wheels


def test_what_is_preloaded_is_installed_beside_alula(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ALULA_PRELOAD", raising=False)
    plain = running_alula()
    monkeypatch.setenv("ALULA_PRELOAD", "xdist.plugin")
    running = running_alula()
    assert running.digest != plain.digest
    packed = [path.name.partition("-")[0] for path in wheels(running, tmp_path / "wheels")]
    assert packed == ["alula_kernel", "alula", "pytest_xdist"]
    assert list((tmp_path / "wheels").glob("pytest-*.whl")), "what it needs lies beside it"
