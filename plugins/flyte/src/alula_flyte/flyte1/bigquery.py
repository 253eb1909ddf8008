"""``flytekitplugins.bigquery``: queries as tasks, with the parameters of Flyte 1."""

# ruff: noqa: N802, N803 - the names are Flyte's

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import alula_bigquery


class BigQueryConfig(alula_bigquery.BigQueryConfig):
    """Where the job of a `BigQueryTask` runs, and how, as `alula_bigquery.BigQueryConfig`.

    Args:
        ProjectID: The project that runs the job and pays for it.
        Location: Where the job runs; None where BigQuery finds the tables.
        QueryJobConfig: Everything else about the job. All of it counts, as it does not in Flyte.
        credentials: Secret with the credentials.
    """

    def __init__(
        self,
        ProjectID: str,
        Location: str | None = None,
        QueryJobConfig: Any = None,
        credentials: Any = None,
    ) -> None:
        super().__init__(project=ProjectID, location=Location, job_config=QueryJobConfig, credentials=credentials)

    @property
    def ProjectID(self) -> str | None:
        """The project."""
        return self.project

    @property
    def Location(self) -> str | None:
        """The location."""
        return self.location

    @property
    def QueryJobConfig(self) -> Any:
        """Everything else about the job."""
        return self.job_config


class BigQueryTask(alula_bigquery.BigQueryTask):
    """A query as a task, as `alula_bigquery.BigQueryTask`, with Flyte's names; its inputs need not be in the query.

    Args:
        name: Its name.
        query_template: The query, with inputs as ``@name``.
        task_config: Where and how the job runs.
        inputs: Python type of each input.
        output_structured_dataset_type: Type of the rows; None if the query is run for what it does.
        settings: Settings of the task.
    """

    takes_unused_inputs = True

    def __init__(
        self,
        name: str,
        query_template: str,
        task_config: alula_bigquery.BigQueryConfig,
        inputs: Mapping[str, Any] | None = None,
        output_structured_dataset_type: Any = None,
        **settings: Any,
    ) -> None:
        super().__init__(
            name, query_template, inputs, task_config, output_type=output_structured_dataset_type, **settings
        )
        self.query_template = query_template
