"""``alula.history``: what ``alula run`` has kept, from a program."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from pathlib import Path

import pytest

from alula import history
from alula.errors import UnknownNameError

PROGRAM = """
import dataclasses
import datetime as dt
import alula

@dataclasses.dataclass
class Point:
    x: int

@alula.task
def many(count: int) -> list[int]:
    return list(range(count))

@alula.task
def move(point: Point, by: int = 2) -> tuple[Point, dt.timedelta]:
    if by < 0:
        raise ValueError("backwards")
    return Point(point.x + by), dt.timedelta(hours=by)
"""


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Run a task twice: once it succeeds, then it fails."""
    monkeypatch.setenv("ALULA_HOME", str(tmp_path / "home"))
    (tmp_path / "moves.py").write_text(PROGRAM)
    for by, code in (("2", 0), ("-1", 1)):
        done = subprocess.run(
            [sys.executable, "-m", "alula", "run", "moves.py", "move", "--point", '{"x": 1}', "--by", by],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stderr
    return tmp_path


@pytest.mark.usefixtures("ran")
def test_runs_are_told_with_what_went_in_and_out() -> None:
    failed, succeeded = history.runs()
    assert (failed.status, succeeded.status) == ("failed", "succeeded")
    assert succeeded.entity == "moves.move"
    inputs, outputs = succeeded.inputs(), succeeded.outputs()
    assert (inputs["point"].x, inputs["by"]) == (1, 2)
    first, second = outputs.values()
    assert (first.x, second) == (3, dt.timedelta(hours=2))
    assert failed.outputs() == {}
    assert failed.error is not None
    assert failed.error.message == "backwards"
    assert succeeded.error is None
    assert succeeded.ended_at is not None
    assert succeeded.started_at <= succeeded.ended_at <= dt.datetime.now(dt.timezone.utc)


@pytest.mark.usefixtures("ran")
def test_runs_can_be_looked_for() -> None:
    newest = history.get()
    assert newest.status == "failed"
    assert history.get(newest.name[:19]).name == newest.name
    assert [run.status for run in history.runs(status="succeeded", entity="move")] == ["succeeded"]
    assert len(history.runs(limit=1)) == 1
    assert history.runs(entity="other") == []
    with pytest.raises(UnknownNameError, match="run 'no-such'"):
        history.get("no-such")
    with pytest.raises(UnknownNameError, match="status of a run 'sucess'"):
        history.runs(status="sucess")


def test_a_large_value_is_what_was_kept_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALULA_HOME", str(tmp_path / "home"))
    (tmp_path / "moves.py").write_text(PROGRAM)
    command = [sys.executable, "-m", "alula", "run", "moves.py", "many", "--count", "9000"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    [kept] = history.get().outputs().values()
    assert kept.startswith("[0, 1, 2")
