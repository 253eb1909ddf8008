"""What the plugin registers with Alula."""

from __future__ import annotations

from collections.abc import Sequence

from alula_kernel.contracts import TaskExecutor, TaskType, TypeTransformer
from alula_kernel.hookspecs import hookimpl


@hookimpl
def alula_task_types() -> Sequence[TaskType]:
    """Register the task type ``bigquery``, whose attempts are jobs of BigQuery."""
    return [
        TaskType(
            name="bigquery",
            task_class="alula_bigquery.task.BigQueryTask",
            executor="bigquery",
            description="SQL queries on BigQuery",
        ),
    ]


@hookimpl
def alula_task_executors() -> Sequence[TaskExecutor]:
    """Register the executor ``bigquery``, which submits jobs and waits for them."""
    from .executor import BigQueryExecutor

    return [BigQueryExecutor()]


@hookimpl
def alula_type_transformers() -> Sequence[TypeTransformer]:
    """Register the tables at ``bq://project.dataset.table`` as places of data frames."""
    from .tables import BigQueryTables

    return [BigQueryTables()]
