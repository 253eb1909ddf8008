"""DuckDB's own relations as values of tasks: stored while they are computed, and read where they are stored."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import alula
from alula_kernel.contracts import ConversionContext
from alula_kernel.literals import Dataset

from .connections import quoted_name
from .plugin import RELATION

if TYPE_CHECKING:
    import duckdb

_ALIASES = dict.fromkeys(
    (f"{module}.DuckDBPyRelation" for module in ("_duckdb", "duckdb._relation", "duckdb.duckdb")), RELATION
)
"""Where releases of DuckDB define the class."""

_ROWS_OF_A_BATCH = 8_192


class RelationEncoder(alula.DataFrameEncoder["duckdb.DuckDBPyRelation"]):
    """Stores a relation in any format, a few rows at a time, so that its result may be larger than the memory."""

    def __init__(self) -> None:
        super().__init__(RELATION)

    def encode(self, frame: duckdb.DuckDBPyRelation, target: alula.FrameTarget) -> Dataset:
        """Compute and store a relation.

        Raises:
            ValueConversionError: The format cannot hold it, or a declared column is missing.
            StorageError: It cannot be written.
        """
        fresh = frame.project("*")  # DuckDB 1 keeps the result with the relation, and reading it would use it up
        read = getattr(fresh, "to_arrow_reader", None) or fresh.fetch_arrow_reader
        stream = alula.DataFrame(read(_ROWS_OF_A_BATCH), target.uri or None, target.metadata, target.format)
        return stream.store(ConversionContext(target.storage), target.format, target.columns)


class RelationDecoder(alula.DataFrameDecoder["duckdb.DuckDBPyRelation"]):
    """Makes relations on DuckDB's default connection, where they can be joined and queried with ``duckdb.sql``.

    In another thread than the main one they are on a connection of the thread, and can be joined with each other. A Parquet file on the local disk is read when the relation is used, and only as far as needed; others are read first.
    """

    def __init__(self) -> None:
        super().__init__(RELATION)

    def decode(self, dataset: Dataset, source: alula.FrameSource) -> duckdb.DuckDBPyRelation:
        """Make a relation of a stored data frame.

        Raises:
            ValueConversionError: A column is missing, or the bytes are not of the format.
            StorageError: It cannot be read.
        """
        connection = _connection()
        names = source.columns or tuple(column.name for column in dataset.columns)
        path = source.storage.local_path(dataset.uri)
        if path is None or dataset.format != "parquet" or not names or set("*?[") & set(path):
            return connection.from_arrow(self._table(dataset, source))
        return connection.read_parquet(path).project(", ".join(map(quoted_name, names)))

    def _table(self, dataset: Dataset, source: alula.FrameSource) -> Any:
        import pyarrow as pa

        handle = alula.DataFrame.from_dataset(dataset, source.storage)
        table = handle.open(pa.Table).all()
        return table.select(list(source.columns)) if source.columns else table


_threads = threading.local()


def _connection() -> duckdb.DuckDBPyConnection:
    """Return the default connection in the main thread, and one for each other thread: DuckDB's do not share them."""
    import duckdb

    if threading.current_thread() is threading.main_thread():
        return duckdb.connect(":default:")
    if not hasattr(_threads, "connection"):
        _threads.connection = duckdb.connect(":default:").cursor()
    connection: duckdb.DuckDBPyConnection = _threads.connection
    return connection


def relation_transformer() -> alula.FrameTransformer:
    """Make the type transformer of relations."""
    handlers = alula.DataFrameHandlers([RelationEncoder(), RelationDecoder()], _ALIASES)
    return alula.FrameTransformer("duckdb-relation", (RELATION,), handlers)
