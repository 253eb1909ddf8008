"""The process executor keeps what the contract of executors promises."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from alula_kernel.builtin.process import ProcessExecutor
from alula_kernel.contracts import ExecutorContext, TaskExecutor
from alula_kernel.specs import ResourceSpec, TaskSpec
from alula_kernel.storage import Storage
from alula_kernel.testing import TaskExecutorConformance, sample_attempt

WORKER = (sys.executable, str(Path(__file__).with_name("sample_worker.py")))


class TestForking(TaskExecutorConformance):
    spawn = False

    @pytest.fixture
    def open_executor(self, tmp_path: Path, storage: Storage) -> Iterator[Callable[[], TaskExecutor]]:
        opened = []

        def make() -> TaskExecutor:
            executor = ProcessExecutor(command=WORKER, spawn=self.spawn)
            executor.open(ExecutorContext(storage, str(tmp_path / "home"), {}, lambda task: sys.executable))
            opened.append(executor)
            return executor

        yield make
        for executor in opened:
            executor.close()

    @pytest.fixture
    def invalid_task(self) -> TaskSpec:
        task = sample_attempt("echo", {"value": "x"}).task
        return msgspec.structs.replace(task, resources=ResourceSpec({"cpu": "100000"}))


class TestSpawning(TestForking):
    spawn = True
