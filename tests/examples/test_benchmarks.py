"""The benchmarks run and say what they found. What they find is not looked at: a benchmark is no test."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.one_python

BENCHMARKS = str(Path(__file__).parents[2] / "benchmarks")

Start = Callable[..., subprocess.CompletedProcess[str]]


def test_figures_are_printed_and_written(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    printed = start(BENCHMARKS, "--only", "P5,p16", "--rounds", "1", "--json", str(file)).stdout
    assert [line.split()[0] for line in printed.splitlines() if line.startswith("P")][:2] == ["P5", "P16"]
    assert "calibration" in printed

    content = json.loads(file.read_text())
    assert [result["id"] for result in content["results"]] == ["P5", "P16"]
    for result in content["results"]:
        assert result["value"]["median"] > 0
        assert result["floor"]["median"] > 0
        assert result["ratio"] == pytest.approx(result["value"]["median"] / result["floor"]["median"])
        assert result["verdict"] in {"dream", "bar", "missed"}
    cache, compilation = content["results"]
    assert cache["bar_ratio"] == pytest.approx(80 / 32)
    assert cache["verdict_by_ratio"] == ("met" if cache["ratio"] <= 80 / 32 else "missed")
    assert (compilation["bar_ratio"], compilation["verdict_by_ratio"]) == (None, "-")


def test_whole_processes_are_measured(start: Start, tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    start(BENCHMARKS, "--only", "P1,P17", "--rounds", "1", "--json", str(file))
    run, plugins = json.loads(file.read_text())["results"]
    assert run["value"]["median"] > run["floor"]["median"]
    assert "entrypoints scan" in plugins["references"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--only", "P99"], "unknown measurement P99; there are P1, P2"),
        (["--rounds", "0"], "--rounds must be at least 1"),
        (["--peer-python", "/nowhere/python"], "there is no /nowhere/python"),
    ],
)
def test_mistakes_are_named(start: Start, options: list[str], message: str) -> None:
    assert message in start(BENCHMARKS, *options, expect=2).stderr
