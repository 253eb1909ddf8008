"""Tasks of the tests, as a user's module has them."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pandas as pd
import polars as pl
from pyspark.ml import Pipeline, PipelineModel
from pyspark.ml.feature import StringIndexer
from pyspark.sql import DataFrame, SparkSession

import alula
from alula_spark import Spark

SMALL = {"spark.sql.shuffle.partitions": "2", "spark.default.parallelism": "2"}


def double(x: int) -> int:
    """Run on executors, which must find this module."""
    return 2 * x


# --- sessions ---


@alula.task(task_config=Spark(spark_conf={**SMALL, "spark.alula.test": "1"}, hadoop_conf={"alula.test": "2"}))
async def properties(names: list[str], told: str) -> int:
    """Tell the properties of the session and what it computes, and then fail on an executor."""
    own = alula.ctx().spark_session
    assert SparkSession.builder.getOrCreate() is own
    assert alula.ctx().data["spark_session"] is own
    context = own.sparkContext
    found = {
        **{name: own.conf.get(name, "") for name in names},
        "master": context.master,
        "doubled": context.parallelize(range(4)).map(double).sum(),
        "one more": await plus_one(number=own.range(4).groupBy().sum("id").first()[0]),
    }
    Path(told).write_text(json.dumps(found))

    def broken(x: int) -> int:
        raise ValueError(f"this row is broken: {x}")

    return int(context.parallelize([7], 1).map(broken).sum())


@alula.task
async def plus_one(number: int) -> int:
    return number + 1


@alula.task(task_config=Spark(spark_conf=SMALL))
def waits(folder: str) -> int:
    """Tell the processes of the job, and wait on executors until there is a file ``go``."""
    context = alula.ctx().spark_session.sparkContext
    for name, pid in (("driver", os.getpid()), ("java", context._gateway.proc.pid)):
        Path(folder, f"{name}-{pid}").touch()

    def slow(x: int) -> int:
        Path(folder, f"executor-{os.getpid()}").touch()
        end = time.monotonic() + 200
        while not Path(folder, "go").exists() and time.monotonic() < end:
            time.sleep(0.05)
        return x

    return int(context.parallelize(range(2), 2).map(slow).sum())


# --- data frames ---


@alula.task
def ages(frame: pd.DataFrame) -> int:
    return int(frame["age"].sum())


@alula.task
def frame_of_polars(count: int) -> pl.DataFrame:
    return pl.DataFrame({"name": ["n"] * count, "age": list(range(count)), "the score": [0.5] * count})


@alula.task
def plain_count(frame: DataFrame) -> int:
    return frame.count()


# --- clusters ---


@alula.task(task_config=Spark(spark_conf=SMALL))
def on_a_cluster(frame: DataFrame) -> tuple[str, list[int], DataFrame, PipelineModel]:
    """Return the master, the processes that start those of executors, rows made on them, and a model."""
    spark = alula.ctx().spark_session
    parents = spark.sparkContext.parallelize(range(4), 2).map(lambda x: (double(x), os.getppid())).collect()
    assert sorted(x for x, _ in parents) == [0, 2, 4, 6]
    model = Pipeline(stages=[StringIndexer(inputCol="name", outputCol="index")]).fit(frame)
    return spark.sparkContext.master, [pid for _, pid in parents], frame.repartition(2).orderBy("age"), model
