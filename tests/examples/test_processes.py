"""The examples with a process for each task: the outputs are those of a run in one process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.one_python


@pytest.mark.parametrize(
    ("example", "entity", "options"),
    [
        ("etl.py", "etl", ["--shops", "4"]),
        ("ml_pipeline.py", "ml_pipeline", ["--trees", "10"]),
        ("orchestration.py", "survey", ["--stations", json.dumps(["harbour", "hill", "reef"])]),
        ("plugin/travel.py", "trip", []),
    ],
)
def test_the_outputs_are_the_same(
    alula_run: Callable[..., dict[str, Any]],
    example: str,
    entity: str,
    options: list[str],
    installed: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    outputs = []
    for executor in ("inline", "process"):
        # With a home of its own: neither finds what the other one cached.
        monkeypatch.setenv("ALULA_HOME", str(tmp_path / executor))
        said = alula_run(
            example, entity, *options, environment=installed, before=["--executor", executor, "--jobs", "2"]
        )
        tasks = [action for action in said["actions"] if action["kind"] == "task"]
        assert {attempt["executor"] for task in tasks for attempt in task["attempts"]} == {executor}
        outputs.append(json.dumps(said["outputs"]).replace(str(tmp_path / executor), "HOME"))
    assert outputs[0] == outputs[1]
