"""What the plugin registers with Alula."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alula_kernel.contracts import Converter, TaskType, TypeRequest, TypeTransformer
from alula_kernel.hookspecs import hookimpl


@hookimpl
def alula_task_types() -> Sequence[TaskType]:
    """Register the task type ``duckdb``, which runs wherever Python tasks run."""
    return [
        TaskType(name="duckdb", task_class="alula_duckdb.query.DuckDBQuery", description="SQL queries on DuckDB"),
    ]


RELATION = "duckdb.DuckDBPyRelation"
"""The class of relations, by name, so that DuckDB is not imported for a program without any."""


class RelationTransformer(TypeTransformer):
    """Makes converters of DuckDB's relations; what it needs is imported when the first one is asked for."""

    name = "duckdb-relation"
    python_types = (RELATION,)

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Make the converter of a relation."""
        from .relations import relation_transformer

        return relation_transformer().converter(request)


@hookimpl
def alula_type_transformers() -> Sequence[TypeTransformer]:
    """Register the transformer of DuckDB's relations."""
    return [RelationTransformer()]
