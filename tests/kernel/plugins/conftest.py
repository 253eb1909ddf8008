"""A small world of installed distributions: folders with metadata and modules, made by a test."""

from __future__ import annotations

import itertools
import os
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

_counter = itertools.count()


@pytest.fixture(autouse=True)
def no_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep folders as the tests make them: bytecode would change their times, and outlive an edit of its module."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)


class Site:
    """A folder like ``site-packages`` in which a test installs distributions."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.settle()

    def settle(self) -> None:
        """Make the folder look as if nothing had been installed for a while; every call gives it another time."""
        past = 1_600_000_000 + next(_counter)
        os.utime(self.folder, (past, past))

    def install(
        self, distribution: str, version: str = "1.0", *, source: str = "", entry_points: str | None = None
    ) -> str:
        """Install a distribution with one plugin module and return the module's name.

        ``source`` is the module's code; ``entry_points`` replaces the usual ``short = module``.
        """
        module = distribution.replace("-", "_")
        (self.folder / f"{module}.py").write_text(textwrap.dedent(source))
        metadata = self.folder / f"{module}-{version}.dist-info"
        metadata.mkdir()
        if entry_points is None:
            entry_points = f"{distribution.removeprefix('alula-')} = {module}"
        (metadata / "entry_points.txt").write_text(f"[console_scripts]\nx = x:y\n\n[alula]\n{entry_points}\n")
        self.settle()
        return module

    def uninstall(self, distribution: str, version: str = "1.0") -> None:
        metadata = self.folder / f"{distribution.replace('-', '_')}-{version}.dist-info"
        (metadata / "entry_points.txt").unlink()
        metadata.rmdir()
        self.settle()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A site folder on ``sys.path``; what was imported from it is forgotten afterwards."""
    site = Site(tmp_path / "site")
    monkeypatch.syspath_prepend(str(site.folder))
    before = set(sys.modules)
    yield site
    for name in set(sys.modules) - before:
        if str(getattr(sys.modules[name], "__file__", "")).startswith(str(tmp_path)):
            del sys.modules[name]


@pytest.fixture
def cache_file(tmp_path: Path) -> Path:
    return tmp_path / "home" / "plugins.json"
