"""The examples as a reader meets them: run by the ``alula`` command, and imported and called in plain Python."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
TIMEOUT_SECONDS = 300


@pytest.fixture
def start(tmp_path: Path, alula_home: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return a function that runs Python in an empty folder, with the test's own ALULA_HOME."""

    def run(
        *arguments: str, expect: int = 0, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env={**os.environ, "NO_COLOR": "1", **(environment or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
        assert done.returncode == expect, f"exit status {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    return run


@pytest.fixture
def alula_run(start: Callable[..., subprocess.CompletedProcess[str]]) -> Callable[..., dict[str, Any]]:
    """Return a function that runs an entity of an example by ``alula run`` and returns what it says as JSON."""

    def run(
        example: str,
        entity: str,
        *options: str,
        environment: Mapping[str, str] | None = None,
        before: Sequence[str] = (),
    ) -> dict[str, Any]:
        command = ("-m", "alula", "run", "--output", "json", *before, str(EXAMPLES / example), entity, *options)
        said: dict[str, Any] = json.loads(start(*command, environment=environment).stdout)
        return said

    return run


@pytest.fixture(scope="session")
def example() -> Callable[[str], ModuleType]:
    """Return a function that imports an example, once in a session: tasks know their module by its name."""

    def load(name: str) -> ModuleType:
        if name not in sys.modules:
            spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
            assert spec is not None
            assert spec.loader is not None
            sys.modules[name] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(sys.modules[name])
        return sys.modules[name]

    return load


@pytest.fixture
def caches() -> Callable[[dict[str, Any]], dict[str, str | None]]:
    """Return a function that says what the cache did for each action of a run, by the action's name."""
    return lambda said: {action["name"]: action["cache"] for action in said["actions"]}


@pytest.fixture
def installed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Put the plugin on the search path with the metadata that an installer would write.

    Returns:
        Environment variables for processes that shall find it.
    """
    site = tmp_path_factory.mktemp("site")
    (site / "alula_places").symlink_to(EXAMPLES / "plugin" / "src" / "alula_places")
    project = (EXAMPLES / "plugin" / "pyproject.toml").read_text()
    found = re.search(r'^\[project\.entry-points\.alula\]\n(\w+) = "([\w.]+)"$', project, re.MULTILINE)
    assert found is not None
    metadata = site / "alula_places-0.1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: alula-places\nVersion: 0.1.0\n")
    (metadata / "entry_points.txt").write_text(f"[alula]\n{found[1]} = {found[2]}\n")
    return {"PYTHONPATH": str(site)}
