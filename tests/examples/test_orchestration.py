from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import alula

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def orchestration(example: Callable[[str], ModuleType]) -> ModuleType:
    return example("orchestration")


def test_stations_that_do_not_answer_are_estimated(alula_run: Callable[..., dict[str, Any]]) -> None:
    said = alula_run("orchestration.py", "survey", "--stations", json.dumps(["harbour", "hill", "reef"]))
    assert said["outputs"]["o0"] == {
        "mean": 9.25,
        "warmest": "harbour",
        "measured": ["harbour", "hill"],
        "estimated": ["reef"],
        "grid_points": 9,
    }
    measured = {action["inputs"]["station"]: action for action in said["actions"] if action["name"] == "measure"}
    assert {station: action["phase"] for station, action in measured.items()} == {
        "harbour": "succeeded",
        "hill": "succeeded",
        "reef": "failed",
    }
    assert len(measured["reef"]["attempts"]) == 2


def test_it_runs_as_a_program(start: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    printed = start(str(EXAMPLES / "orchestration.py")).stdout
    assert "lighthouse does not answer: its temperature is estimated" in printed
    assert "measured=['harbour', 'hill', 'island']" in printed.splitlines()[-1]


def test_interpolation_is_tried_again_with_more_memory(orchestration: ModuleType) -> None:
    few = alula.run(orchestration.survey, stations=["hill", "island"])
    assert [action.phase.value for action in few.actions if action.name == "interpolate"] == ["succeeded"]

    many = alula.run(orchestration.survey, stations=["hill", "island", "harbour"])
    assert [action.phase.value for action in many.actions if action.name == "interpolate"] == ["failed", "succeeded"]
    assert many.result.grid_points == 9


def test_a_task_that_calls_a_task_is_its_parent(orchestration: ModuleType) -> None:
    found = alula.run(orchestration.estimate, "reef", others=[orchestration.Reading("hill", 7.0)])
    assert found.result == orchestration.Reading("reef", 7.0, estimated=True)
    assert [(action.name, action.parent) for action in found.actions] == [("estimate", ""), ("mean", "a0")]


def test_nothing_can_be_estimated_from_nothing(orchestration: ModuleType) -> None:
    with pytest.raises(alula.NonRecoverableError, match="no station answers"):
        alula.run(orchestration.survey, stations=["reef"]).raise_for_error()
