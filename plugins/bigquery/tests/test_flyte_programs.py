"""Programs written for Flyte, of both generations, with its names for BigQuery."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import uuid
from pathlib import Path

import pytest
from service import Service

from alula_bigquery import BigQueryTask

FLYTE_1 = """
    import json

    import pandas as pd
    from flytekit import StructuredDataset, kwtypes, task, workflow
    from flytekitplugins.bigquery import BigQueryConfig, BigQueryTask
    from google.cloud.bigquery import QueryJobConfig
    from typing_extensions import Annotated

    Sales = Annotated[StructuredDataset, kwtypes(shop=str, amount=int)]
    warehouse = BigQueryConfig(ProjectID="tests", Location="US", QueryJobConfig=QueryJobConfig(use_query_cache=False))
    nothing = BigQueryTask(name="demo.nothing", query_template="SELECT 1", task_config=warehouse)
    large = BigQueryTask(
        name="demo.large",
        inputs=kwtypes(least=int, shops=list[str], unused=str),
        output_structured_dataset_type=Sales,
        task_config=warehouse,
        query_template=\"\"\"
            SELECT * FROM DATASET.sales -- 'of @nobody'
            WHERE amount >= @least AND shop IN UNNEST(@shops) ORDER BY amount
        \"\"\",
    )

    @task
    def to_frame(rows: Sales) -> pd.DataFrame:
        return rows.open(pd.DataFrame).all()

    @task
    def keep(frame: pd.DataFrame) -> StructuredDataset:
        return StructuredDataset(dataframe=frame, uri="bq://tests:DATASET.kept")

    @task
    def count(kept: pd.DataFrame) -> int:
        return len(kept)

    @workflow
    def flow(least: int) -> tuple[pd.DataFrame, int]:
        nothing()
        frame = to_frame(rows=large(least=least, shops=["Oslo", "Bonn"], unused="x"))
        return frame, count(kept=keep(frame=frame))

    if __name__ == "__main__":
        frame, number = flow(least=2)
        print(json.dumps([frame.to_dict("list"), number, large.name, warehouse.ProjectID]))
"""

FLYTE_2 = """
    import json

    import flyte
    import pandas as pd
    from flyte.io import DataFrame
    from flyteplugins.bigquery import BigQueryConfig, BigQueryTask

    large = BigQueryTask(
        name="large",
        inputs={"least": int, "unused": int},
        output_dataframe_type=DataFrame,
        plugin_config=BigQueryConfig(ProjectID="tests"),
        query_template="SELECT shop, amount FROM DATASET.sales WHERE amount >= @least ORDER BY amount",
        google_application_credentials="warehouse",
    )
    flyte.TaskEnvironment.from_task("large_env", large)
    env = flyte.TaskEnvironment("own")

    @env.task
    async def total(least: int) -> int:
        rows = await large(least=least, unused=0)
        frame = await rows.open(pd.DataFrame).all()
        return int(frame["amount"].sum())

    if __name__ == "__main__":
        flyte.init()
        run = flyte.with_runcontext(mode="local").run(large, 2, 0)
        frame = run.outputs()[0].open(pd.DataFrame).all()
        print(json.dumps([frame.to_dict("list"), flyte.run(total, least=2).outputs()[0]]))
"""


@pytest.fixture
def dataset(service: Service) -> str:
    """The name of a dataset with a table of sales."""
    name = f"set_{uuid.uuid4().hex[:8]}"
    BigQueryTask("make", f"CREATE SCHEMA {name}")()
    rows = "('Oslo', 1), ('Oslo', 2), ('Bonn', 3)"
    BigQueryTask(
        "fill", f"CREATE TABLE {name}.sales AS SELECT * FROM UNNEST(ARRAY<STRUCT<shop STRING, amount INT64>>[{rows}])"
    )()
    return name


def run(program: str, dataset: str, folder: Path) -> object:
    (folder / "program.py").write_text(textwrap.dedent(program).replace("DATASET", dataset))
    done = subprocess.run(
        [sys.executable, "-m", "alula_flyte", "program.py"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_flyte_1(service: Service, dataset: str, tmp_path: Path) -> None:
    rows, number, name, project = run(FLYTE_1, dataset, tmp_path)  # type: ignore[misc]
    assert rows == {"shop": ["Oslo", "Bonn"], "amount": [2, 3]}
    assert (number, name, project) == (2, "demo.large", "tests")
    job = service.configuration(marked=f"FROM {dataset}.sales -- 'of @nobody'")["query"]
    assert job["useQueryCache"] is False
    assert [parameter["name"] for parameter in job["queryParameters"]] == ["least", "shops"]


def test_flyte_2(service: Service, dataset: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALULA_SECRET_WAREHOUSE", "an emulator takes anything")
    assert run(FLYTE_2, dataset, tmp_path) == [{"shop": ["Oslo", "Bonn"], "amount": [2, 3]}, 5]
