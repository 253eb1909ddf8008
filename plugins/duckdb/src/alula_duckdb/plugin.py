"""What the plugin registers with Alula."""

from __future__ import annotations

from collections.abc import Sequence

from alula_kernel.contracts import TaskType, TypeTransformer
from alula_kernel.hookspecs import hookimpl


@hookimpl
def alula_task_types() -> Sequence[TaskType]:
    """Register the task type ``duckdb``, which runs wherever Python tasks run."""
    return [
        TaskType(name="duckdb", task_class="alula_duckdb.query.DuckDBQuery", description="SQL queries on DuckDB"),
    ]


@hookimpl
def alula_type_transformers() -> Sequence[TypeTransformer]:
    """Register the transformer of DuckDB's relations."""
    from .relations import relation_transformer

    return [relation_transformer()]
