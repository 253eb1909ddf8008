"""Data frames and models of Spark as values: what is stored, and what comes back."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any

import pandas as pd
import pyarrow as pa
import pytest
from pyspark.ml import Model, PipelineModel
from pyspark.sql import DataFrame

import alula
from alula.errors import ValueConversionError
from alula_kernel.contracts import ConversionContext, TypeTransformer
from alula_kernel.errors import UnsupportedTypeError
from alula_kernel.literals import Dataset, content_hash
from alula_kernel.registry import TypeRegistry
from alula_kernel.testing import Sample, TypeTransformerConformance
from alula_spark.plugin import SparkFrameTransformer, SparkModelTransformer

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_SCHEMA = "name string, age int, `the score` double, tags array<string>, at timestamp, day date, price decimal(10, 2)"
_ROWS = [
    (
        f"n{number}",
        None if number % 3 == 0 else number,
        number / 2,
        ["<b>", None] if number % 2 else None,
        dt.datetime(1500 + number, 1, 2, 3, 4, 5, 678, tzinfo=dt.timezone.utc),
        dt.date(1970, 1, 1) + dt.timedelta(number),
        decimal.Decimal(number),
    )
    for number in range(40)
]


@pytest.fixture
def context() -> ConversionContext:
    return ConversionContext(alula.current_app().storage)


def stored(value: Any, context: ConversionContext, annotation: Any = DataFrame) -> Any:
    return alula.current_app().registry.converter(annotation).to_literal(value, context)


def loaded(literal: Any, context: ConversionContext, annotation: Any = DataFrame) -> Any:
    return alula.current_app().registry.converter(annotation).to_python(literal, context)


class TestFrames(TypeTransformerConformance):
    """The suite's scenarios T01, T02 ... are in Alula's documentation."""

    is_builtin = True  # found by its entry point
    takes_plain = False
    takes_text = False
    values_are_shared = False

    @pytest.fixture
    def type_registry(self) -> TypeRegistry:
        return alula.current_app().registry

    @pytest.fixture
    def transformer(self, spark: SparkSession) -> TypeTransformer:
        return SparkFrameTransformer()

    @pytest.fixture
    def samples(self, spark: SparkSession) -> Sequence[Sample]:
        return [
            Sample(DataFrame, spark.createDataFrame(_ROWS, _SCHEMA)),
            Sample(DataFrame, spark.range(0)),
        ]

    def is_same(self, first: Any, second: Any) -> bool:
        return bool(first.schema == second.schema and first.collect() == second.collect())


def test_how_rows_lie_in_partitions_does_not_count(spark: SparkSession, context: ConversionContext) -> None:
    one = spark.createDataFrame(_ROWS, _SCHEMA).coalesce(1)
    four = spark.createDataFrame(spark.sparkContext.parallelize(_ROWS, 4), _SCHEMA)
    assert four.rdd.getNumPartitions() == 4
    literals = [stored(frame, context) for frame in (one, four)]
    assert literals[0] == literals[1]
    assert literals[0].rows == 40
    assert [row["name"] for row in loaded(literals[1], context).collect()] == [row[0] for row in _ROWS]
    assert stored(one.orderBy("price", ascending=False), context).hash != literals[0].hash, "the order of rows counts"


def test_the_same_rows_of_another_library_are_the_same_value(spark: SparkSession, context: ConversionContext) -> None:
    frame = spark.createDataFrame(_ROWS, _SCHEMA)
    of_spark, of_arrow = stored(frame, context), stored(frame.toArrow(), context, pa.Table)
    assert of_spark.hash == of_arrow.hash
    assert of_spark.columns == of_arrow.columns


def test_what_came_from_a_value_is_that_value(spark: SparkSession, context: ConversionContext) -> None:
    first = stored(spark.createDataFrame(_ROWS, _SCHEMA), context)
    assert stored(loaded(first, context), context) == first


def test_a_hash_method_decides_what_is_the_same(spark: SparkSession, context: ConversionContext) -> None:
    annotation = Annotated[DataFrame, alula.HashMethod(lambda frame: str(frame.count()))]
    literals = [stored(spark.range(start, start + 3), context, annotation) for start in (0, 5)]
    assert content_hash(literals[0]) == content_hash(literals[1])


def test_columns_that_are_declared(spark: SparkSession, context: ConversionContext) -> None:
    frame = spark.createDataFrame(_ROWS, _SCHEMA)
    narrow = Annotated[DataFrame, alula.kwtypes(**{"the score": float})]
    literal = stored(frame, context, narrow)
    assert [column.name for column in literal.columns] == ["the score"]
    assert loaded(stored(frame, context), context, narrow).columns == ["the score"]
    with pytest.raises(ValueConversionError, match="has no column 'nothing'"):
        stored(frame, context, Annotated[DataFrame, alula.kwtypes(nothing=int)])
    with pytest.raises(ValueConversionError, match="column 'age' is missing"):
        loaded(literal, context, Annotated[DataFrame, alula.kwtypes(age=int)])


def test_other_formats_and_places(spark: SparkSession, context: ConversionContext, tmp_path: Path) -> None:
    frame = spark.range(3)
    literal = stored(frame, context, Annotated[DataFrame, "csv"])
    assert literal.format == "csv"
    assert loaded(literal, context).count() == 3
    target = alula.DataFrame(frame, uri=str(tmp_path / "kept.parquet"))
    assert stored(target, context, alula.DataFrame).uri == (tmp_path / "kept.parquet").as_uri()
    assert pd.read_parquet(tmp_path / "kept.parquet")["id"].tolist() == [0, 1, 2]


def test_frames_that_spark_could_not_read_itself(spark: SparkSession, context: ConversionContext) -> None:
    indexed = pd.DataFrame({"n": [1, 2]}, index=[5, 7])
    assert loaded(stored(indexed, context, pd.DataFrame), context).columns == ["n"]
    table = pa.table({"at": pa.array([1_000], pa.timestamp("ns", "UTC")), "took": pa.array([7], pa.duration("us"))})
    (row,) = loaded(stored(table, context, pa.Table), context).collect()
    assert row["took"] == dt.timedelta(microseconds=7)


def test_a_folder_of_parquet_files_is_read(spark: SparkSession, context: ConversionContext, tmp_path: Path) -> None:
    folder = tmp_path / "odd [name] {x}"
    spark.range(5).repartition(2).write.parquet(f"file://{folder}")
    assert loaded(Dataset(folder.as_uri()), context).count() == 5


def test_plain_tasks_share_the_session_of_the_process(spark: SparkSession, samples: ModuleType) -> None:
    @alula.workflow
    def flow() -> tuple[int, int]:
        frame = samples.frame_of_polars(count=4)
        return samples.plain_count(frame=frame), samples.plain_count(frame=frame)

    assert tuple(flow()) == (4, 4)
    assert spark.range(2).count() == 2, "it was there before them, and is after them"


def trained(spark: SparkSession) -> PipelineModel:
    from pyspark.ml import Pipeline
    from pyspark.ml.feature import StringIndexer

    return Pipeline(stages=[StringIndexer(inputCol="name", outputCol="index")]).fit(
        spark.createDataFrame(_ROWS, _SCHEMA)
    )


def test_a_model_is_a_value(spark: SparkSession, context: ConversionContext) -> None:
    model = trained(spark)
    literal = stored(model, context, PipelineModel)
    assert (literal.directory, literal.format) == (True, "spark-ml")
    again = loaded(literal, context, PipelineModel)
    assert again.uid == model.uid
    assert again.stages[0].labels == model.stages[0].labels
    with pytest.raises(ValueConversionError, match="PipelineModel"):
        stored("text", context, PipelineModel)


def test_a_hash_method_decides_what_model_is_the_same(spark: SparkSession, context: ConversionContext) -> None:
    model = trained(spark)
    annotation = Annotated[PipelineModel, alula.HashMethod(lambda model: model.uid)]
    assert content_hash(stored(model, context, annotation)) == content_hash(stored(model, context, annotation))


def test_a_class_of_models_that_cannot_be_loaded_is_refused(type_registry: TypeRegistry) -> None:
    type_registry.register(SparkModelTransformer())
    with pytest.raises(UnsupportedTypeError, match="the class of the model itself"):
        type_registry.converter(Model)
