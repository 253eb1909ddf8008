"""Fixtures of the plugin's tests: programs in a folder, run as a user runs them."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest


class Answer(NamedTuple):
    """What a program did.

    Attributes:
        code: Its exit code.
        out: What it printed on stdout.
        err: What it printed on stderr.
    """

    code: int
    out: str
    err: str


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep runs, data and caches of a test in a folder of its own, and let it begin without Flyte's names."""
    folder = tmp_path / "alula-home"
    monkeypatch.setenv("ALULA_HOME", str(folder))
    monkeypatch.delenv("ALULA_PRELOAD", raising=False)
    monkeypatch.setenv("NO_COLOR", "1")
    return folder


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str], Path]:
    """Write a program into the folder of the test."""

    def write(name: str, source: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        return path

    return write


@pytest.fixture
def python(tmp_path: Path) -> Callable[..., Answer]:
    """Run Python in the folder of the test, with warnings as errors."""

    def run(*arguments: str, stdin: str = "", **variables: str) -> Answer:
        done = subprocess.run(
            [sys.executable, "-W", "error", *arguments],
            cwd=tmp_path,
            env={**os.environ, **variables},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def alula(python: Callable[..., Answer]) -> Callable[..., Answer]:
    """Run the command line in the folder of the test."""
    return lambda *arguments, **variables: python("-m", "alula", *arguments, **variables)


@pytest.fixture
def run(write: Callable[[str, str], Path], python: Callable[..., Answer]) -> Callable[..., str]:
    """Run a program for Flyte that succeeds, with environment variables, and return what it printed."""

    def run(source: str, **variables: str) -> str:
        answer = python("-m", "alula_flyte", str(write("program.py", source)), **variables)
        assert answer.code == 0, answer.err
        return answer.out

    return run
