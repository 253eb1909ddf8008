"""The examples as a reader meets them: run by the ``alula`` command, and imported and called in plain Python."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
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

    def run(example: str, entity: str, *options: str, environment: Mapping[str, str] | None = None) -> dict[str, Any]:
        file = str(EXAMPLES / example)
        command = ("-m", "alula", "run", "--output", "json", file, entity, *options)
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
