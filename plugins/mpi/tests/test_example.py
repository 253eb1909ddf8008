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


def test_training_on_four_ranks() -> None:
    outputs = json.loads(run("regression.py", "train_and_score", "--count", "4000", cwd=FOLDER / "examples"))["outputs"]
    weights, score = outputs.values()
    assert [round(weight, 1) for weight in weights] == [2.0, -1.0, 0.5, 3.0]
    assert score > 0.99


def test_the_program_of_the_readme(tmp_path: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", (FOLDER / "README.md").read_text(), re.DOTALL)
    (tmp_path / "circle.py").write_text(program)
    outputs = json.loads(run("circle.py", "circle", "--radius", "3", cwd=tmp_path))["outputs"]
    assert list(outputs.values()) == [28.2743]
