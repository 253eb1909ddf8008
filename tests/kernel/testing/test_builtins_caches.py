"""The built-in caches keep what the contract promises."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from alula_kernel.builtin.sqlite_cache import MemoryCache, SqliteCache
from alula_kernel.contracts import Cache
from alula_kernel.testing import CacheConformance


class TestSqlite(CacheConformance):
    @pytest.fixture
    def open_cache(self, tmp_path: Path) -> Callable[[], Cache]:
        return lambda: SqliteCache(tmp_path / "cache.db")

    @pytest.fixture
    def damage(self, tmp_path: Path) -> Callable[[Cache, str], None]:
        def cut_short(cache: Cache, digest: str) -> None:
            with closing(sqlite3.connect(tmp_path / "cache.db")) as connection, connection:
                changed = connection.execute(
                    "UPDATE entries SET data = substr(data, 1, length(data) / 2) WHERE digest = ?", [digest]
                )
                assert changed.rowcount == 1

        return cut_short


class TestMemory(CacheConformance):
    is_shared = False
    is_persistent = False
    can_be_damaged = False

    @pytest.fixture
    def open_cache(self) -> Callable[[], Cache]:
        return MemoryCache
