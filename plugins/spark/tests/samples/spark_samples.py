"""Tasks of the tests, as a user's module has them."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Annotated

import pandas as pd
import polars as pl
from pyspark.sql import DataFrame, SparkSession

import alula
from alula import NonRecoverableError
from alula_spark import Spark

SMALL = {"spark.sql.shuffle.partitions": "2", "spark.default.parallelism": "2"}


def double(x: int) -> int:
    """Run on executors, which must find this module."""
    return 2 * x


# --- the kinds of the conformance suite; none of them asks for a session ---


@alula.task(task_config=Spark())
def add(a: int, b: int) -> int:
    return a + b


@alula.task(task_config=Spark())
def echo(value: str) -> str:
    return value


@alula.task(task_config=Spark())
def fail(message: str) -> str:
    raise ValueError(message)


@alula.task(task_config=Spark())
def give_up(message: str) -> str:
    raise NonRecoverableError(message)


@alula.task(task_config=Spark())
def leave(code: int) -> str:
    sys.exit(code)


@alula.task(task_config=Spark())
def die() -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return ""


@alula.task(task_config=Spark())
def sleep(seconds: float) -> str:
    time.sleep(seconds)
    return "slept"


@alula.task(task_config=Spark())
def append(path: str, text: str) -> str:
    with open(path, "a") as file:
        file.write(text)
    return text


@alula.task(task_config=Spark())
def print_text(text: str) -> str:
    print(text)
    return text


@alula.task(task_config=Spark())
def environment(name: str) -> str:
    return os.environ.get(name, "")


# --- sessions ---


@alula.task(task_config=Spark(spark_conf={**SMALL, "spark.alula.test": "1"}, hadoop_conf={"alula.test": "2"}))
def properties(names: list[str]) -> dict[str, str]:
    own = alula.ctx().spark_session
    assert SparkSession.builder.getOrCreate() is own
    assert alula.ctx().data["spark_session"] is own
    found = {name: own.conf.get(name, "") for name in names}
    context = own.sparkContext
    return {**found, "master": context.master, "doubled": str(context.parallelize(range(4)).map(double).sum())}


@alula.task(task_config=Spark(spark_conf=SMALL))
async def async_total(count: int) -> int:
    total = alula.ctx().spark_session.range(count).groupBy().sum("id").first()[0]
    return int(await plus_one(number=total))


@alula.task
async def plus_one(number: int) -> int:
    return number + 1


@alula.task(task_config=Spark(spark_conf=SMALL))
def fails_on_an_executor(value: int) -> int:
    def broken(x: int) -> int:
        raise ValueError(f"this row is broken: {x}")

    return int(alula.ctx().spark_session.sparkContext.parallelize([value], 1).map(broken).sum())


def _wait(folder: str) -> int:
    context = alula.ctx().spark_session.sparkContext
    Path(folder, "java").write_text(str(context._gateway.proc.pid))

    def slow(x: int) -> int:
        Path(folder, f"executor-{os.getpid()}").touch()
        end = time.monotonic() + 100
        while not Path(folder, "go").exists() and time.monotonic() < end:
            time.sleep(0.05)
        return x

    return int(context.parallelize(range(2), 2).map(slow).sum())


@alula.task(task_config=Spark(spark_conf=SMALL))
def waits(folder: str) -> int:
    return _wait(folder)


# --- data frames ---


@alula.task(task_config=Spark(spark_conf=SMALL))
def people(partitions: int) -> DataFrame:
    rows = [("Alice", 5, 1.5), ("Bob", 10, None), ("Carol", 15, 2.5)]
    made = alula.ctx().spark_session.createDataFrame(rows, "name string, age int, `the score` double")
    return made.repartition(partitions)


@alula.task
def ages(frame: pd.DataFrame) -> int:
    assert str(frame["age"].dtype) == "int32"
    return int(frame["age"].sum())


@alula.task
def frame_of_polars(count: int) -> pl.DataFrame:
    return pl.DataFrame({"name": ["n"] * count, "age": list(range(count)), "the score": [0.5] * count})


@alula.task(task_config=Spark(spark_conf=SMALL))
def subset(frame: Annotated[DataFrame, alula.kwtypes(age=int)]) -> tuple[list[str], int]:
    return frame.columns, int(frame.groupBy().sum("age").first()[0])


@alula.task
def plain_count(frame: DataFrame) -> int:
    return frame.count()


@alula.workflow
def through_libraries() -> tuple[int, int]:
    frame = people(partitions=2)
    return ages(frame=frame), plain_count(frame=frame)
