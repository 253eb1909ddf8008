"""Programs written for Flyte 2, with its names for notebooks: what differs from this plugin."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

WriteNotebook = Callable[..., str]


FLYTE_2 = """
    import flyte
    from flyteplugins.papermill import NotebookTask

    env = flyte.TaskEnvironment("books")
    book = NotebookTask(
        name="book", notebook_path="book.ipynb", task_environment=env, outputs={"n": int, "x": float}, progress_bar=False
    )
    print(tuple(flyte.run(book).outputs()))
"""


def test_an_integer_may_be_recorded_as_any_number(
    write: WriteNotebook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALULA_HOME", str(tmp_path / "home"))
    write("from flyteplugins.papermill import record_outputs\nrecord_outputs(n=4.75, x=2)")
    (tmp_path / "program.py").write_text(textwrap.dedent(FLYTE_2))
    done = subprocess.run(
        [sys.executable, "-m", "alula_flyte", "program.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "(4, 2.0)"
