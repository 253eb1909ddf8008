"""Tables at ``bq://project.dataset.table`` as places of data frames."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from alula_kernel.contracts import TableStore
from alula_kernel.errors import StorageError, ValueConversionError
from alula_kernel.literals import Column, Dataset

from .clients import Account, Clients
from .failures import told

if TYPE_CHECKING:
    from google.cloud.bigquery import Client, Table

_URI = re.compile(r"bq://(?:(?P<project>[^/]+)[:.])?(?P<dataset>\w+)\.(?P<table>[^/.:]+)", re.IGNORECASE)


class TableName(NamedTuple):
    """The name of a table.

    Attributes:
        project: Its project; empty for the default one.
        dataset: Its dataset.
        table: Its name there.
    """

    project: str
    dataset: str
    table: str

    @classmethod
    def parse(cls, uri: str) -> TableName:
        """Read a URI.

        Raises:
            StorageError: It names no table.
        """
        match = _URI.fullmatch(uri)
        if match is None:
            raise StorageError(f"{uri} names no table of BigQuery", hint="Write bq://project.dataset.table.")
        return cls(match["project"] or "", match["dataset"], match["table"])


def table_uri(table: Any) -> str:
    """Return the URI of a table or of a reference to one."""
    return f"bq://{table.project}.{table.dataset_id}.{table.table_id}"


def table_dataset(
    table: Table, columns: tuple[Column, ...], job: str, metadata: Mapping[str, str] | None = None
) -> Dataset:
    """Return the literal of a table. The job that wrote it is part of its hash, so that caches notice a new content."""
    uri = table_uri(table)
    identity = f"{uri}\0{job}"
    return Dataset(
        uri,
        hash=hashlib.sha256(identity.encode()).hexdigest(),
        format="",
        columns=columns,
        rows=table.num_rows,
        metadata=dict(metadata or {}),
    )


class BigQueryTables(TableStore):
    """Reads and writes tables with Application Default Credentials, or anonymously where an emulator is named.

    What is read from a view is the result of a query. A table is written by a load job, which replaces what was there as a
    whole, when all of it has arrived.
    """

    name = "bigquery-tables"
    scheme = "bq"

    def __init__(self) -> None:
        self._clients = Clients()

    @contextmanager
    def _client(self, uri: str) -> Iterator[tuple[Client, str, Account]]:
        """Give a client for a table, the table's full name, and whose client it is.

        Raises:
            StorageError: The URI names no table, or BigQuery refuses what is asked or cannot be reached.
        """
        name = TableName.parse(uri)
        account = self._clients.account("", None, uri, name.project)
        from google.api_core.exceptions import GoogleAPIError
        from google.auth.exceptions import GoogleAuthError
        from requests import RequestException

        try:
            client = self._clients.client(account)
            full = ".".join((name.project or account.project, name.dataset, name.table))
            yield client, full, account
        except (GoogleAPIError, GoogleAuthError, RequestException) as problem:
            raise StorageError(f"{uri}: {told(problem)}") from problem

    def read(self, dataset: Dataset, columns: tuple[str, ...], batch_rows: int) -> Any:
        """Open a table or view; only the columns asked for are fetched.

        Raises:
            ValueConversionError: A column is missing.
            StorageError: There is no such table, or it cannot be read.
        """
        from .rows import reader_of

        with self._client(dataset.uri) as (client, name, account):
            table = client.get_table(name)
            fields = {field.name: field for field in table.schema}
            for column in columns:
                if column not in fields:
                    raise ValueConversionError(
                        f"column {column!r} is missing from {dataset.uri}",
                        hint=f"The columns are: {', '.join(fields)}.",
                    )
            if table.table_type in {"TABLE", "SNAPSHOT", None}:
                chosen = [fields[column] for column in columns] or None
                rows = client.list_rows(table, selected_fields=chosen, page_size=batch_rows)
            else:
                wanted = ", ".join(f"`{column}`" for column in columns) or "*"
                # Names of tables and columns cannot be parameters; these are quoted, and known to be there.
                query = f"SELECT {wanted} FROM `{name}`"  # noqa: S608
                rows = client.query(query).result(page_size=batch_rows)
            reader = reader_of(rows, account)
            return _selected(reader, columns) if columns else reader

    def write(self, frame: Any, uri: str, metadata: Mapping[str, str]) -> Dataset:
        """Make a table of a data frame, by way of a Parquet file on this machine.

        Raises:
            ValueConversionError: BigQuery has no type for a column.
            StorageError: It cannot be written.
        """
        import pyarrow.parquet as pq

        from .rows import fields_of

        with self._client(uri) as (client, name, _), tempfile.TemporaryFile(prefix="alula-bigquery-") as file:
            from google.cloud.bigquery import LoadJobConfig, ParquetOptions
            from google.cloud.bigquery.schema import SchemaField

            fields: list[SchemaField] = fields_of(frame.schema)
            with pq.ParquetWriter(file, frame.schema) as writer:
                for batch in frame:
                    writer.write_batch(batch)
            file.seek(0)
            options = ParquetOptions()
            options.enable_list_inference = True
            config = LoadJobConfig(
                source_format="PARQUET", schema=fields, write_disposition="WRITE_TRUNCATE", parquet_options=options
            )
            job = client.load_table_from_file(file, name, job_config=config)
            job.result()
            table = client.get_table(name)
            columns = tuple(Column(field.name, str(field.type)) for field in frame.schema)
            return table_dataset(table, columns, job.job_id, metadata)

    def exists(self, uri: str) -> bool:
        """Tell whether there is a table.

        Raises:
            StorageError: BigQuery cannot be asked.
        """
        from google.api_core.exceptions import NotFound

        with self._client(uri) as (client, name, _):
            try:
                client.get_table(name)
            except NotFound:
                return False
            return True

    def close(self) -> None:
        """Close the connections. Idempotent; the object can be used again."""
        self._clients.close()


def _selected(reader: Any, columns: tuple[str, ...]) -> Any:
    """Return the columns in the order asked for: BigQuery gives them in the table's."""
    import pyarrow as pa

    schema = pa.schema([reader.schema.field(column) for column in columns])
    return pa.RecordBatchReader.from_batches(schema, (batch.select(list(columns)) for batch in reader))
