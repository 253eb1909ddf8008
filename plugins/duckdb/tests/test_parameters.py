"""Parameters are bound, whatever they and the queries look like."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pyarrow as pa
import pytest

from alula_duckdb import DuckDBQuery
from alula_kernel.errors import CompileError, UsageError


def rows(query: DuckDBQuery, **inputs: Any) -> list[dict[str, Any]]:
    return query(**inputs).open(pa.Table).all().to_pylist()  # type: ignore[no-any-return]


def test_question_marks_and_dollars_in_literals_and_comments_are_no_parameters() -> None:
    query = DuckDBQuery("literals", "SELECT '?' AS a, '$x' AS b, $$?$$ AS c /* $y ? */ -- $z ?\n")
    assert rows(query) == [{"a": "?", "b": "$x", "c": "?"}]


HOSTILE = "'; DROP TABLE t; --"


def test_named_parameters_are_inputs() -> None:
    query = DuckDBQuery(
        "named", "SELECT $text AS t, $number + 1 AS n, $TEXT AS again", inputs={"text": str, "number": int}
    )
    assert rows(query, text=HOSTILE, number=1) == [{"t": HOSTILE, "n": 2, "again": HOSTILE}]


@pytest.mark.parametrize(
    ("python_type", "value"),
    [
        (int, 2**62),
        (float, 0.1),
        (bool, True),
        (str, "ä \N{SNOWMAN}"),
        (bytes, b"\x00\xff"),
        (dt.date, dt.date(2026, 1, 2)),
        (dt.datetime, dt.datetime(2026, 1, 2, 3, 4, 5, 6)),  # noqa: DTZ001 - a column TIMESTAMP has no zone
        (list[int], [1, 2]),
        (list[str], []),
        (dict[str, int], {"x": 1}),
        (int | None, None),
    ],
)
def test_values_of_every_type_come_back(python_type: Any, value: Any) -> None:
    (row,) = rows(DuckDBQuery("typed", "SELECT $value AS v", inputs={"value": python_type}), value=value)
    assert row["v"] == value


def test_durations_are_intervals() -> None:
    query = DuckDBQuery("duration", "SELECT epoch($value)::INT AS s", inputs={"value": dt.timedelta})
    assert rows(query, value=dt.timedelta(days=1, seconds=2)) == [{"s": 86_402}]


def test_defaults_of_inputs_count() -> None:
    query = DuckDBQuery("defaults", "SELECT $a AS a", inputs={"a": (int, 7)})
    assert rows(query) == [{"a": 7}]
    assert rows(query, a=8) == [{"a": 8}]


@pytest.mark.parametrize("value", [[1, HOSTILE], [[1, HOSTILE]], '[1, "\'; DROP TABLE t; --"]'])
def test_positional_parameters_come_from_the_input_that_lists_them(value: Any) -> None:
    python_type = str if isinstance(value, str) else list[list[Any]] if isinstance(value[0], list) else list[Any]
    query = DuckDBQuery("positional", "SELECT ? AS a, ? AS b", inputs={"params": python_type})
    assert rows(query, params=value) == [{"a": 1, "b": HOSTILE}]


def test_numbered_parameters_may_repeat() -> None:
    query = DuckDBQuery("numbered", "SELECT $1 AS a, $2 AS b, $1 AS c", inputs={"params": list[int]})
    assert rows(query, params=[1, 2]) == [{"a": 1, "b": 2, "c": 1}]


def test_each_query_has_its_own_list() -> None:
    query = DuckDBQuery(
        "several",
        [
            "CREATE TABLE t AS SELECT ? AS a",
            "CREATE TABLE unrelated AS SELECT '?' AS q",
            "SELECT a + ? AS a, $1 + ? AS b FROM t",
        ],
        inputs={"params": list[list[int]]},
    )
    with pytest.raises(UsageError, match="expected 1 for query 1, 2 for query 3"):
        rows(query, params=[[1]])
    assert rows(query, params=[[1], [2, 3]]) == [{"a": 3, "b": 5}]


def test_an_insert_takes_many_rows() -> None:
    query = DuckDBQuery(
        "insert",
        ["CREATE TABLE t (n INT, s VARCHAR)", "INSERT INTO t VALUES (?, ?)", "SELECT * FROM t ORDER BY n"],
        inputs={"params": list[list[Any]]},
    )
    assert rows(query, params=[[2, "b"], [1, HOSTILE]]) == [{"n": 1, "s": HOSTILE}, {"n": 2, "s": "b"}]
    assert rows(query, params=[]) == []


def test_the_word_insert_makes_no_insert() -> None:
    query = DuckDBQuery("word", "SELECT 'insert' AS kind, ? AS value", inputs={"params": list[int]})
    assert rows(query, params=[1]) == [{"kind": "insert", "value": 1}]


def test_rows_and_values_for_several_queries() -> None:
    query = DuckDBQuery(
        "mixed",
        "CREATE TABLE t (n INT); INSERT INTO t VALUES (?); SELECT sum(n)::INT AS s FROM t WHERE n > ?",
        inputs={"params": list[Any]},
    )
    assert rows(query, params=[[[1], [2], [3]], [1]]) == [{"s": 5}]


@pytest.mark.parametrize("params", [[[5], [6]], [[[5], [6]]]])
def test_rows_of_the_only_insert_may_be_a_list_in_the_list(params: list[Any]) -> None:
    query = DuckDBQuery(
        "nested",
        ["CREATE TABLE t (n INT)", "INSERT INTO t VALUES (?)", "SELECT n FROM t ORDER BY n"],
        inputs={"params": list[Any]},
    )
    assert rows(query, params=params) == [{"n": 5}, {"n": 6}]


def test_an_insert_with_returning_may_be_the_last() -> None:
    query = DuckDBQuery(
        "returning", "CREATE TABLE t (n INT); INSERT INTO t VALUES (?) RETURNING n", inputs={"params": list[int]}
    )
    assert rows(query, params=[5]) == [{"n": 5}]


@pytest.mark.parametrize("value", [[1], [1, 2, 3], [], [[1], [2], [3]], [[1, 2], 3, 4]])
def test_lists_that_do_not_fit_are_refused(value: list[Any]) -> None:
    query = DuckDBQuery("unfit", "SELECT ?, ?", inputs={"params": list[Any]})
    with pytest.raises(UsageError, match="input 'params' does not fit the parameters: expected 2 for query 1"):
        query(params=value)


@pytest.mark.parametrize("value", ["no json", '{"a": 1}', "3"])
def test_text_that_is_no_list_is_refused(value: str) -> None:
    query = DuckDBQuery("text", "SELECT ?", inputs={"params": str})
    with pytest.raises(UsageError, match="input 'params' must"):
        query(params=value)


# --- what is wrong is told before anything runs ----------------------------------------------------------------------


def refusal(*arguments: Any, **settings: Any) -> str:
    from alula import current_app

    with pytest.raises(CompileError) as caught:
        DuckDBQuery("wrong", *arguments, **settings).spec(current_app())
    assert __file__ in caught.value.location
    return str(caught.value)


def test_a_parameter_without_input_is_told_with_near_matches() -> None:
    message = refusal(["SELECT 1", "SELECT $leest"], inputs={"least": int})
    assert "unknown parameter in query 2: '$leest'" in message
    assert "Did you mean 'least'" in message


def test_an_input_without_use_is_told() -> None:
    assert "input 'least' is in none of the queries" in refusal("SELECT 1", inputs={"least": int})


def test_question_marks_without_a_list_are_told() -> None:
    assert "there is none" in refusal("SELECT ?")
    assert "there are 'a'" in refusal("SELECT ?", inputs={"a": int})
    assert "there are 'a', 'b'" in refusal("SELECT ?", inputs={"a": list[int], "b": list[int]})


def test_mixed_styles_of_parameters_are_told() -> None:
    assert "query 1 cannot be read" in refusal("SELECT ? + $a", inputs={"a": int})
