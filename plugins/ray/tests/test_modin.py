"""Modin's data frames in programs of Flyte 1. Modin's own engine here is Python, as Ray's start is the business of other tests."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

PROGRAM = """
    import flytekitplugins.modin  # noqa: F401
    import modin.pandas
    import pandas
    from flytekit import task, workflow

    @task
    def make(n: int) -> modin.pandas.DataFrame:
        return modin.pandas.DataFrame({"a": range(n), "b": ["x"] * n})

    @task
    def total(frame: modin.pandas.DataFrame) -> int:
        assert type(frame) is modin.pandas.DataFrame
        return int(frame["a"].sum())

    @task
    def columns(frame: pandas.DataFrame) -> list[str]:
        return list(frame.columns)

    @workflow
    def flow(n: int) -> tuple[int, list[str]]:
        made = make(n=n)
        return total(frame=made), columns(frame=made)

    if __name__ == "__main__":
        print(tuple(flow(n=4)))
"""


def test_frames_are_passed_between_tasks(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(textwrap.dedent(PROGRAM))
    done = subprocess.run(
        [sys.executable, "-m", "alula_flyte", str(program)],
        env={**os.environ, "MODIN_ENGINE": "python", "ALULA_HOME": str(tmp_path / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.splitlines() == ["(6, ['a', 'b'])"], done.stderr
