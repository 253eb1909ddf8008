"""Modules that every process of a run imports before the user's code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import needed_first  # only there after the module was preloaded
from alula import task


@task
def hello() -> str:
    return needed_first.word
"""

PRELOADED = """
import sys
import types

sys.modules["needed_first"] = types.ModuleType("needed_first")
sys.modules["needed_first"].word = "there"
"""


@pytest.mark.parametrize("options", [[], ["--executor", "process"]])
def test_a_run_and_its_processes_import_it_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "comes_first.py").write_text(PRELOADED)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "site"))
    monkeypatch.setenv("ALULA_PRELOAD", "comes_first")
    command = [sys.executable, "-m", "alula", "run", *options, "program.py", "hello"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "o0: there\n"), done.stderr


def test_one_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "program.py").write_text("from alula import task\n")
    monkeypatch.setenv("ALULA_PRELOAD", "nowhere_to_be_found")
    command = [sys.executable, "-m", "alula", "run", "program.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "error: ALULA_PRELOAD names the module 'nowhere_to_be_found', which cannot be imported" in done.stderr
    assert "unset ALULA_PRELOAD" in done.stderr


def test_flyte_names_without_the_plugin_are_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "program.py").write_text("from alula import task\n")
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['alula_flyte'] = None\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    command = [sys.executable, "-m", "alula", "run", "--flyte", "program.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "--flyte needs the plugin alula-flyte" in done.stderr
    assert "pip install alula-flyte" in done.stderr
