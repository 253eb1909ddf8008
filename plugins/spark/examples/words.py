"""Count words with Spark, and show the most frequent ones with pandas."""

from __future__ import annotations

import pandas as pd
from pyspark.sql import DataFrame

import alula
from alula_spark import Spark


@alula.task(task_config=Spark(spark_conf={"spark.sql.shuffle.partitions": "2"}))
def count_words(text: str) -> DataFrame:
    """Return how often each word is in a text."""
    from pyspark.sql import functions as f

    spark = alula.ctx().spark_session
    words = spark.createDataFrame([(text,)], ["text"]).select(f.explode(f.split(f.lower("text"), r"\W+")).alias("word"))
    return words.where("word <> ''").groupBy("word").count()


@alula.task
def most_frequent(counts: pd.DataFrame, number: int) -> list[str]:
    """Return the most frequent words, those of the same frequency by name."""
    return list(counts.sort_values(["count", "word"], ascending=[False, True])["word"][:number])


@alula.workflow
def words(text: str = "to be or not to be that is the question", number: int = 2) -> list[str]:
    """Return the most frequent words of a text."""
    return most_frequent(counts=count_words(text=text), number=number)
