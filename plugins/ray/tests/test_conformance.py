"""The executor keeps what Alula's contract promises: tasks of Ray and jobs on a cluster."""

from __future__ import annotations

import asyncio
import importlib.metadata
import itertools
import os
import shlex
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

import alula
from alula_kernel.contracts import Attempt, CodeReference, ExecutorContext, TaskExecutor
from alula_kernel.literals import Scalar
from alula_kernel.specs import ResourceSpec, TaskSpec
from alula_kernel.testing import TaskExecutorConformance
from alula_kernel.testing.executors import AttemptMaker
from alula_ray.bridges import Bridges
from alula_ray.executor import RayExecutor

if TYPE_CHECKING:
    from conftest import Cluster

_numbers = itertools.count(1)
_FUNCTIONS = {"print": "print_text", "exit": "leave"}


class TestTasks(TaskExecutorConformance):
    """Plain tasks. The suite's scenarios E01, E02 ... are in Alula's documentation."""

    @pytest.fixture(autouse=True)
    def settings(self, cluster: Cluster, shared_home: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ALULA_RAY_ADDRESS", cluster.address)
        monkeypatch.setenv("ALULA_HOME", shared_home)

    @pytest.fixture
    def open_executor(self, settings: None, bridges: Bridges) -> Callable[[], TaskExecutor]:
        app = alula.current_app()

        def open_executor() -> TaskExecutor:
            executor = RayExecutor(bridges)
            executor.open(
                ExecutorContext(app.storage, app.settings.folder, app.settings.environment(), app.interpreter)
            )
            return executor

        return open_executor

    @pytest.fixture
    def make_attempt(self, settings: None, samples: ModuleType) -> AttemptMaker:
        app = alula.current_app()

        def make(kind: str, inputs: Mapping[str, Any] | None = None, **fields: Any) -> Attempt:
            task = getattr(samples, "plain_" + _FUNCTIONS.get(kind, kind))
            spec = replace(task.spec(app), environment=fields.pop("task_environment", {}))
            run = f"run-{os.getpid()}-{next(_numbers)}"
            attempt_id = fields.pop("id", f"{run}/a0/1")
            return Attempt(
                id=attempt_id,
                run=run,
                action="a0",
                number=1,
                task=spec,
                inputs={name: Scalar(value) for name, value in (inputs or {}).items()},
                output_prefix=app.settings.path(f"runs/{attempt_id}"),
                code=CodeReference(search_path=(os.path.dirname(samples.__file__ or ""),)),
                **fields,
            )

        return make

    @pytest.fixture
    def invalid_task(self, make_attempt: AttemptMaker) -> TaskSpec:
        return replace(make_attempt("echo").task, resources=ResourceSpec({"cpu": "many"}))


class TestJobs(TestTasks):
    """Jobs, where a stand-in starts their entry points: a real one takes seconds for each. `test_cluster.py` has real ones."""

    @pytest.fixture(autouse=True)
    def settings(self, alula_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ALULA_RAY_ADDRESS", JobsHere.address)

    @pytest.fixture
    def bridges(self, tmp_path: Path) -> Iterator[JobsHere]:
        jobs = JobsHere(tmp_path)
        yield jobs
        jobs.close()


class JobsHere:
    """Does what bridges to a cluster's Jobs API do, with processes of this machine."""

    address = "http://jobs.test"
    versions = importlib.metadata.version("ray")

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._jobs: dict[str, subprocess.Popen[bytes]] = {}
        self._stopped: set[str] = set()

    def to(self, address: str) -> JobsHere:
        return self

    def ask(self, method: str, **arguments: Any) -> Future[Any]:
        answer: Future[Any] = Future()
        answer.set_result(getattr(self, method)(**arguments))
        return answer

    async def stream(self, method: str, job: str, follow: bool) -> AsyncIterator[bytes]:
        assert method == "job_output"
        while follow and (process := self._jobs.get(job)) is not None and process.poll() is None:
            await asyncio.sleep(0.01)
        yield self._log(job).read_bytes()

    def _log(self, job: str) -> Path:
        return self._folder / f"{job}.log"

    def cluster_version(self) -> str:
        return self.versions

    def submit_job(self, job: str, entrypoint: str, runtime_env: dict[str, Any], **_settings: Any) -> None:
        if job in self._jobs:
            return
        words = shlex.split(entrypoint)
        assert words[0] == "python"
        with open(self._log(job), "wb") as log:
            self._jobs[job] = subprocess.Popen(
                [sys.executable, *words[1:]], stdout=log, stderr=log, env={**os.environ, **runtime_env["env_vars"]}
            )

    def job(self, job: str) -> dict[str, Any] | None:
        process = self._jobs.get(job)
        if process is None:
            return None
        status = process.poll()
        said = f"Job entrypoint command failed with exit code {status}, last available logs (truncated):\n"
        state = {None: "RUNNING", 0: "SUCCEEDED"}.get(status, "STOPPED" if job in self._stopped else "FAILED")
        started = os.stat(f"/proc/{process.pid}").st_ctime if status is None else time.time() - 1_000.0
        return {"status": state, "message": said, "started_ms": int(started * 1000)}

    def stop_job(self, job: str) -> None:
        if (process := self._jobs.get(job)) is not None and process.poll() is None:
            self._stopped.add(job)
            process.terminate()

    def close(self) -> None:
        for process in self._jobs.values():
            process.kill()
            process.wait()
