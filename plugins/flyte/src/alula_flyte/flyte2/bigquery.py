"""``flyteplugins.bigquery``: queries as tasks, with the parameters of Flyte 2."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import alula_bigquery


class BigQueryTask(alula_bigquery.BigQueryTask):
    """A query as a task, as `alula_bigquery.BigQueryTask`, with Flyte's names; its inputs need not be in the query.

    Args:
        name: Its name.
        query_template: The query, with inputs as ``@name``.
        plugin_config: Where and how the job runs.
        inputs: Python type of each input.
        output_dataframe_type: Type of the rows; None if the query is run for what it does.
        google_application_credentials: Key of the secret with the credentials, as the JSON of a key file.
        settings: Settings of the task.
    """

    takes_unused_inputs = True

    def __init__(
        self,
        name: str,
        query_template: str,
        plugin_config: alula_bigquery.BigQueryConfig,
        inputs: Mapping[str, Any] | None = None,
        output_dataframe_type: Any = None,
        google_application_credentials: str | None = None,
        **settings: Any,
    ) -> None:
        given = {field.name: getattr(plugin_config, field.name) for field in dataclasses.fields(plugin_config)}
        if google_application_credentials is not None:
            given["credentials"] = google_application_credentials
        config = alula_bigquery.BigQueryConfig(**given)
        super().__init__(name, query_template, inputs, config, output_type=output_dataframe_type, **settings)
        self.query_template = query_template
        self.plugin_config = plugin_config
        self.google_application_credentials = google_application_credentials
