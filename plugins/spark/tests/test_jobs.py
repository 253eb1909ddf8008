"""Tasks with a session on this machine."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import alula
from alula_kernel.processes import ProcessId

HANG_SECONDS = 120.0


def until(condition: Any) -> None:
    end = time.monotonic() + HANG_SECONDS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def told(folder: Path, *names: str) -> set[int]:
    """Return the processes of some kinds that a waiting job has told: ``driver``, ``java``, ``executor``."""
    return {int(path.name.partition("-")[2]) for name in names for path in folder.glob(f"{name}-*")}


def begun(folder: Path) -> bool:
    return bool(told(folder, "executor"))


def gone(pid: int) -> bool:
    return ProcessId.of(pid).started == 0


def test_properties_count_and_a_failure_on_an_executor_is_the_tasks(samples: ModuleType, tmp_path: Path) -> None:
    names = ["spark.alula.test", "spark.hadoop.alula.test", "spark.driver.bindAddress", "spark.driver.memory"]
    task = samples.properties.override(resources=alula.Resources(cpu=1, mem="1500Mi"))
    run = asyncio.run(alula.run.aio(task, names=names, told=str(tmp_path / "told")))
    assert json.loads((tmp_path / "told").read_text()) == {
        "spark.alula.test": "1",
        "spark.hadoop.alula.test": "2",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.memory": "900m",
        "master": "local[1]",
        "doubled": 12,
        "one more": 7,
    }
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
    until(lambda: all(map(gone, told(tmp_path, "driver", "java", "executor"))))


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
    before = told(marks, "java")
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
    assert told(marks, "java") == before, "the job was started twice"
    until(lambda: all(map(gone, told(marks, "java", "executor"))))


def test_a_java_that_does_not_start_is_told_with_what_spark_fetches(
    samples: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALULA_SPARK_CONF", "spark.jars=file:///no/such.jar spark.driver.memory=1k")
    run = alula.run(samples.properties, names=[], told="")
    assert run.error is not None
    assert "Java ended before Spark was up" in run.error.message
    assert 'ALULA_SPARK_CONF="spark.jars=" does without' in run.error.message
