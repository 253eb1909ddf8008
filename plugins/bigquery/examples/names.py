"""The most popular names of a state, by BigQuery: `alula run names.py popular --state TX`.

The query runs in BigQuery, on a public data set; its rows go on to a Python task. Credentials are those of
`gcloud auth application-default login`, and the variable ALULA_BIGQUERY_PROJECT names the project that pays.
"""

from __future__ import annotations

import pandas as pd
from google.cloud.bigquery import QueryJobConfig

from alula import task, workflow
from alula_bigquery import BigQueryConfig, BigQueryTask

top = BigQueryTask(
    name="top",
    query="""
        SELECT name, SUM(number) AS total
        FROM `bigquery-public-data.usa_names.usa_1910_2013`
        WHERE state = @state AND year >= @since
        GROUP BY name
        ORDER BY total DESC
        LIMIT 10
    """,
    inputs={"state": str, "since": int},
    task_config=BigQueryConfig(location="US", job_config=QueryJobConfig(maximum_bytes_billed=200_000_000)),
    output_type=pd.DataFrame,
    cache=True,
    timeout=300,
)


@task
def describe(names: pd.DataFrame) -> str:
    """Say which name leads, and by how much."""
    first, second = names["name"][:2]
    lead = names["total"][0] - names["total"][1]
    return f"{first} leads before {second} by {lead:,}"


@workflow
def popular(state: str = "TX", since: int = 1980) -> str:
    """Say which name leads.

    Args:
        state: The state, by its two letters.
        since: First year that counts.
    """
    return describe(names=top(state=state, since=since))


if __name__ == "__main__":
    print(popular())  # noqa: T201
