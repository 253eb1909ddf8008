"""What the plugin registers with Alula."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from alula_kernel.contracts import Converter, TaskExecutor, TaskType, TypeRequest, TypeTransformer
from alula_kernel.hookspecs import hookimpl

DATA_FRAMES = (
    "pyspark.sql.dataframe.DataFrame",
    "pyspark.sql.classic.dataframe.DataFrame",
)
"""The classes of Spark's data frames, by name, so that pyspark is not imported for a program without any."""


@hookimpl
def alula_task_types() -> Sequence[TaskType]:
    """Register the task type ``spark``, chosen by `Spark`."""
    return [
        TaskType(
            name="spark",
            config="alula_spark.config.Spark",
            task_class="alula_spark.task.SparkTask",
            executor="spark",
            description="Functions with a Spark session of their own",
        ),
    ]


@hookimpl
def alula_task_executors() -> Sequence[TaskExecutor]:
    """Register the executor ``spark``, which starts drivers on this machine."""
    from .executor import SparkExecutor

    return [SparkExecutor()]


class SparkFrameTransformer(TypeTransformer):
    """Makes converters of Spark's data frames; what it needs is imported when the first one is asked for."""

    name = "spark-dataframe"
    python_types = DATA_FRAMES

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Make the converter of a data frame."""
        from .frames import frame_transformer

        return frame_transformer().converter(request)


class SparkModelTransformer(TypeTransformer):
    """Makes converters of Spark's models; what it needs is imported when the first one is asked for."""

    name = "spark-model"
    python_types = ("pyspark.ml.base.Model",)

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Make the converter of a model.

        Raises:
            UnsupportedTypeError: Spark cannot load models of the class.
        """
        from .models import model_converter

        return model_converter(request)


@hookimpl
def alula_type_transformers() -> Sequence[TypeTransformer]:
    """Register the transformers of Spark's data frames and models."""
    return [SparkFrameTransformer(), SparkModelTransformer()]
