"""The built-in stores keep what the contract promises."""

from __future__ import annotations

import functools
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from alula_kernel.engine import MemoryStore, Store
from alula_kernel.engine.sqlite_store import SqliteStore
from alula_kernel.testing import StoreConformance


class TestSqlite(StoreConformance):
    @pytest.fixture
    def open_store(self, tmp_path: Path) -> Callable[[], Store]:
        return functools.partial(SqliteStore, tmp_path / "runs.db")

    @pytest.fixture
    def damage(self, tmp_path: Path) -> Callable[[Store, str, str], None]:
        def cut_short(store: Store, run: str, action: str) -> None:
            with closing(sqlite3.connect(tmp_path / "runs.db")) as connection, connection:
                changed = connection.execute(
                    "UPDATE actions SET data = substr(data, 1, length(data) / 2) WHERE id = ?", [action]
                )
                assert changed.rowcount == 1

        return cut_short


class TestMemory(StoreConformance):
    is_persistent = False
    can_be_damaged = False

    @pytest.fixture
    def open_store(self) -> Callable[[], Store]:
        return MemoryStore
