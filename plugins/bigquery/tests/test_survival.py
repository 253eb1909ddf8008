"""Jobs outlive the engine: another one finds them and starts nothing twice; who stops a run stops its jobs."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from service import Service

import alula
from alula_bigquery import BigQueryTask
from alula_bigquery.executor import BigQueryExecutor
from alula_kernel.contracts import LOST, ExecutorContext

HANG_SECONDS = 60

FLOW = """
import pyarrow as pa
from alula import task, workflow
from alula_bigquery import BigQueryTask
from alula_bigquery.executor import BigQueryExecutor
from alula_kernel.contracts import LOST, ExecutorContext

slow = BigQueryTask("slow", "SELECT @n * 2 AS double /* seconds: 3 */", {"n": int}, output_type=pa.Table)

@task
def read(rows: pa.Table) -> int:
    return rows["double"][0].as_py()

@workflow
def flow(n: int) -> int:
    return read(rows=slow(n=n))
"""


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + HANG_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def test_another_engine_finds_the_job_and_starts_nothing_twice(service: Service, tmp_path: Path) -> None:
    (tmp_path / "flow.py").write_text(FLOW)
    command = [sys.executable, "-m", "alula", "run"]
    before = service.started(marked="AS double")
    first = subprocess.Popen([*command, "--name", "job", "flow.py", "flow", "--n", "21"], cwd=tmp_path)
    until(lambda: service.started(marked="AS double") > before)
    first.send_signal(signal.SIGKILL)
    first.wait(HANG_SECONDS)
    second = subprocess.run(
        [*command, "--output", "json", "--resume", "job"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=HANG_SECONDS,
        check=False,
    )
    assert second.returncode == 0, second.stderr
    assert list(json.loads(second.stdout)["outputs"].values()) == [42]
    assert service.started(marked="AS double") == before + 1


def test_a_service_that_is_out_of_reach_for_a_while(service: Service) -> None:
    query = "SELECT 3 AS three /* seconds: 0.5 */"

    async def scenario() -> alula.Run:
        running = asyncio.ensure_future(alula.run.aio(BigQueryTask("patient", query, output_type=alula.DataFrame)))
        while not service.started(marked=query):
            await asyncio.sleep(0.02)
        service.away = True
        await asyncio.sleep(1)
        service.away = False
        return await running

    try:
        run = asyncio.run(asyncio.wait_for(scenario(), HANG_SECONDS))
    finally:
        service.away = False
    assert run.phase == "succeeded"
    assert service.started(marked=query) == 1


def test_a_service_that_stays_away_is_lost(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("alula_bigquery.executor._REQUEST_SECONDS", 0.2)
    executor = BigQueryExecutor(unreachable_seconds=0.5)
    app = alula.current_app()
    executor.open(ExecutorContext(app.storage, app.settings.folder, {}, app.interpreter))
    service.away = True
    try:
        handle = {"job": "alula-1", "project": "tests", "location": "US", "prefix": f"{app.settings.folder}/none"}
        outcome = asyncio.run(asyncio.wait_for(executor.wait(handle), HANG_SECONDS))
    finally:
        service.away = False
        executor.close()
    assert outcome.kind == LOST
    assert outcome.error is not None
    assert "out of reach for 0.5 s" in outcome.error.message


def test_cancelling_the_run_cancels_the_job(service: Service) -> None:
    query = "SELECT 1 AS cancelled /* seconds: 600 */"

    async def scenario() -> None:
        running = asyncio.ensure_future(alula.run.aio(BigQueryTask("slow", query)))
        while not service.started(marked=query):
            await asyncio.sleep(0.02)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running

    asyncio.run(asyncio.wait_for(scenario(), HANG_SECONDS))
    assert any("/cancel" in path for _, path in service.requests)


def test_ctrl_c_cancels_the_job(service: Service, tmp_path: Path) -> None:
    mark = "AS interrupted"
    (tmp_path / "flow.py").write_text(FLOW.replace("AS double", mark).replace("seconds: 3", "seconds: 600"))
    running = subprocess.Popen(
        [sys.executable, "-m", "alula", "run", "flow.py", "flow", "--n", "1"],
        cwd=tmp_path,
        stderr=subprocess.DEVNULL,
        env=dict(os.environ),
    )
    until(lambda: service.started(marked=mark) == 1)
    cancels = sum("/cancel" in path for _, path in service.requests)
    running.send_signal(signal.SIGINT)
    assert running.wait(HANG_SECONDS) != 0
    assert sum("/cancel" in path for _, path in service.requests) > cancels
