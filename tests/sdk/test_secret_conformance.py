"""The secret providers that come with Alula keep what the contract promises."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from alula._secret_providers import EnvironmentProvider, FileProvider
from alula._secrets import variable_name
from alula_kernel.secrets import SecretProvider, SecretRequest
from alula_kernel.testing import SecretProviderConformance


class TestEnvironment(SecretProviderConformance):
    keeps_bytes = False

    @pytest.fixture
    def provider(self) -> SecretProvider:
        return EnvironmentProvider()

    @pytest.fixture
    def keep(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[SecretRequest, bytes], None]:
        def keep(request: SecretRequest, value: bytes) -> None:
            monkeypatch.setenv(variable_name("ALULA_SECRET", request.group, request.key), value.decode())

        return keep


class TestFiles(SecretProviderConformance):
    @pytest.fixture
    def provider(self, tmp_path: Path) -> SecretProvider:
        return FileProvider(tmp_path)

    @pytest.fixture
    def keep(self, tmp_path: Path) -> Callable[[SecretRequest, bytes], None]:
        def keep(request: SecretRequest, value: bytes) -> None:
            path = FileProvider(tmp_path).path(request)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(value)

        return keep
