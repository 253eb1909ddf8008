"""What a job gives: rows as frames of every library, tables of the user's, reports and logs."""

from __future__ import annotations

import subprocess
import sys
import uuid
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from google.cloud.bigquery import QueryJobConfig
from service import Service

import alula
from alula_bigquery import BigQueryConfig, BigQueryTask
from alula_kernel.errors import StorageError, TaskError, UsageError, ValueConversionError

QUERY = "SELECT n, CAST(n AS STRING) AS text FROM UNNEST(GENERATE_ARRAY(1, 3)) AS n ORDER BY n"


@pytest.fixture
def dataset(service: Service) -> str:
    """The name of a new dataset."""
    name = f"set_{uuid.uuid4().hex[:8]}"
    BigQueryTask("make", f"CREATE SCHEMA {name}")()
    return name


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame, pa.Table, alula.DataFrame])
def test_rows_are_a_frame_of_any_library(service: Service, kind: Any) -> None:
    found = BigQueryTask("rows", QUERY, output_type=kind)()
    if kind is alula.DataFrame:
        assert found.format == "parquet"
        assert found.rows == 3
        found = found.open(pa.Table).all()
    assert isinstance(found, kind) or kind is alula.DataFrame
    assert pa.table(found).to_pydict() == {"n": [1, 2, 3], "text": ["1", "2", "3"]}


def test_declared_columns_and_format(service: Service) -> None:
    declared = Annotated[alula.DataFrame, alula.kwtypes(text=str), "csv"]
    found = BigQueryTask("rows", QUERY, output_type=declared)()
    assert found.format == "csv"
    assert found.open(pa.Table).all().column_names == ["text"]
    missing = Annotated[alula.DataFrame, alula.kwtypes(other=str)]
    with pytest.raises(TaskError, match="other"):
        BigQueryTask("rows", QUERY, output_type=missing)()


def test_no_rows_keep_their_columns(service: Service) -> None:
    found = BigQueryTask("none", f"SELECT * FROM ({QUERY}) WHERE n > 9", output_type=pa.Table)()
    assert found.num_rows == 0
    assert found.column_names == ["n", "text"]


def test_more_rows_than_a_page(service: Service) -> None:
    query = "SELECT n FROM UNNEST(GENERATE_ARRAY(1, 25000)) AS n"
    found = BigQueryTask("many", query, output_type=pa.Table)()
    assert sorted(found["n"].to_pylist()) == list(range(1, 25_001))


def test_a_script_gives_the_rows_of_its_last_query(service: Service) -> None:
    found = BigQueryTask("script", "DECLARE x INT64 DEFAULT 5; SELECT x * 2 AS double;", output_type=pa.Table)()
    assert found.to_pylist() == [{"double": 10}]


def test_a_query_for_what_it_does_gives_nothing(service: Service, dataset: str) -> None:
    assert BigQueryTask("fill", f"CREATE TABLE {dataset}.made AS {QUERY}")() is None
    found = BigQueryTask("read", f"SELECT COUNT(*) AS n FROM {dataset}.made", output_type=pa.Table)()
    assert found.to_pylist() == [{"n": 3}]


def test_it_is_no_output_that_is_a_data_frame(service: Service) -> None:
    with pytest.raises(UsageError, match="must be a data frame type, found <class 'int'>"):
        BigQueryTask("rows", QUERY, output_type=int)()


def test_a_destination_is_the_output_and_nothing_is_fetched(service: Service, dataset: str) -> None:
    job = QueryJobConfig(destination=f"tests.{dataset}.kept")
    task = BigQueryTask("keep", QUERY, None, BigQueryConfig(job_config=job), output_type=alula.DataFrame)
    before = len(service.requests)
    found = task()
    assert found.uri == f"bq://tests.{dataset}.kept"
    assert found.rows == 3
    assert [column.name for column in found.columns] == ["n", "text"]
    assert not [path for _, path in service.requests[before:] if "/queries/" in path]

    @alula.task
    def total(kept: Annotated[pd.DataFrame, alula.kwtypes(n=int)]) -> int:
        assert list(kept.columns) == ["n"]
        return int(kept["n"].sum())

    @alula.workflow
    def flow() -> int:
        return total(kept=task())

    assert flow() == 6


def test_a_table_that_changed_is_another_value(service: Service, dataset: str) -> None:
    frame = alula.DataFrame(pa.table({"n": [1]}), uri=f"bq://{dataset}.changing")
    BigQueryTask("make", f"CREATE TABLE {dataset}.changing AS SELECT 0 AS n")()

    @alula.task
    def store(n: int) -> alula.DataFrame:
        return alula.DataFrame(pa.table({"n": [n, n]}), uri=f"bq://tests.{dataset}.changing")

    first, second = store(n=1), store(n=2)
    assert first.uri == second.uri
    assert first.hash != second.hash
    assert second.open(pa.Table).all().to_pydict() == {"n": [2, 2]}
    assert frame.uri == f"bq://{dataset}.changing"


FRAMES = [
    pd.DataFrame({"n": [1, 2], "text": ["a", None]}),
    pl.DataFrame({"n": [1, 2], "text": ["a", None]}),
    pa.table({"n": [1, 2], "text": ["a", None]}),
]


@pytest.mark.parametrize("frame", FRAMES, ids=lambda frame: type(frame).__module__)
def test_a_frame_becomes_a_table_and_back(service: Service, dataset: str, frame: Any) -> None:
    kind = type(frame)

    @alula.task
    def store(name: str) -> alula.DataFrame:
        return alula.DataFrame(frame, uri=f"bq://tests:{name}.stored")

    @alula.task
    def read(stored: kind) -> alula.DataFrame:  # type: ignore[valid-type]
        assert isinstance(stored, kind)
        return alula.DataFrame(stored)

    @alula.workflow
    def flow(name: str) -> alula.DataFrame:
        return read(stored=store(name=name))

    found = flow(name=dataset).open(pa.Table).all()
    assert found.to_pydict() == {"n": [1, 2], "text": ["a", None]}


def test_a_table_is_read_in_pieces_and_the_default_project_is_meant(service: Service, dataset: str) -> None:
    BigQueryTask("make", f"CREATE TABLE {dataset}.long AS SELECT n FROM UNNEST(GENERATE_ARRAY(1, 1000)) AS n")()
    handle = alula.DataFrame.from_existing_remote(f"bq://{dataset}.long").open(pa.Table)
    assert sum(piece.num_rows for piece in handle.iter()) == 1000


def test_a_view_is_read_by_a_query(service: Service, dataset: str) -> None:
    BigQueryTask("table", f"CREATE TABLE {dataset}.base AS {QUERY}")()
    BigQueryTask("view", f"CREATE VIEW {dataset}.seen AS SELECT n * 10 AS ten, text FROM {dataset}.base")()
    handle = alula.DataFrame.from_existing_remote(f"bq://tests.{dataset}.seen")
    assert sorted(handle.open(pa.Table).all()["ten"].to_pylist()) == [10, 20, 30]


@pytest.mark.parametrize("uri", ["bq://one", "bq://a/b.c", "bq://p.d.t.", "bq://"])
def test_what_names_no_table_is_refused(service: Service, uri: str) -> None:
    with pytest.raises(StorageError, match=r"(?s)names no table.*bq://project\.dataset\.table"):
        alula.DataFrame.from_existing_remote(uri).open(pa.Table).all()


def test_a_missing_table_and_a_missing_column_are_named(service: Service, dataset: str) -> None:
    with pytest.raises(StorageError, match=rf"bq://tests\.{dataset}\.nothing"):
        alula.DataFrame.from_existing_remote(f"bq://tests.{dataset}.nothing").open(pa.Table).all()
    BigQueryTask("make", f"CREATE TABLE {dataset}.there AS SELECT 1 AS n")()

    @alula.task
    def read(table: Annotated[pa.Table, alula.kwtypes(m=int)]) -> int:
        return int(table.num_rows)

    with pytest.raises(ValueConversionError, match=r"(?s)column 'm' is missing .*columns are: n"):
        read(table=alula.DataFrame.from_existing_remote(f"bq://tests.{dataset}.there"))


def test_types_of_arrow_are_those_of_bigquery() -> None:
    from alula_bigquery.rows import fields_of

    schema = pa.schema(
        [
            ("small", pa.int8()),
            ("when", pa.timestamp("us", "UTC")),
            ("wall", pa.timestamp("ns")),
            ("money", pa.decimal128(38, 9)),
            ("exact", pa.decimal256(76, 38)),
            ("words", pa.dictionary(pa.int32(), pa.string())),
            ("raw", pa.large_binary()),
            ("day", pa.date32()),
            ("clock", pa.time64("us")),
            ("points", pa.list_(pa.struct([("x", pa.float64()), ("tags", pa.list_(pa.string()))]))),
        ]
    )
    found = {field.name: (field.field_type, field.mode) for field in fields_of(schema)}
    assert found == {
        "small": ("INTEGER", "NULLABLE"),
        "when": ("TIMESTAMP", "NULLABLE"),
        "wall": ("DATETIME", "NULLABLE"),
        "money": ("NUMERIC", "NULLABLE"),
        "exact": ("BIGNUMERIC", "NULLABLE"),
        "words": ("STRING", "NULLABLE"),
        "raw": ("BYTES", "NULLABLE"),
        "day": ("DATE", "NULLABLE"),
        "clock": ("TIME", "NULLABLE"),
        "points": ("RECORD", "REPEATED"),
    }
    for kind in (pa.list_(pa.list_(pa.int64())), pa.duration("s")):
        with pytest.raises(ValueConversionError, match="column 'odd'"):
            fields_of(pa.schema([("odd", kind)]))


def test_a_cached_result_is_computed_once(service: Service) -> None:
    task = BigQueryTask("cached", f"{QUERY} -- cached once", output_type=pa.Table, cache=True)
    assert task().num_rows == task().num_rows == 3
    assert service.started(marked="-- cached once") == 1


def test_the_report_shows_the_job_and_the_query(service: Service) -> None:
    task = BigQueryTask("told", "SELECT 1 < 2 AS less /* reads: 1234567 */", output_type=pa.Table, report=True)
    run = alula.run(task)
    with alula.current_app().storage.open(run.actions[0].report) as stream:
        page = stream.read().decode()
    assert "1,234,567" in page
    assert "SELECT 1 &amp;lt; 2" in page


def test_logs_say_where_the_job_is_and_what_it_took(service: Service, tmp_path: Path) -> None:
    (tmp_path / "told.py").write_text(
        "from alula_bigquery import BigQueryTask\n"
        'told = BigQueryTask("told", "SELECT 1 AS one /* reads: 1234567; warns: half of it was slow */")\n'
    )

    def command(*arguments: str) -> str:
        line = [sys.executable, "-m", "alula", *arguments]
        return subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=True).stdout

    command("run", "--name", "logged", "told.py", "told")
    shown = command("runs", "logs", "logged")
    assert "job tests:US.alula-" in shown
    assert "bytes processed: 1,234,567" in shown
    assert "warning: invalid: half of it was slow" in shown


def test_who_runs_a_job_is_in_its_labels(service: Service) -> None:
    job = QueryJobConfig(labels={"team": "sales"})
    BigQueryTask("My.Task", "SELECT 1 -- labelled", None, BigQueryConfig(job_config=job))()
    labels = service.configuration(marked="-- labelled")["labels"]
    assert labels["team"] == "sales"
    assert labels["alula-task"].endswith("my_task")
    assert labels["alula-project"] == "default"
