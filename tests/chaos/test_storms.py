"""Kill -9 anything, lose nothing: every task has its effect, what succeeded is not done again, the outputs are the same."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from .storm import HANG_SECONDS, Storm, processes_of


def weather(folder: Path, inputs: dict[str, int], seed: int, kills: int) -> Storm:
    """Run undisturbed, and then through kills, and check that nothing differs."""
    calm = Storm(folder / "calm", inputs)
    expected = calm.rage()
    calm.check()
    storm = Storm(folder / "storm", inputs, seed, kills, calm.lines())
    found = storm.rage()
    print(f"seed {seed}: {dict(storm.killed)}, {storm.lines()} lines instead of {calm.lines()}")
    storm.check()
    assert found["outputs"] == expected["outputs"]
    assert storm.killed.total() == kills
    for home in (calm.home, storm.home):
        ends = time.monotonic() + HANG_SECONDS
        while left := processes_of(home):
            assert time.monotonic() < ends, f"left running: {left}"
            time.sleep(0.01)
    return storm


@pytest.mark.parametrize("seed", [1])
def test_kills_at_random(tmp_path: Path, seed: int) -> None:
    weather(tmp_path, {"a": 6, "b": 6, "c": 3}, seed, kills=15)


@pytest.mark.chaos
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_two_hundred_kills_over_three_hundred_tasks(tmp_path: Path, seed: int) -> None:
    storm = weather(tmp_path, {"a": 40, "b": 50, "c": 20}, seed, kills=200)
    assert min(storm.killed.values()) >= 10
    tasks = [action for action in storm.actions() if action.kind == "task"]
    assert len(tasks) >= 300
