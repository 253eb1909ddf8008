"""The executor keeps what Alula's contract promises: tasks of Ray and jobs on a cluster."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping
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
    """Plain tasks through the Jobs API: each is a process of the cluster that takes seconds to start."""

    limit_seconds = 400.0

    @pytest.fixture(autouse=True)
    def settings(self, cluster: Cluster, shared_home: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("ALULA_RAY_ADDRESS", cluster.jobs)
        monkeypatch.setenv("ALULA_HOME", shared_home)
