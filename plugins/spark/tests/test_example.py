"""The example and the program of the README run as they stand."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[1]


def run(*arguments: str, cwd: Path, **variables: str) -> dict[str, Any]:
    """Run a workflow, and return what is printed of it; an empty variable is left out."""
    environment = {name: value for name, value in {**os.environ, **variables}.items() if value}
    done = subprocess.run(
        [sys.executable, "-m", "alula", "run", "--output", "json", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def without_java(folder: Path) -> str:
    """Make a folder with all programs on PATH but Java."""
    folder.mkdir()
    for place in os.environ["PATH"].split(os.pathsep):
        for program in Path(place).glob("*"):
            if program.name != "java" and not (folder / program.name).is_symlink():
                (folder / program.name).symlink_to(program)
    assert shutil.which("java", path=str(folder)) is None
    return str(folder)


def test_the_example() -> None:
    outputs = run("words.py", "words", "--number", "3", cwd=FOLDER / "examples")["outputs"]
    assert list(outputs.values()) == [["be", "to", "is"]]


def test_the_program_of_the_readme_on_two_kinds_of_java(tmp_path: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", (FOLDER / "README.md").read_text(), re.DOTALL)
    (tmp_path / "report.py").write_text(program)
    first = run("report.py", "report", "--count", "30", cwd=tmp_path)
    # No Java but that of the package index, whose hash sets have another order.
    second = run(
        "report.py", "report", "--count", "30", cwd=tmp_path, PATH=without_java(tmp_path / "tools"), JAVA_HOME=""
    )
    for found in (first, second):
        assert list(found["outputs"].values()) == [2]
    caches = [[action["cache"] for action in found["actions"] if action["name"] == "best"] for found in (first, second)]
    assert caches == [["populated"], ["hit"]]
