"""Scripts and interactive sessions: tasks of ``__main__`` run in workers, and the script itself is not run again."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from typing import Any

import pytest

from .conftest import HANG_SECONDS

SCRIPT = """
    import sys
    from dataclasses import dataclass
    from enum import Enum

    import alula
    from alula import TaskEnvironment, map_task, task, workflow
    from tests.sdk.worker.conftest import make_elsewhere

    print("script begins")
    SCALE = 10
    env = TaskEnvironment("scripted")

    class Color(Enum):
        RED = "red"

    @dataclass
    class Point:
        x: int
        color: Color

        def shifted(self, by: int) -> "Point":
            return Point(self.x + by, self.color)

    def scaled(x: int) -> int:
        return x * SCALE

    @task
    def point(x: int) -> Point:
        return Point(scaled(x), Color.RED)

    @task
    def shift(point: Point, by: int = 1) -> Point:
        return point.shifted(by)

    @env.task
    async def both(x: int) -> list[Point]:
        return [shift(point=point(x=x)), await shift.aio(point(x=x), by=2)]

    @workflow
    def flow(x: int) -> Point:
        return shift(point=point(x=x))

    elsewhere = make_elsewhere()
    print(elsewhere.run(flow, x=2).result)
    print(elsewhere.run(both, x=3).result)
    print({attempt.code.kind for attempt in elsewhere.executor.attempts}, {attempt.task.id.name for attempt in elsewhere.executor.attempts} )
"""

EXPECTED = """\
script begins
Point(x=21, color=<Color.RED: 'red'>)
[Point(x=31, color=<Color.RED: 'red'>), Point(x=32, color=<Color.RED: 'red'>)]
"""


@pytest.fixture
def with_tests_on_the_path(monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config) -> None:
    monkeypatch.setenv("PYTHONPATH", str(pytestconfig.rootpath))


@pytest.mark.usefixtures("with_tests_on_the_path")
def test_a_script(project: Any) -> None:
    process = project.python(str(project.write("script.py", SCRIPT)))
    assert process.stdout.startswith(EXPECTED), process.stderr
    assert "{'pickle'}" in process.stdout


@pytest.mark.usefixtures("with_tests_on_the_path")
def test_an_interactive_session(project: Any) -> None:
    # As a notebook does it: each block is compiled by itself, in a ``__main__`` without a file.
    blocks = re.split(r"\n\n(?! )", textwrap.dedent(SCRIPT))

    source = f"for block in {blocks!r}:\n    exec(compile(block, '<cell>', 'exec'), globals())\n"
    process = subprocess.run(
        [sys.executable, "-c", source],
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        cwd=project.root,
        check=False,
    )
    assert process.stdout.startswith(EXPECTED), process.stderr


@pytest.mark.usefixtures("with_tests_on_the_path")
def test_a_cell_that_is_run_again_runs_what_it_says_now(project: Any) -> None:
    script = project.write(
        "cells.py",
        """
        from alula import task, workflow
        from tests.sdk.worker.conftest import make_elsewhere

        elsewhere = make_elsewhere()
        kept = []
        for factor in (2, 3):
            @task
            def multiply(x: int) -> int:
                return x * factor_now

            factor_now = factor
            kept.append(multiply)
            print(elsewhere.run(multiply, x=5).result)
        print(sorted(attempt.task.id.version for attempt in elsewhere.executor.attempts))
        """,
    )
    process = project.python(str(script))
    assert process.stdout == "10\n15\n['', '~2']\n", process.stderr
