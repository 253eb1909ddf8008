"""``flytekitplugins.sqlalchemy``: queries as tasks, on any database that SQLAlchemy has a driver for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import alula

from .secrets import Secret
from .structured import FlyteSchema


@dataclass
class SQLAlchemyConfig:
    """Where a database is.

    Attributes:
        uri: Its URL, as SQLAlchemy writes it: ``postgresql+psycopg://user@host:5432/name``.
        connect_args: More arguments for its driver.
        secret_connect_args: Arguments for its driver that are secrets.
    """

    uri: str
    connect_args: Mapping[str, Any] | None = None
    secret_connect_args: Mapping[str, Secret] | None = None


class SQLAlchemyTask(alula.SQLTask):
    """A query as a task. Inputs are bound and never pasted, so that they cannot stand for names of tables or columns.

    Args:
        name: Its name.
        query_template: The query, with inputs as ``{{ .inputs.x }}``.
        task_config: The database.
        inputs: Python type of each input.
        output_schema_type: Type of the rows; None if the query is run for what it does.
        settings: Settings of the task.
    """

    takes_unused_inputs = True

    def __init__(
        self,
        name: str,
        query_template: str,
        task_config: SQLAlchemyConfig,
        inputs: Mapping[str, Any] | None = None,
        output_schema_type: Any = FlyteSchema,
        **settings: Any,
    ) -> None:
        outputs = {} if output_schema_type is None else {"results": output_schema_type}
        super().__init__(name, query_template, task_config, inputs=inputs, outputs=outputs, **settings)

    def execute(self, **inputs: Any) -> Any:
        import sqlalchemy

        config = self.config
        secrets = alula.current_context().secrets
        hidden = {name: secrets.get(one.group, one.key) for name, one in (config.secret_connect_args or {}).items()}
        engine = sqlalchemy.create_engine(config.uri, connect_args={**(config.connect_args or {}), **hidden})
        query, names = self.bound_query(":{name}")
        bound = {name: inputs[name] for name in names}
        try:
            with engine.begin() as connection:
                if not self.python_interface.outputs:
                    connection.execute(sqlalchemy.text(query), bound)
                    return None
                import pandas as pd

                return pd.read_sql_query(sqlalchemy.text(query), connection, params=bound)
        finally:
            engine.dispose()
