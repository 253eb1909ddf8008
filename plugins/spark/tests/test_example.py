"""The example and the program of the README run as they stand."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).parents[1]


def run(*arguments: str, cwd: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "alula", "run", "--output", "json", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_example() -> None:
    outputs = json.loads(run("words.py", "words", "--number", "3", cwd=FOLDER / "examples"))["outputs"]
    assert list(outputs.values()) == [["be", "to", "is"]]


def test_the_program_of_the_readme(tmp_path: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", (FOLDER / "README.md").read_text(), re.DOTALL)
    (tmp_path / "report.py").write_text(program)
    outputs = json.loads(run("report.py", "report", "--count", "30", cwd=tmp_path))["outputs"]
    assert list(outputs.values()) == [2]
