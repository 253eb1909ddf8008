"""The example, the program of the README and those of the documentation run as they stand."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import alula

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

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


def blocks(page: Path) -> list[str]:
    return re.findall(r"^```python\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE)


def test_the_example_on_two_kinds_of_java(tmp_path: Path) -> None:
    folder = FOLDER / "examples"
    arguments = ("report.py", "report", "--count", "30")
    first = run(*arguments, cwd=folder)
    # No Java but that of the package index, whose hash sets have another order.
    second = run(*arguments, cwd=folder, PATH=without_java(tmp_path / "tools"), JAVA_HOME="")
    for found in (first, second):
        assert list(found["outputs"].values()) == [2]
    caches = [[action["cache"] for action in found["actions"] if action["name"] == "best"] for found in (first, second)]
    assert caches == [["populated"], ["hit"]]


def test_the_program_of_the_readme_is_the_example() -> None:
    _, _, program = (FOLDER / "examples" / "report.py").read_text().partition("\n\n")
    assert blocks(FOLDER / "README.md") == [program]


def test_the_examples_of_the_documentation(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = FOLDER.parents[1] / "docs" / "how-to" / "run-spark-jobs.md"
    (tmp_path / "page.py").write_text("\n".join(blocks(page)))
    monkeypatch.syspath_prepend(tmp_path)
    import page as found  # type: ignore[import-not-found]

    names = spark.createDataFrame([("b",), ("a",), ("b",)], "word string")
    model = found.train.task_function(names)
    assert found.labels(model=model) == ["b", "a"]
    hashed = [found.rows_in_any_order(spark.range(9).repartition(count)) for count in (1, 4)]
    assert hashed[0] == hashed[1] != found.rows_in_any_order(spark.range(8))
    assert found.shuffled.spec(alula.current_app()).type == "spark"
