"""The executor keeps what Alula's contract promises, with queries as tasks."""

from __future__ import annotations

import itertools
import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from msgspec.structs import replace
from service import Service

import alula
from alula_bigquery import BigQueryTask
from alula_bigquery.executor import BigQueryExecutor
from alula_bigquery.tables import BigQueryTables
from alula_kernel.contracts import Attempt, ExecutorContext, Handle, Outcome, TableStore, TaskExecutor
from alula_kernel.literals import Dataset, Scalar
from alula_kernel.specs import EntityId, Interface, TaskSpec
from alula_kernel.testing import TableStoreConformance, TaskExecutorConformance
from alula_kernel.testing.executors import AttemptMaker

_numbers = itertools.count(1)

QUERIES = {
    "echo": "SELECT @value AS o0",
    "add": "SELECT @a + @b AS o0",
    "fail": "SELECT ERROR(@message) AS o0",
    "sleep": "SELECT 1 /* seconds: {seconds} */ AS o0, @seconds AS asked",
}
TYPES = {"value": str, "a": int, "b": int, "message": str, "seconds": float}


class OneValue(BigQueryExecutor):
    """Gives the only value of the rows, since the suite's tasks give values and not tables."""

    async def wait(self, handle: Handle) -> Outcome:
        outcome = await super().wait(handle)
        dataset = outcome.outputs.get("results")
        if not isinstance(dataset, Dataset):
            return outcome
        (row,) = alula.DataFrame.from_dataset(dataset).open(pa.Table).all_sync().to_pylist()
        return replace(outcome, outputs={} if "asked" in row else {"o0": Scalar(row["o0"])})


class TestBigQueryTables(TableStoreConformance):
    """The suite's scenarios F01, F02 ... are in Alula's documentation."""

    @pytest.fixture
    def store(self, service: Service) -> Iterator[TableStore]:
        BigQueryTask("make", "CREATE SCHEMA IF NOT EXISTS conformance")()
        store = BigQueryTables()
        yield store
        store.close()

    @pytest.fixture
    def table_uri(self) -> Callable[[str], str]:
        own = uuid.uuid4().hex[:8]
        return lambda word: f"bq://tests.conformance.{word}_{own}"


class TestBigQueryExecutor(TaskExecutorConformance):
    """The suite's scenarios E01, E02 ... are in Alula's documentation."""

    can_exit = False
    can_give_up = False
    enforces_timeout = False
    has_logs = False
    has_traceback = False
    isolates_process = False
    sets_environment = False
    shares_files = False

    @pytest.fixture
    def open_executor(self, service: Service) -> Callable[[], TaskExecutor]:
        def open_executor() -> TaskExecutor:
            app = alula.current_app()
            executor = OneValue()
            executor.open(
                ExecutorContext(app.storage, app.settings.folder, app.settings.environment(), app.interpreter)
            )
            return executor

        return open_executor

    @pytest.fixture
    def make_attempt(self, service: Service, alula_home: Path) -> AttemptMaker:
        def make(kind: str, inputs: Mapping[str, Any] | None = None, **fields: Any) -> Attempt:
            given = inputs or {}
            query = QUERIES[kind].replace("{seconds}", str(given.get("seconds")))
            task = BigQueryTask(kind, query, {name: TYPES[name] for name in given}, output_type=alula.DataFrame)
            spec = replace(task.spec(alula.current_app()), environment=fields.pop("task_environment", {}))
            number = next(_numbers)
            return Attempt(
                id=fields.pop("id", f"run-{os.getpid()}-{number}/a0/1"),
                run=f"run-{os.getpid()}-{number}",
                action="a0",
                number=1,
                task=spec,
                inputs={name: Scalar(value) for name, value in given.items()},
                output_prefix=str(alula_home / "runs" / f"{number}"),
                **fields,
            )

        return make

    @pytest.fixture
    def invalid_task(self) -> TaskSpec:
        return TaskSpec(id=EntityId("task", "plain"), interface=Interface())
