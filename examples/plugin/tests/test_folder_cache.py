"""Tests of the cache: Alula's conformance suite, and what is the plugin's own."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import pytest
from alula_places.folder_cache import FolderCache

from alula_kernel.contracts import Cache, CacheEntry, CacheKey
from alula_kernel.literals import Scalar
from alula_kernel.testing import CacheConformance


def entry(name: str) -> CacheEntry:
    key = CacheKey(digest=name, project="p", domain="d", task="t", version="1", interface="i", inputs={})
    return CacheEntry(key=key, outputs={"o0": Scalar(name)}, run="r", action="a0", created_at=1.0)


class TestFolderCache(CacheConformance):
    """The numbered scenarios C01, C02 ... of the cache's contract."""

    @pytest.fixture
    def open_cache(self, tmp_path: Path) -> Callable[[], Cache]:
        return lambda: FolderCache(tmp_path / "cache")

    @pytest.fixture
    def damage(self, tmp_path: Path) -> Callable[[Cache, str], None]:
        def flip_a_bit(cache: Cache, digest: str) -> None:
            path = tmp_path / "cache" / "entries" / f"{digest}.entry"
            content = bytearray(path.read_bytes())
            content[-1] ^= 1
            path.write_bytes(content)

        return flip_a_bit


def test_opening_makes_no_folder(tmp_path: Path) -> None:
    cache = FolderCache(tmp_path / "cache")
    assert cache.get("nothing") is None
    assert list(cache.entries()) == []
    cache.close()
    assert list(tmp_path.iterdir()) == []


def test_deleting_a_file_forgets_its_result(tmp_path: Path) -> None:
    cache = FolderCache(tmp_path)
    gone, kept = entry("gone"), entry("kept")
    cache.put(gone)
    cache.put(kept)
    (tmp_path / "entries" / f"{gone.key.digest}.entry").unlink()
    assert cache.get(gone.key.digest) is None
    assert list(cache.entries()) == [kept]


def test_a_folder_that_cannot_be_written_is_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    cache = FolderCache(tmp_path / "cache")
    with caplog.at_level(logging.WARNING):
        cache.put(entry("a"))
        assert cache.get("a") is None
        assert cache.reserve("a", "me", 60) == "me"
        cache.release("a", "me")
    assert "is not cached" in caplog.text


def test_nothing_is_left_behind_but_entries(tmp_path: Path) -> None:
    cache = FolderCache(tmp_path)
    for name in ("a", "b", "a"):
        cache.put(entry(name))
    assert {path.suffix for path in (tmp_path / "entries").iterdir()} == {".entry"}
