"""What a job gives: its rows as a data frame, or the table that they are in, and a report."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any

from alula import DataFrame
from alula.report import Deck, Report
from alula_kernel.contracts import SUCCEEDED, USER_FAILURE, Attempt, ConversionContext, Outcome
from alula_kernel.errors import ActionError, ValueConversionError
from alula_kernel.literals import Column, Dataset
from alula_kernel.types import DatasetOf

from .rows import reader_of
from .tables import table_dataset

if TYPE_CHECKING:
    from google.cloud.bigquery import Client, QueryJob

    from alula_kernel.storage import Storage

    from .clients import Account


def results_of(job: QueryJob, attempt: Attempt, storage: Storage, client: Client, account: Account) -> Outcome:
    """Return the outcome of a job that succeeded, with its rows.

    Rows that the author gave no destination are fetched and stored, piece by piece: the table in which BigQuery keeps them
    is gone after a day, and cached outputs would be without data.
    """
    asked = (attempt.task.custom.get("job") or {}).get("query", {})
    try:
        if asked.get("destinationTable"):
            dataset = _destination(job, client)
        else:
            dataset = _fetched(job, attempt, storage, account)
    except ValueConversionError as problem:
        error = ActionError(code=type(problem).__name__, message=str(problem))
        return Outcome(kind=USER_FAILURE, error=error)
    return Outcome(kind=SUCCEEDED, outputs={"results": dataset})


def _destination(job: QueryJob, client: Client) -> Dataset:
    table = client.get_table(job.destination)
    schema = client.list_rows(table, max_results=0).to_arrow(create_bqstorage_client=False).schema
    return table_dataset(table, tuple(Column(field.name, str(field.type)) for field in schema), job.job_id)


def _fetched(job: QueryJob, attempt: Attempt, storage: Storage, account: Account) -> Dataset:
    rows = job.result()
    if not rows.schema:
        raise ValueConversionError(
            f"the query gave no rows: it ended with {job.statement_type or 'no SELECT'}",
            hint="End it with a SELECT, or leave output_type out.",
        )
    wanted = attempt.task.interface.outputs["results"].type
    format_, columns = (wanted.format, wanted.columns) if isinstance(wanted, DatasetOf) else ("", ())
    frame = DataFrame(reader_of(rows, account))
    return frame.store(ConversionContext(storage), format_, columns)


def report(job: QueryJob, attempt: Attempt, storage: Storage, shown: str) -> str:
    """Write a report of a job, its query and what it took, and return its URI."""
    numbers: dict[str, Any] = {
        "job": shown,
        "statement": job.statement_type,
        "bytes processed": job.total_bytes_processed,
        "bytes billed": job.total_bytes_billed,
        "slot milliseconds": job.slot_millis,
        "from BigQuery's cache": job.cache_hit,
    }
    rows = "".join(
        f"<tr><th>{name}</th><td>{html.escape(f'{value:,}' if isinstance(value, int) else str(value))}</td></tr>"
        for name, value in numbers.items()
        if value is not None
    )
    made = Report(attempt.task.id.name, enabled=True)
    made.add(Deck("Job", f"<table>{rows}</table>", auto_add_to_deck=False))
    query = html.escape(attempt.task.custom["query"])
    made.add(Deck("Query", f"<pre>{query}</pre>", auto_add_to_deck=False))
    return made.write(storage, attempt.output_prefix)
