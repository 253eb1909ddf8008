"""Rows of BigQuery as Arrow, and Arrow's types as BigQuery's."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from alula_kernel.errors import ValueConversionError

if TYPE_CHECKING:
    from google.cloud.bigquery import SchemaField
    from google.cloud.bigquery.table import RowIterator

    from .clients import Account


def reader_of(rows: RowIterator, account: Account) -> Any:
    """Return rows as a ``pyarrow.RecordBatchReader``, which fetches them while it is used.

    With google-cloud-bigquery-storage installed they come by the Storage API, which an emulator may not have.
    """
    import pyarrow as pa

    storage = None if account.url else _storage_client(account)
    batches = rows.to_arrow_iterable(bqstorage_client=storage)
    first = next(batches, None)
    if first is None:
        return rows.to_arrow(create_bqstorage_client=False).to_reader()

    def fetched() -> Iterator[Any]:
        try:
            yield first
            for batch in batches:
                yield batch if batch.schema.equals(first.schema) else batch.cast(first.schema)
        finally:
            if storage is not None:
                storage.transport.close()

    return pa.RecordBatchReader.from_batches(first.schema, fetched())


def _storage_client(account: Account) -> Any:
    if importlib.util.find_spec("google.cloud.bigquery_storage") is None:
        return None
    from google.cloud import bigquery_storage

    return bigquery_storage.BigQueryReadClient(credentials=account.credentials)


def fields_of(schema: Any) -> list[SchemaField]:
    """Return the columns of a table for an Arrow schema.

    Raises:
        ValueConversionError: BigQuery has no type for a column.
    """
    return [_field(field.name, field.type) for field in schema]


def _field(name: str, kind: Any) -> SchemaField:
    import pyarrow as pa
    from google.cloud.bigquery import SchemaField

    is_ = pa.types
    if is_.is_dictionary(kind):
        kind = kind.value_type
    if is_.is_list(kind) or is_.is_large_list(kind) or is_.is_fixed_size_list(kind):
        inner = _field(name, kind.value_type)
        if inner.mode == "REPEATED":
            raise ValueConversionError(
                f"column {name!r} is {kind}: BigQuery has no lists of lists", hint="Put the inner lists into structs."
            )
        return SchemaField(name, inner.field_type, "REPEATED", fields=inner.fields)
    if is_.is_struct(kind):
        return SchemaField(name, "RECORD", fields=[_field(field.name, field.type) for field in kind])
    if is_.is_decimal(kind):
        fits = kind.scale <= 9 and kind.precision - kind.scale <= 29
        return SchemaField(name, "NUMERIC" if fits else "BIGNUMERIC")
    if is_.is_timestamp(kind):
        return SchemaField(name, "TIMESTAMP" if kind.tz else "DATETIME")
    for test, text in _TYPES:
        if getattr(is_, test)(kind):
            return SchemaField(name, text)
    raise ValueConversionError(
        f"column {name!r} is {kind}, for which BigQuery has no type", hint="Convert it, or leave it out."
    )


_TYPES = (
    ("is_boolean", "BOOLEAN"),
    ("is_integer", "INTEGER"),
    ("is_floating", "FLOAT"),
    ("is_string", "STRING"),
    ("is_large_string", "STRING"),
    ("is_binary", "BYTES"),
    ("is_large_binary", "BYTES"),
    ("is_fixed_size_binary", "BYTES"),
    ("is_date", "DATE"),
    ("is_time", "TIME"),
    ("is_null", "STRING"),
)
"""Tests of ``pyarrow.types`` and the type of a column for which one says yes."""
