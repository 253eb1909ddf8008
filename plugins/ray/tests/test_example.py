"""The example and the program of the README run as they stand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conftest import Cluster

FOLDER = Path(__file__).parents[1]


def run(*arguments: str, cwd: Path, address: str = "") -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "alula", "run", "--output", "json", *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "ALULA_RAY_ADDRESS": address},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["outputs"]


def test_the_program_of_the_readme(tmp_path: Path) -> None:
    (program,) = re.findall(r"```python\n(.*?)```", (FOLDER / "README.md").read_text(), re.DOTALL)
    (tmp_path / "circle.py").write_text(program)
    assert list(run("circle.py", "pi", "--points", "100", cwd=tmp_path).values()) == [3.14]


def test_the_search_on_a_cluster(cluster: Cluster) -> None:
    outputs = run("hyperparameters.py", "search", cwd=FOLDER / "examples", address=cluster.jobs)
    assert list(outputs.values()) == [{"rate": 0.8, "error": 8.549}]
