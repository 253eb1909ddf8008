"""Spark's data frames as values of tasks: written by Spark as Parquet, or by way of Arrow in other formats."""

from __future__ import annotations

import os
import tempfile
from typing import TYPE_CHECKING, Any

import alula
from alula_kernel.contracts import ConversionContext
from alula_kernel.errors import ValueConversionError
from alula_kernel.literals import Dataset

from .masters import is_local
from .plugin import DATA_FRAMES
from .session import session

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


class SparkFrameEncoder(alula.DataFrameEncoder["DataFrame"]):
    """Stores a data frame.

    On this machine Spark writes it as a folder of Parquet files, one for each partition. On a cluster, whose executors
    write to disks of their own, the rows go through the driver.
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
        if target.format != "parquet" or target.uri or not is_local(frame.sparkSession.sparkContext.master):
            stream = alula.DataFrame(chosen.toArrow(), target.uri or None, target.metadata, target.format)
            return stream.store(ConversionContext(target.storage), target.format, target.columns)
        with tempfile.TemporaryDirectory(prefix="alula-spark-") as folder:
            chosen.write.mode("overwrite").parquet(f"file://{folder}/{target.name}")
            return self._kept(f"{folder}/{target.name}", target, chosen)

    def _kept(self, folder: str, target: alula.FrameTarget, frame: DataFrame) -> Dataset:
        import pyarrow.parquet as pq

        parts = sorted(name for name in os.listdir(folder) if name.endswith(".parquet"))
        for name in os.listdir(folder):
            if name not in parts:
                os.unlink(os.path.join(folder, name))
        rows = 0
        for number, name in enumerate(parts):  # Spark's names have a random part, and names count for the hash
            path = os.path.join(folder, f"part-{number:05}.parquet")
            os.rename(os.path.join(folder, name), path)
            rows += pq.read_metadata(path).num_rows
        blob = target.storage.put_directory(folder, name=target.name)
        empty = alula.DataFrame(frame.limit(0).toArrow())
        columns = empty.store(ConversionContext(target.storage), "parquet", target.columns).columns
        return Dataset(
            blob.uri,
            hash=blob.hash,
            size=blob.size,
            format="parquet",
            columns=columns,
            rows=rows,
            metadata=target.metadata,
        )


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
        if path is not None and dataset.format == "parquet" and is_local(spark.sparkContext.master):
            frame = spark.read.parquet(_glob_free(path))
        else:
            import pyarrow as pa

            frame = spark.createDataFrame(alula.DataFrame.from_dataset(dataset, source.storage).open(pa.Table).all())
        missing = [name for name in source.columns if name not in frame.columns]
        if missing:
            raise ValueConversionError(f"the stored data frame has no column {missing[0]!r}")
        return frame.select(*(_quoted(name) for name in source.columns)) if source.columns else frame


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
