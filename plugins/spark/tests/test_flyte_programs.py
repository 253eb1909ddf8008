"""Programs written for Flyte find their Spark session, in both generations."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import alula
from alula.errors import UsageError
from alula_flyte.flyte1 import spark as first
from alula_flyte.flyte2 import spark as second
from alula_spark.masters import on_this_machine, properties_of

_FLYTE_1 = """
import flytekit
import pandas as pd
from flytekit import Resources, StructuredDataset, kwtypes, task, workflow
from flytekitplugins.spark import Spark, new_spark_session
from flytekitplugins.spark.sd_transformers import ParquetToSparkDecodingHandler
from typing_extensions import Annotated

columns = kwtypes(n=int)

@task(
    task_config=Spark(spark_conf={"spark.default.parallelism": "2"}),
    requests=Resources(cpu="640"),
    cache_version="2",
)
def squares(count: int) -> Annotated[StructuredDataset, columns]:
    session = new_spark_session("own", {"spark.default.parallelism": "3"})
    assert session.sparkContext.defaultParallelism == 3
    assert session.sparkContext.appName == "FlyteSpark: own"
    assert flytekit.current_context().spark_session is session
    return StructuredDataset(dataframe=session.range(count).selectExpr("id * id AS n"))

@task
def total(frame: Annotated[StructuredDataset, columns]) -> int:
    return int(frame.open(pd.DataFrame).all()["n"].sum())

@workflow
def flow(count: int = 4) -> int:
    return total(frame=squares(count=count))

if __name__ == "__main__":
    print("sum", flow())
"""

_FLYTE_2 = """
import flyte
from flyte._context import internal_ctx
from flyteplugins.spark import Spark

plain = flyte.TaskEnvironment(name="plain")
image = flyte.Image.from_base("apache/spark-py:v3.4.0").clone(name="spark", python_version=(3, 9))
conf = {"spark.app.name": "own", "spark.jars": "https://repository.invalid/connector.jar"}
spark = flyte.TaskEnvironment(
    name="spark",
    plugin_config=Spark(spark_conf=conf),
    image=image,
    resources=flyte.Resources(cpu=(640, 640)),
    depends_on=[plain],
)

def double(x):
    return 2 * x

@plain.task
async def add_one(x: int) -> int:
    return x + 1

@spark.task
async def total(count: int) -> int:
    session = flyte.ctx().data["spark_session"]
    assert internal_ctx().data.task_context.data["spark_session"] is session
    assert session.sparkContext.appName == "own"
    return await add_one(session.sparkContext.parallelize(range(count), 2).map(double).sum())
"""

_SCHEMAS = """
from typing import Annotated

import flyte
import pandera.typing.pyspark_sql as pt
from flyteplugins.pandera import ValidationConfig
from flyteplugins.spark import Spark
from pandera.pyspark import DataFrameModel, Field

env = flyte.TaskEnvironment("frames", plugin_config=Spark())


class People(DataFrameModel):
    number: int = Field(ge=0)
    name: str = Field()


@env.task
async def keep(df: Annotated[pt.DataFrame[People], ValidationConfig(on_error="warn")]) -> pt.DataFrame[People]:
    return df


@env.task
async def main() -> list[str]:
    session = flyte.ctx().data["spark_session"]
    people = await keep(session.createDataFrame([(1, "Ada")], "number int, name string"))
    told = [str(people.count())]
    try:
        await keep(people.drop("name"))
    except Exception as problem:
        told.append(str(problem))
    return told


if __name__ == "__main__":
    print(*flyte.run(main).outputs()[0], sep=chr(10))
"""


def printed(folder: Path, program: str, *command: str) -> str:
    (folder / "program.py").write_text(program)
    done = subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env={**os.environ, "ALULA_HOME": str(folder / "home")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_flyte_1(tmp_path: Path) -> None:
    assert printed(tmp_path, _FLYTE_1, "alula_flyte", "program.py").splitlines()[-1] == "sum 14"


def test_flyte_2_as_a_module_that_executors_import(tmp_path: Path) -> None:
    command = ("alula", "run", "--flyte", "--output", "json", "program.py", "total", "--count", "4")
    assert list(json.loads(printed(tmp_path, _FLYTE_2, *command))["outputs"].values()) == [13]


def test_frames_are_checked_against_their_schema(tmp_path: Path) -> None:
    count, refused, *_ = printed(tmp_path, _SCHEMAS, "alula_flyte", "program.py").splitlines()
    assert count == "1"
    assert refused.startswith("output 'o0' of task frames.keep: the data frame does not fit the schema People: {")
    assert "column 'name' not in dataframe" in refused


def work(x: int) -> int:
    return x


def spec(config: Any) -> Any:
    task = alula.task(work, task_config=config, requests=alula.Resources(cpu="640"), container_image="apache/spark")
    return task.spec(alula.current_app())


def test_what_describes_a_cluster_counts_on_clusters_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    conf = {"spark.jars": "/here.jar,s3a://b/x.jar", "spark.files": "file:///a", "spark.jars.packages": "a:b:1"}
    task = spec(second.Spark(spark_conf=conf))
    here = on_this_machine(task)
    assert (here.resources, here.image) == (None, "")
    found = properties_of(here)
    assert found["spark.master"] == "local[*]"
    assert found["spark.files"] == "file:///a"
    assert {"spark.jars", "spark.jars.packages"}.isdisjoint(found)
    assert properties_of(on_this_machine(spec(first.Spark(spark_conf=conf))))["spark.jars.packages"] == "a:b:1"
    monkeypatch.setenv("ALULA_SPARK_MASTER", "spark://far:7077")
    assert on_this_machine(task) == task
    assert properties_of(task)["spark.jars"] == conf["spark.jars"]


@pytest.mark.parametrize("config", [first.Databricks, first.DatabricksV2, second.Databricks])
def test_jobs_of_databricks_run_here(config: Any, caplog: pytest.LogCaptureFixture) -> None:
    made = config(spark_conf={"spark.a": "1"}, databricks_conf={"run_name": "job"}, databricks_instance="x")
    assert "Databricks is not asked" in caplog.text
    assert properties_of(on_this_machine(spec(made)))["spark.a"] == "1"
    assert config().spark_conf == {}


def test_a_notebook_on_databricks_is_refused() -> None:
    with pytest.raises(UsageError, match="the notebook /Users/me/x is on Databricks"):
        first.DatabricksV2(notebook_path="/Users/me/x")
