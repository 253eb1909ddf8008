"""Tasks with a session on this machine."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest

import alula
from alula_kernel.processes import ProcessId

HANG_SECONDS = 120.0


def until(condition: Any) -> None:
    end = time.monotonic() + HANG_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def pids(folder: Path) -> list[int]:
    """Return Java and the Python processes of executors that a waiting job has told."""
    java = [int((folder / "java").read_text())]
    return java + [int(path.name.partition("-")[2]) for path in folder.glob("executor-*")]


def begun(folder: Path) -> bool:
    return (folder / "java").exists() and any(folder.glob("executor-*"))


def gone(pid: int) -> bool:
    return ProcessId.of(pid).started == 0


def test_the_properties_count_on_this_machine(samples: ModuleType) -> None:
    names = ["spark.alula.test", "spark.hadoop.alula.test", "spark.driver.bindAddress", "spark.driver.memory"]
    task = samples.properties.override(resources=alula.Resources(cpu=1, mem="1500Mi"))
    assert task(names=names) == {
        "spark.alula.test": "1",
        "spark.hadoop.alula.test": "2",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": "900m",
        "master": "local[1]",
        "doubled": "12",
    }


def test_an_async_task_calls_another_one(samples: ModuleType) -> None:
    assert asyncio.run(samples.async_total.aio(count=5)) == 11


def test_a_failure_on_an_executor_is_the_tasks(samples: ModuleType) -> None:
    run = alula.run(samples.fails_on_an_executor, value=7)
    assert run.error is not None
    assert "ValueError: this row is broken: 7" in run.error.message
    assert run.error.kind == "user"


def test_cancelling_the_run_leaves_nothing(samples: ModuleType, tmp_path: Path) -> None:
    async def scenario() -> None:
        running = asyncio.ensure_future(alula.run.aio(samples.waits, folder=str(tmp_path)))
        while not begun(tmp_path):
            await asyncio.sleep(0.05)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(asyncio.wait_for(scenario(), HANG_SECONDS))
    until(lambda: all(map(gone, pids(tmp_path))))


def test_another_engine_finds_the_job_and_starts_nothing_twice(samples: ModuleType, tmp_path: Path) -> None:
    script = tmp_path / "flow.py"
    script.write_text("import spark_samples\nwaits = spark_samples.waits\n")
    marks = tmp_path / "marks"
    marks.mkdir()
    environment = {**os.environ, "PYTHONPATH": os.path.dirname(samples.__file__ or "")}
    command = [sys.executable, "-m", "alula", "run"]
    first = subprocess.Popen(
        [*command, "--name", "job", "flow.py", "waits", "--folder", str(marks)], cwd=tmp_path, env=environment
    )
    until(lambda: begun(marks))
    before = (marks / "java").read_text()
    first.send_signal(signal.SIGKILL)
    first.wait(HANG_SECONDS)
    second = subprocess.Popen(
        [*command, "--output", "json", "--resume", "job"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    (marks / "go").touch()
    printed, _ = second.communicate(timeout=HANG_SECONDS)
    assert second.returncode == 0, printed
    assert (marks / "java").read_text() == before, "the job was started twice"
    until(lambda: all(map(gone, pids(marks))))


def test_frames_go_from_spark_to_pandas_and_to_a_plain_task(samples: ModuleType) -> None:
    assert tuple(samples.through_libraries()) == (30, 3)


def test_a_frame_is_stored_under_the_hash_of_its_content_with_its_columns(samples: ModuleType) -> None:
    @alula.workflow
    def flow() -> tuple[alula.DataFrame, alula.DataFrame]:
        return samples.people(partitions=1), samples.people.override(retries=1)(partitions=1)

    first, second = flow()
    assert first.uri == second.uri
    assert [column.name for column in first.literal.columns] == ["name", "age", "the score"]


def test_spark_reads_the_columns_it_declares_of_another_librarys_frame(samples: ModuleType) -> None:
    @alula.workflow
    def flow() -> tuple[list[str], int]:
        return samples.subset(frame=samples.frame_of_polars(count=4))  # type: ignore[no-any-return]

    assert tuple(flow()) == (["age"], 6)


def test_a_schema_survives(samples: ModuleType) -> None:
    @alula.task
    def schema(frame: pa.Table) -> list[str]:
        return [f"{field.name}: {field.type}" for field in frame.schema]

    @alula.workflow
    def flow() -> list[str]:
        return schema(frame=samples.people(partitions=2))  # type: ignore[no-any-return]

    assert flow() == ["name: string", "age: int32", "the score: double"]
