"""Runs whose tasks have processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import alula
from alula_kernel.engine import RunOptions

HERE = Path(__file__).parent


@pytest.fixture
def pipeline(alula_home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The module with the tasks, loaded anew as a program would."""
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.delitem(sys.modules, "pipeline", raising=False)
    import pipeline

    yield pipeline
    alula.current_app().close()
    monkeypatch.delitem(sys.modules, "pipeline", raising=False)
    ends = time.monotonic() + 60
    while left := processes_of(alula_home):
        assert time.monotonic() < ends, f"left running: {left}"
        time.sleep(0.01)


def processes_of(home: Path) -> list[int]:
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdecimal() and int(entry) != os.getpid():
            try:
                state = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[0]
                if state != "Z" and f"ALULA_HOME={home}".encode() in Path(f"/proc/{entry}/environ").read_bytes():
                    found.append(int(entry))
            except OSError:
                continue
    return found


def run(entity: Any, jobs: int | None = None, **inputs: Any) -> Any:
    return alula.run(entity, options=RunOptions(executor="process", max_parallelism=jobs), **inputs)


def test_a_workflow_with_a_map_gives_what_it_gives_here(pipeline: Any) -> None:
    assert run(pipeline.sum_of_squares, n=6).result == pipeline.sum_of_squares(n=6) == 55


def test_a_graph_made_while_it_runs(pipeline: Any) -> None:
    assert run(pipeline.squares_of, n=4).result == [0, 1, 4, 9]


def test_it_is_another_process(pipeline: Any) -> None:
    assert run(pipeline.own_pid).result != os.getpid()


def test_an_exception_of_a_child(pipeline: Any) -> None:
    assert run(pipeline.recover, message="not today").result.endswith(": not today")


def test_a_failure_has_the_users_traceback(pipeline: Any) -> None:
    failed = run(pipeline.refuse, message="not today")
    assert failed.error.code == "ValueError"
    assert failed.error.traceback.rstrip().endswith("ValueError: not today")
    assert "raise ValueError(message)" in failed.error.traceback


@pytest.mark.parametrize("jobs", [1, 2])
def test_ten_levels(pipeline: Any, jobs: int) -> None:
    assert run(pipeline.deep, jobs, depth=10).result == 10


def test_many_parents_with_three_children_each(pipeline: Any) -> None:
    assert run(pipeline.families, 2, n=30).result == [3 * n + 3 for n in range(30)]


@pytest.mark.parametrize("jobs", [2, None])
def test_few_parents_have_begun_at_a_time(pipeline: Any, tmp_path: Path, jobs: int | None) -> None:
    """Children come before parents that have not begun, or all of these would be there at once."""
    assert run(pipeline.crowd, jobs, folder=str(tmp_path), n=30).result <= 15


def test_more_memory_after_running_out_of_it(pipeline: Any) -> None:
    ended = run(pipeline.swell_with_more, megabytes=120)
    errors = [attempt.error.message for attempt in ended.actions[0].attempts if attempt.error]
    assert (ended.result, len(errors)) == (120, 1)
    assert errors[0].startswith("ran out of memory: it may use 100 MiB, and its peak was ")
    ended = run(pipeline.swell_with_more, megabytes=300)
    assert ended.error.code == "OutOfMemory"
    limits = [attempt.error.message.partition(",")[0].rpartition("use ")[2] for attempt in ended.actions[0].attempts]
    assert limits == ["100 MiB", "150 MiB", "150 MiB"]


def test_out_of_memory_is_caught_by_its_class(pipeline: Any) -> None:
    message = run(pipeline.give_up_on_memory).result
    assert message.startswith("ran out of memory: it may use 150 MiB, and its peak was ")


def test_a_timeout(pipeline: Any) -> None:
    assert run(pipeline.sleepy).error.code == "Timeout"


def test_an_exit(pipeline: Any) -> None:
    assert run(pipeline.leave, status=3).error.code == "SystemExit"


def test_environment_variables(pipeline: Any) -> None:
    assert run(pipeline.flavour).result == "of the task"


def test_cached_outputs_are_shared_with_runs_here(pipeline: Any, tmp_path: Path) -> None:
    note = str(tmp_path / "note")
    assert run(pipeline.slow_square, x=7, note=note).result == pipeline.slow_square(x=7, note=note) == 49
    assert Path(note).read_text() == "x"


def test_files_travel(pipeline: Any, tmp_path: Path) -> None:
    assert run(pipeline.through_a_file, folder=str(tmp_path)).result == "content"


def test_a_name_that_is_used_again_is_another_run(pipeline: Any) -> None:
    results = [alula.with_runcontext(executor="process", name="same").run(pipeline.square, x=x).result for x in (3, 4)]
    assert results == [9, 16]


def test_with_runcontext(pipeline: Any) -> None:
    assert alula.with_runcontext(executor="process").run(pipeline.square, x=3).result == 9


def test_an_executor_that_does_not_exist(pipeline: Any) -> None:
    with pytest.raises(alula.errors.UnknownNameError, match="unknown executor 'proces'"):
        alula.with_runcontext(executor="proces").run(pipeline.square, x=3)


def test_kept_workers(pipeline: Any) -> None:
    pids = run(pipeline.kept_map, values=list(range(20))).result
    assert len(set(pids)) == 1
    assert os.getpid() not in pids


@pytest.mark.parametrize("task", ["working_folder", "kept_working_folder"])
def test_working_folders_go_with_their_process(pipeline: Any, task: str) -> None:
    folder = Path(run(getattr(pipeline, task)).result)
    alula.current_app().close()
    ends = time.monotonic() + 60
    while folder.exists():
        assert time.monotonic() < ends, f"left: {folder}"
        time.sleep(0.01)


def test_coroutines_side_by_side_in_a_kept_worker(pipeline: Any) -> None:
    assert len(set(run(pipeline.meeting).result)) == 1


def test_the_command(pipeline: Any) -> None:
    command = [sys.executable, "-m", "alula", "run", "--output", "json", "--executor", "process", "--jobs", "2"]
    done = subprocess.run(
        [*command, "pipeline.py", "sum_of_squares", "--n", "5"], cwd=HERE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert '"o0": 30' in done.stdout or '"o0":30' in done.stdout, done.stdout


@pytest.mark.parametrize("option", ["-i", "-"])
def test_an_interactive_session(pipeline: Any, option: str) -> None:
    """A cell that is run again replaces what it defined, for whoever calls it by its name."""
    typed = """
import alula
from alula import task

@task
def scaled(x: int) -> int:
    return x * SCALE

SCALE = 2
@task
async def both(x: int) -> int:
    return await scaled.aio(x=x) + await scaled.aio(x=x + 1)

runner = alula.with_runcontext(executor="process")
print("first", runner.run(both, x=1).result)
SCALE = 3
@task
def scaled(x: int) -> int:
    return 100 + x * SCALE

print("second", runner.run(both, x=1).result)
@task
def fails(x: int) -> int:
    return 1 // x

runner.run(fails, x=0).result
"""
    done = subprocess.run([sys.executable, option], input=typed, capture_output=True, text=True, check=False)
    assert "first 6" in done.stdout, done.stderr
    assert "second 209" in done.stdout, done.stderr
    assert "in fails\n" in done.stderr, "the traceback of the process is shown"
    assert "ZeroDivisionError" in done.stderr


def test_the_command_names_an_unknown_executor(pipeline: Any) -> None:
    command = [sys.executable, "-m", "alula", "run", "--executor", "proces", "pipeline.py", "square", "--x", "5"]
    done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "unknown executor 'proces'" in done.stderr
    assert "process" in done.stderr
