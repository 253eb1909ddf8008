from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

import alula

pytestmark = pytest.mark.one_python

Start = Callable[..., subprocess.CompletedProcess[str]]
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def pipeline(example: Callable[[str], ModuleType]) -> ModuleType:
    return example("ml_pipeline")


def test_the_second_run_says_that_training_is_a_cache_hit(start: Start) -> None:
    command = ("-m", "alula", "run", str(EXAMPLES / "ml_pipeline.py"), "ml_pipeline", "--trees", "20")
    first, second = start(*command), start(*command)

    assert "training 20 trees" in first.stdout
    assert "training" not in second.stdout
    assert "cache hit" not in first.stderr
    assert [line for line in second.stderr.splitlines() if "cache hit" in line] == ["n3 train: cache hit"]
    [accuracy] = {line for line in (first.stdout + second.stdout).splitlines() if line.startswith("accuracy: ")}
    assert 0.9 < float(accuracy.removeprefix("accuracy: ")) < 1


def test_other_settings_train_anew(alula_run: Callable[..., dict[str, Any]], caches: Callable[..., Any]) -> None:
    first = alula_run("ml_pipeline.py", "ml_pipeline", "--trees", "10")
    again = alula_run("ml_pipeline.py", "ml_pipeline", "--trees", "10")
    other = alula_run("ml_pipeline.py", "ml_pipeline", "--trees", "11")
    assert [caches(said)["train"] for said in (first, again, other)] == ["populated", "hit", "populated"]
    assert again["outputs"] == first["outputs"]


def test_it_runs_as_a_program(start: Start) -> None:
    printed = start(str(EXAMPLES / "ml_pipeline.py")).stdout
    assert "[cache populated]" in printed
    assert printed.splitlines()[-1].startswith("accuracy: 0.9")


def test_it_is_called_as_a_function(pipeline: ModuleType) -> None:
    result = pipeline.ml_pipeline(trees=10)
    assert 0.9 < result.accuracy < 1
    assert result.model.name == "model.joblib"

    again = alula.run(pipeline.ml_pipeline, trees=10)
    assert {action.name: action.cache for action in again.actions}["train"] == "hit"
    assert again.result.accuracy == result.accuracy


def test_each_step_can_be_tried_alone(pipeline: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "raw.parquet"
    pd.DataFrame({"mean radius": [1.0, 1.0, None, 2.0], "target": [0, 0, 1, 1]}).to_parquet(path)
    table = pipeline.clean(raw=alula.file_types.ParquetFile(path))
    assert table["mean radius"].tolist() == [1.0, 2.0]

    table = pd.DataFrame({"mean radius": [float(n) for n in range(20)], "target": [0, 1] * 10})
    rows = pipeline.split(table=table, test_share=0.2)
    assert (len(rows.training), len(rows.test)) == (16, 4)
