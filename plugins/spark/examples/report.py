"""Totals of shops with Spark, and the best of them with pandas: ``alula run report.py report --count 30``."""

import pandas as pd
from pyspark.sql import DataFrame

import alula
from alula_spark import Spark


@alula.task(task_config=Spark(spark_conf={"spark.sql.shuffle.partitions": "2"}))
def sales(count: int) -> DataFrame:
    """Return what each shop sold."""
    spark = alula.ctx().spark_session
    sold = spark.range(count).selectExpr("id % 3 AS shop", "id AS amount")
    return sold.groupBy("shop").sum("amount").orderBy("shop")


@alula.task(cache=True)
def best(totals: pd.DataFrame) -> int:
    """Return the shop that sold most."""
    return int(totals.sort_values("sum(amount)")["shop"].iloc[-1])


@alula.workflow
def report(count: int = 9) -> int:
    """Return the best of all shops."""
    return best(totals=sales(count=count))
