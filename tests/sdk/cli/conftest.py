"""The command line as tests use it: in this process, or as a program of its own."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest

from alula._app import current_app
from alula._cli import main
from alula._launch_plan import _made

PROGRAM = [sys.executable, "-m", "alula"]
"""How the command line is started as a program of its own."""


class Answer(NamedTuple):
    """What a command did.

    Attributes:
        code: Its exit code.
        out: What it printed on stdout.
        err: What it printed on stderr.
    """

    code: int
    out: str
    err: str


class Write(Protocol):
    """Writes a script into the working directory."""

    def __call__(self, name: str, source: str) -> Path: ...


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Work in an empty folder, and forget afterwards which modules were loaded from it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.delenv("COLUMNS", raising=False)
    # Test files are written within the same tick of the clock as their bytecode, which would be taken for fresh.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    modules, path = dict(sys.modules), list(sys.path)
    importlib.invalidate_caches()
    yield tmp_path
    current_app().close()
    for name in [name for name in sys.modules if name not in modules and _is_in(sys.modules[name], tmp_path)]:
        del sys.modules[name]
    sys.path[:] = path
    _made.clear()  # launch plans of modules that are gone


def _is_in(module: object, folder: Path) -> bool:
    places = [getattr(module, "__file__", None) or "", *(getattr(module, "__path__", None) or ())]
    return any(str(place).startswith(str(folder)) for place in places)


@pytest.fixture
def write(folder: Path) -> Write:
    """Write a script and return its path."""

    def write(name: str, source: str) -> Path:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source, encoding="utf-8")
        importlib.invalidate_caches()
        return path

    return write


@pytest.fixture
def alula(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Run a command in this process."""

    def run(*arguments: str) -> Answer:
        capsys.readouterr()
        code = main(list(arguments))
        printed = capsys.readouterr()
        return Answer(code, printed.out, printed.err)

    return run


@pytest.fixture
def program(folder: Path) -> Callable[..., Answer]:
    """Run a command as a program of its own."""

    def run(*arguments: str, stdin: str = "", timeout_seconds: float = 60, **environment: str) -> Answer:
        done = subprocess.run(
            [*PROGRAM, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout_seconds,
            env={**os.environ, **environment},
            check=False,
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    return run


HELLO = '''
from alula import task, workflow


@task
def greet(name: str) -> str:
    """Greet somebody."""
    return f"Hello, {name}!"


@workflow
def hello(name: str = "world") -> str:
    """Say hello.

    Args:
        name: Who is greeted.
    """
    return greet(name=name)
'''


@pytest.fixture
def hello(write: Write) -> Path:
    """Write the file with a task ``greet`` and a workflow ``hello``."""
    return write("hello.py", HELLO)
