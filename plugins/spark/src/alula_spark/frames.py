"""Spark's data frames as values of tasks, stored as data frames of every other library are."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import alula
from alula_kernel.contracts import ConversionContext
from alula_kernel.errors import ValueConversionError
from alula_kernel.literals import Dataset

from .masters import is_local
from .plugin import DATA_FRAMES
from .session import session

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

_FOREIGN = re.compile(r"\[ns|time32|time64|duration|halffloat|null")
"""Types of Arrow, as text, that Spark does not read from Parquet as Arrow does."""


class SparkFrameEncoder(alula.DataFrameEncoder["DataFrame"]):
    """Stores a data frame as Alula stores those of all libraries: the same rows in the same order are the same bytes.

    What Spark writes itself depends on how the rows lie in partitions, and on the process. On this machine it writes
    its partitions to a folder, and they are read in their order. On a cluster, whose executors write to disks of their
    own, the rows go through the driver.
    """

    def __init__(self) -> None:
        super().__init__(DATA_FRAMES[0])

    def encode(self, frame: DataFrame, target: alula.FrameTarget) -> Dataset:
        """Compute and store a data frame.

        Raises:
            ValueConversionError: The format cannot hold it, or a declared column is missing.
            StorageError: It cannot be written.
        """
        wanted = [column.name for column in target.columns]
        missing = [name for name in wanted if name not in frame.columns]
        if missing:
            raise ValueConversionError(
                f"the data frame has no column {missing[0]!r}",
                hint=f"It has {', '.join(frame.columns) or 'no columns'}.",
            )
        chosen = frame.select(*(_quoted(name) for name in wanted)) if wanted else frame
        with contextlib.ExitStack() as stack:
            rows: Any
            if chosen.columns and is_local(str(chosen.sparkSession.sparkContext.master)):
                rows = stack.enter_context(_partitions(chosen))
            else:
                rows = chosen.toArrow()
            stored = alula.DataFrame(rows, target.uri or None, target.metadata, target.format)
            return stored.store(ConversionContext(target.storage), target.format, target.columns)


@contextlib.contextmanager
def _partitions(frame: DataFrame) -> Iterator[Any]:
    """Compute a data frame, and give its rows as a stream of Arrow's batches."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = frame.limit(0).toArrow().schema
    with tempfile.TemporaryDirectory(prefix="alula-spark-") as folder:
        with _exact_times(frame.sparkSession):
            frame.write.mode("overwrite").parquet(f"file://{folder}/frame")
        # Spark numbers the files by partition, with more digits than it has partitions.
        parts = sorted(name for name in os.listdir(f"{folder}/frame") if name.endswith(".parquet"))

        def batches() -> Iterator[Any]:
            for name in parts:
                with pq.ParquetFile(f"{folder}/frame/{name}") as file:
                    for batch in file.iter_batches():
                        yield batch.cast(schema)

        yield pa.RecordBatchReader.from_batches(schema, batches())


@contextlib.contextmanager
def _exact_times(spark: SparkSession) -> Iterator[None]:
    """Have points in time written as Arrow has them: Spark's own form for them ends in the year 2262."""
    name = "spark.sql.parquet.outputTimestampType"
    before = spark.conf.get(name)
    spark.conf.set(name, "TIMESTAMP_MICROS")
    try:
        yield
    finally:
        spark.conf.set(name, str(before))


class SparkFrameDecoder(alula.DataFrameDecoder["DataFrame"]):
    """Reads data frames into the session of the attempt; Parquet files on the local disk are read by Spark itself."""

    def __init__(self) -> None:
        super().__init__(DATA_FRAMES[0])

    def decode(self, dataset: Dataset, source: alula.FrameSource) -> DataFrame:
        """Make a data frame of a stored one.

        Raises:
            ValueConversionError: A column is missing, or the bytes are not of the format.
            StorageError: It cannot be read.
        """
        spark = session()
        path = source.storage.local_path(dataset.uri)
        if path is not None and _read_by_spark(dataset) and is_local(str(spark.sparkContext.master)):
            frame = spark.read.parquet(_glob_free(path))
            # pandas keeps an index without a name in a column of its own, which is none of the frame's
            wanted = source.columns or tuple(column.name for column in dataset.columns)
        else:
            import pyarrow as pa

            frame = spark.createDataFrame(alula.DataFrame.from_dataset(dataset, source.storage).open(pa.Table).all())
            wanted = source.columns
        missing = [name for name in wanted if name not in frame.columns]
        if missing:
            raise ValueConversionError(
                f"the stored data frame has no column {missing[0]!r}",
                hint=f"It has {', '.join(frame.columns) or 'no columns'}.",
            )
        return frame.select(*(_quoted(name) for name in wanted)) if wanted else frame


def _read_by_spark(dataset: Dataset) -> bool:
    """Tell whether Spark reads the stored bytes as what they are; it refuses nanoseconds, and takes durations for numbers."""
    return dataset.format == "parquet" and not any(_FOREIGN.search(column.type) for column in dataset.columns)


def _quoted(name: str) -> str:
    """Return a name as Spark takes it for a column, whatever characters are in it."""
    return "`" + name.replace("`", "``") + "`"


def _glob_free(path: str) -> str:
    return "file://" + "".join(f"\\{letter}" if letter in "*?[]{}\\" else letter for letter in path)


def frame_transformer() -> alula.FrameTransformer:
    """Make the type transformer of Spark's data frames."""
    aliases: dict[str, Any] = dict.fromkeys(DATA_FRAMES[1:], DATA_FRAMES[0])
    handlers = alula.DataFrameHandlers([SparkFrameEncoder(), SparkFrameDecoder()], aliases)
    return alula.FrameTransformer("spark-dataframe", DATA_FRAMES, handlers)
