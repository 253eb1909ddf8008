"""The executor keeps what Alula's contract promises: tasks of Spark that do not ask for a session, so that no Java starts."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from msgspec.structs import replace

import alula
from alula_kernel.contracts import Attempt, CodeReference, ExecutorContext, TaskExecutor
from alula_kernel.literals import Scalar
from alula_kernel.specs import EntityId, Interface, TaskSpec
from alula_kernel.testing import TaskExecutorConformance
from alula_kernel.testing.executors import AttemptMaker
from alula_spark.executor import SparkExecutor

_numbers = itertools.count(1)


class TestSparkExecutor(TaskExecutorConformance):
    """The suite's scenarios E01, E02 ... are in Alula's documentation."""

    @pytest.fixture
    def open_executor(self, alula_home: Path) -> Callable[[], TaskExecutor]:
        def open_executor() -> TaskExecutor:
            app = alula.current_app()
            executor = SparkExecutor()
            executor.open(
                ExecutorContext(
                    storage=app.storage,
                    home=str(alula_home),
                    worker_environment=app.settings.environment(),
                    interpreter=app.interpreter,
                )
            )
            return executor

        return open_executor

    @pytest.fixture
    def make_attempt(self, plain_samples: ModuleType, alula_home: Path) -> AttemptMaker:
        def make(kind: str, inputs: Mapping[str, Any] | None = None, **fields: Any) -> Attempt:
            task = getattr(plain_samples, {"print": "print_text", "exit": "leave"}.get(kind, kind))
            spec = replace(task.spec(alula.current_app()), environment=fields.pop("task_environment", {}))
            number = next(_numbers)
            return Attempt(
                id=fields.pop("id", f"run-{os.getpid()}-{number}/a0/1"),
                run=f"run-{os.getpid()}-{number}",
                action="a0",
                number=1,
                task=spec,
                inputs={name: Scalar(value) for name, value in (inputs or {}).items()},
                output_prefix=str(alula_home / "runs" / f"{number}"),
                code=CodeReference(search_path=(os.path.dirname(plain_samples.__file__ or ""),)),
                **fields,
            )

        return make

    @pytest.fixture
    def invalid_task(self) -> TaskSpec:
        return TaskSpec(id=EntityId("task", "plain"), interface=Interface())
