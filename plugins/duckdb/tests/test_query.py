"""Queries as tasks: several of them, outputs of every type, errors, caching, workflows."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from typing import Annotated, Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import alula
from alula_duckdb import DuckDBProvider, DuckDBQuery, QueryFailedError
from alula_kernel.errors import CompileError, TaskTimeoutError, UnknownNameError, UsageError


def rows(query: DuckDBQuery, /, **inputs: Any) -> list[dict[str, Any]]:
    return query(**inputs).open(pa.Table).all().to_pylist()  # type: ignore[no-any-return]


def test_the_last_query_yields_the_result_and_earlier_ones_take_effect() -> None:
    query = DuckDBQuery(
        "several", ["CREATE TABLE t AS SELECT 1 AS a", "INSERT INTO t VALUES (2); SELECT 3", "FROM t ORDER BY a"]
    )
    assert rows(query) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("query", "columns"),
    [
        ("SELECT 1 AS a", ["a"]),
        ("FROM (VALUES (1, 2)) t(a, b)", ["a", "b"]),
        ("WITH t AS (SELECT 1 AS a) SELECT * FROM t;", ["a"]),
        ("CREATE TABLE t (a INT); PIVOT (SELECT 'x' AS k, 1 AS v) ON k USING sum(v)", ["x"]),
        ("SHOW TABLES", ["name"]),
        ("CREATE TABLE t (a INT); INSERT INTO t VALUES (1) RETURNING a AS b", ["b"]),
        ("SELECT 1 AS a WHERE false", ["a"]),
    ],
)
def test_every_statement_with_rows_may_be_the_last(query: str, columns: list[str]) -> None:
    assert DuckDBQuery("last", query)().open(pa.Table).all().column_names == columns


@pytest.mark.parametrize(
    "output_type",
    [pd.DataFrame, pl.DataFrame, pa.Table, duckdb.DuckDBPyRelation, Annotated[pd.DataFrame, "csv"]],
)
def test_the_result_is_any_data_frame(output_type: Any) -> None:
    result = DuckDBQuery("typed", "SELECT range AS a, range::VARCHAR AS b FROM range(3)", output_type=output_type)()
    expected = getattr(output_type, "__origin__", output_type)
    assert isinstance(result, expected)
    columns = result.column_names if isinstance(result, pa.Table) else list(result.columns)
    assert columns == ["a", "b"]


def test_declared_columns_are_kept_and_must_be_there() -> None:
    query = "SELECT 1 AS a, 2 AS b, 3 AS c"
    declared = Annotated[alula.DataFrame, alula.kwtypes(c=int, a=int)]
    assert rows(DuckDBQuery("columns", query, output_type=declared)) == [{"c": 3, "a": 1}]
    missing = DuckDBQuery("missing", query, output_type=Annotated[alula.DataFrame, alula.kwtypes(d=int)])
    with pytest.raises(UsageError, match="'d'"):
        missing()


def test_the_query_may_be_an_input_and_stays_out_of_the_task() -> None:
    query = DuckDBQuery("run time", inputs={"query": str, "least": int})
    assert rows(query, query="SELECT $least AS a", least=1) == [{"a": 1}]
    assert rows(query, query="SELECT $least + 1 AS b", least=1) == [{"b": 2}]
    several = DuckDBQuery("list", "SELECT 1 AS unused", inputs={"query": list[str]})
    assert rows(several, query=["CREATE TABLE t AS SELECT 5 AS a", "FROM t"]) == [{"a": 5}]
    with pytest.raises(UsageError, match="query 1 cannot be read"):
        query(query="SELEC 1", least=1)


def test_attempts_do_not_see_each_other() -> None:
    query = DuckDBQuery(
        "own", ["CREATE TABLE t AS SELECT $n AS n", "SELECT count(*) AS c, max(n) AS n FROM t"], inputs={"n": int}
    )
    found: list[Any] = []
    threads = [threading.Thread(target=lambda n=n: found.append(rows(query, n=n))) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(row["n"] for (row,) in found) == [0, 1, 2, 3]
    assert {row["c"] for (row,) in found} == {1}


def test_a_workflow_has_queries_as_nodes() -> None:
    query = DuckDBQuery(
        "totals", "SELECT k, sum(v)::INT AS total FROM data WHERE v >= $least GROUP BY k ORDER BY k",
        inputs={"data": pd.DataFrame, "least": int}, output_type=pl.DataFrame,
    )  # fmt: skip

    @alula.task
    def load() -> pd.DataFrame:
        return pd.DataFrame({"k": ["a", "b", "a"], "v": [1, 2, 3]})

    @alula.task
    def largest(data: pl.DataFrame) -> int:
        return int(data["total"].max())  # type: ignore[arg-type]

    @alula.workflow
    def pipeline(least: int = 0) -> int:
        return largest(data=query(data=load(), least=least))

    assert pipeline() == 4
    assert pipeline(least=2) == 3


def test_equal_inputs_are_a_cache_hit_and_another_query_is_a_miss() -> None:
    inputs = {"data": pd.DataFrame}
    data = pd.DataFrame({"a": [1, 2]})
    first = DuckDBQuery("cached", "SELECT random() AS r, a FROM data", inputs=inputs, cache=True)
    again = DuckDBQuery("cached", "SELECT random() AS r, a FROM data", inputs=inputs, cache=True)
    other = DuckDBQuery("cached", "SELECT random() AS r, a + 1 AS a FROM data", inputs=inputs, cache=True)
    assert rows(first, data=data) == rows(again, data=data.copy())
    assert [row["a"] for row in rows(other, data=data)] == [2, 3]
    assert rows(first, data=data.assign(a=[1, 3])) != rows(first, data=data)


def test_the_spec_says_type_and_queries() -> None:
    spec = DuckDBQuery("spec", "SELECT 1 AS a", retries=2).spec(alula.current_app())
    assert (spec.type, spec.custom, spec.retries.user) == ("duckdb", {"queries": ["SELECT 1 AS a"]}, 2)
    assert list(spec.interface.outputs) == ["result"]


# --- mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "message"),
    [
        (["SELECT 1", "SELEC 1"], "query 2 cannot be read"),
        ("", "query 1 is empty"),
        ("-- nothing", "query 1 is empty"),
        ("SET threads = 1", "the last statement has no result: SET threads = 1"),
    ],
)
def test_what_is_no_query_is_told_before_anything_runs(query: Any, message: str) -> None:
    wrong = DuckDBQuery("wrong", query)

    @alula.workflow
    def pipeline() -> alula.DataFrame:
        return wrong()

    with pytest.raises(CompileError, match=message) as caught:
        pipeline()
    assert caught.value.location.startswith(__file__)


def test_a_task_without_query_is_refused_where_it_is_made() -> None:
    with pytest.raises(CompileError, match="has no query") as caught:
        DuckDBQuery("empty")
    assert caught.value.location.startswith(__file__)


def test_other_outputs_than_data_frames_are_refused() -> None:
    with pytest.raises(CompileError, match="must be a data frame type, found <class 'int'>"):
        DuckDBQuery("int", "SELECT 1", output_type=int).spec(alula.current_app())


def test_unknown_settings_of_the_task_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'retries'"):
        DuckDBQuery("unknown", "SELECT 1", retrys=1)


@pytest.mark.parametrize(
    ("query", "number", "message"),
    [
        (["SELECT 1 AS a", "SELECT a FROM missing_table"], 2, "missing_table"),
        (["SELECT error('first')", "SELECT 1 AS a"], 1, "first"),
        ("SELECT CASE WHEN range = 90000 THEN error('half way') ELSE 'x' END AS a FROM range(100000)", 1, "half way"),
    ],
)
def test_what_duckdb_refuses_names_the_query(query: Any, number: int, message: str) -> None:
    with pytest.raises(QueryFailedError, match=rf"query {number} failed: [\s\S]*{message}") as caught:
        DuckDBQuery("failing", query)()
    assert caught.value.number == number


def test_the_error_pickles() -> None:
    error = QueryFailedError("no such table", query="FROM t", number=3)
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.query, copy.number) == ("query 3 failed: no such table", "FROM t", 3)


def test_variables_of_the_caller_are_no_tables() -> None:
    secret = pd.DataFrame({"a": [1]})
    with pytest.raises(QueryFailedError, match="secret"):
        DuckDBQuery("scan", "SELECT * FROM secret")()
    assert len(secret) == 1


def test_a_query_is_stopped_at_its_timeout() -> None:
    for query in (
        "SELECT sum(hash(range)) AS c FROM range(1000000000000)",
        "SELECT range AS c FROM range(1000000000000) WHERE hash(range) = 0",
        "CREATE TABLE t AS SELECT sum(hash(range)) AS c FROM range(1000000000000); FROM t",
    ):
        started = time.monotonic()
        with pytest.raises(TaskTimeoutError):
            DuckDBQuery("endless", query, timeout=0.5, memory_limit="100MB", threads=1)()
        assert time.monotonic() - started < 60


def test_ctrl_c_stops_a_query() -> None:
    code = """
        from alula_duckdb import DuckDBQuery
        query = DuckDBQuery("endless", "SELECT sum(hash(range)) AS c FROM range(1000000000000)", threads=1)
        print("ready", flush=True)
        query()
    """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        time.sleep(1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    assert errors.rstrip().endswith("KeyboardInterrupt")


# --- where it runs ---------------------------------------------------------------------------------------------------


def test_a_function_may_open_the_connection(tmp_path: Any) -> None:
    opened = []

    def provider() -> duckdb.DuckDBPyConnection:
        connection = duckdb.connect(str(tmp_path / "warehouse.duckdb"))
        opened.append(connection)
        return connection

    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS a")
    query = DuckDBQuery(
        "file", "SELECT a + $n AS a FROM kept", inputs={"n": int, "data": pd.DataFrame}, provider=provider
    )
    assert rows(query, n=1, data=pd.DataFrame({"x": [1]})) == [{"a": 2}]
    with pytest.raises(duckdb.ConnectionException):  # the task closed it
        opened[0].execute("SELECT 1")
    with duckdb.connect(str(tmp_path / "warehouse.duckdb")) as connection:
        assert connection.execute("SHOW TABLES").fetchall() == [("kept",)]  # views of inputs are not left behind


def test_a_provider_must_give_a_connection() -> None:
    with pytest.raises(UsageError, match="must return a DuckDB connection, found str"):
        DuckDBQuery("odd", "SELECT 1 AS a", provider=lambda: "connection")()  # type: ignore[arg-type, return-value]
    with pytest.raises(CompileError, match="must be a DuckDBProvider or a function, found 'local'"):
        DuckDBQuery("odd", "SELECT 1 AS a", provider="local")  # type: ignore[arg-type]
    assert [provider.value for provider in DuckDBProvider] == ["local", "motherduck"]


def test_motherduck_is_asked_for_by_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    connect = duckdb.connect

    def recording(database: str = ":memory:") -> duckdb.DuckDBPyConnection:
        asked.append(database)
        return connect(":memory:")

    monkeypatch.setattr(duckdb, "connect", recording)
    assert rows(DuckDBQuery("cloud", "SELECT 1 AS a", provider=DuckDBProvider.MOTHERDUCK)) == [{"a": 1}]
    assert asked[-1] == "md:"
