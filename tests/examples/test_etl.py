from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pandas as pd
import pytest

import alula

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def etl(example: Callable[[str], ModuleType]) -> ModuleType:
    return example("etl")


def test_good_orders_are_published(alula_run: Callable[..., dict[str, Any]]) -> None:
    said = alula_run("etl.py", "etl", "--shops", "4")
    phases = {action["name"]: action["phase"] for action in said["actions"]}
    assert phases["publish"] == "succeeded"
    assert phases["set_aside"] == "skipped"
    assert [total["region"] for total in said["outputs"]["totals"]] == ["north", "south", "west"]
    assert [total["orders"] for total in said["outputs"]["totals"]] == [196, 98, 98]
    assert [action["name"] for action in said["actions"]].count("add_up") == 3


def test_bad_orders_are_set_aside(alula_run: Callable[..., dict[str, Any]]) -> None:
    said = alula_run("etl.py", "etl", "--shops", "2", "--mistakes", "9")
    phases = {action["name"]: action["phase"] for action in said["actions"]}
    assert phases["publish"] == "skipped"
    assert phases["set_aside"] == "succeeded"
    assert "rejected.txt" in str(said["outputs"]["file"])


def test_it_runs_as_a_program(start: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    printed = start(str(EXAMPLES / "etl.py")).stdout
    assert printed.splitlines()[-4:] == [
        "orders.parquet: 588 rows",
        "north: 196 orders, 4978.0",
        "south: 196 orders, 4974.0",
        "west: 196 orders, 4970.0",
    ]


def test_files_that_did_not_change_are_not_cleaned_again(etl: ModuleType) -> None:
    first = etl.etl(shops=2)
    rows = pd.read_parquet(first.file)
    assert len(rows) == 196
    assert rows["amount"].min() > 0
    assert first.totals[0] == etl.Total("north", 98, rows[rows["region"] == "north"]["amount"].sum())

    # The first two of three shops hand in what they did before.
    second = alula.run(etl.etl, shops=3)
    items = [action.cache for action in second.actions if action.entity == "etl.clean" and action.kind == "task"]
    assert items == ["hit", "hit", "populated"]


def test_the_tolerance_decides(etl: ModuleType) -> None:
    assert etl.etl(shops=1, mistakes=5, tolerance=0.05).file.name == "orders.parquet"
    strict = etl.etl(shops=1, mistakes=5, tolerance=0.04)
    assert strict.file.read_text() == "5% of the rows are bad; nothing was published\n"
