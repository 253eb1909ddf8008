"""Inputs as parameters: every type, bound and never pasted, and what is told before anything runs."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import enum
import math
from typing import Any, Literal

import pandas as pd
import pyarrow as pa
import pytest
from service import Service

import alula
from alula_bigquery import BigQueryConfig, BigQueryTask
from alula_bigquery.sql import parameters_of
from alula_kernel.errors import UsageError


class Color(enum.Enum):
    RED = "red"


@dataclasses.dataclass
class Point:
    x: int
    label: str = "none"


UTC = dt.timezone.utc
MOMENT = dt.datetime(2024, 2, 29, 12, 30, 45, 678901, tzinfo=dt.timezone(dt.timedelta(hours=2)))


def rows(query: str, types: dict[str, Any], **values: Any) -> list[dict[str, Any]]:
    task = BigQueryTask("query", query, types, output_type=pa.Table)
    return task(**values).to_pylist()  # type: ignore[no-any-return]


VALUES: list[tuple[Any, Any, Any]] = [
    (int, -(2**63), -(2**63)),
    (float, 1.5, 1.5),
    (float, math.inf, math.inf),
    (str, "'; DROP TABLE x; -- \" ` \\ \n ä", "'; DROP TABLE x; -- \" ` \\ \n ä"),
    (bool, True, True),
    (bool, False, False),
    (dt.date, dt.date(2024, 2, 29), dt.date(2024, 2, 29)),
    (dt.datetime, MOMENT, MOMENT.astimezone(UTC)),
    (dt.datetime, MOMENT.replace(tzinfo=None), MOMENT.replace(tzinfo=None)),
    (Color, Color.RED, "red"),
    (Literal["a", "b"], "b", "b"),
    (int | None, None, None),
    (str | None, "there", "there"),
    (list[int], [3, 1, 2], [3, 1, 2]),
    (list[int], [], []),
    (list[str], ["a", "'b'"], ["a", "'b'"]),
    (Point, Point(1, "one"), {"x": 1, "label": "one"}),
]


@pytest.mark.parametrize(("kind", "value", "expected"), VALUES, ids=lambda value: repr(value)[:40])
def test_a_value_arrives(service: Service, kind: Any, value: Any, expected: Any) -> None:
    (row,) = rows("SELECT @value AS value", {"value": kind}, value=value)
    assert row["value"] == expected


def test_a_nan_arrives(service: Service) -> None:
    (row,) = rows("SELECT @value AS value", {"value": float}, value=math.nan)
    assert math.isnan(row["value"])


def sent(service: Service, kind: Any, value: Any, request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return the parameter that was sent; for types that the emulator does not bind as the service does."""
    mark = f"-- {request.node.name}"
    BigQueryTask("query", f"SELECT 1 AS one FROM (SELECT @value) {mark}", {"value": kind})(value=value)
    (parameter,) = service.configuration(marked=mark)["query"]["queryParameters"]
    return parameter  # type: ignore[no-any-return]


def test_bytes(service: Service, request: pytest.FixtureRequest) -> None:
    parameter = sent(service, bytes, b"\x00\xff", request)
    assert parameter["parameterType"] == {"type": "BYTES"}
    assert base64.b64decode(parameter["parameterValue"]["value"]) == b"\x00\xff"


def test_a_dict_is_json(service: Service, request: pytest.FixtureRequest) -> None:
    parameter = sent(service, dict[str, list[int]], {"a": [1, 2]}, request)
    assert parameter["parameterType"] == {"type": "JSON"}
    assert parameter["parameterValue"] == {"value": '{"a": [1, 2]}'}


def test_a_list_of_dataclasses_is_an_array_of_structs(service: Service, request: pytest.FixtureRequest) -> None:
    parameter = sent(service, list[Point], [Point(1, "a"), Point(2, "b")], request)
    fields = [{"name": "x", "type": {"type": "INT64"}}, {"name": "label", "type": {"type": "STRING"}}]
    assert parameter["parameterType"] == {"type": "ARRAY", "arrayType": {"type": "STRUCT", "structTypes": fields}}
    values = [value["structValues"] for value in parameter["parameterValue"]["arrayValues"]]
    assert values == [
        {"x": {"value": "1"}, "label": {"value": "a"}},
        {"x": {"value": "2"}, "label": {"value": "b"}},
    ]


def test_an_empty_list_of_dataclasses_keeps_its_type(service: Service, request: pytest.FixtureRequest) -> None:
    parameter = sent(service, list[Point], [], request)
    assert parameter["parameterType"]["arrayType"]["type"] == "STRUCT"
    assert parameter["parameterValue"] == {"arrayValues": []}


def test_defaults_apply(service: Service) -> None:
    task = BigQueryTask(
        "sum", "SELECT @least + @most AS total", {"least": int, "most": (int, 40)}, output_type=pa.Table
    )
    assert task(least=2).to_pylist() == [{"total": 42}]


def test_the_case_of_names_does_not_count() -> None:
    assert BigQueryTask("sum", "SELECT @LEAST", {"least": int}).spec(alula.current_app()).type == "bigquery"


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("SELECT @a, @B, @a", ("a", "B")),
        ("SELECT '@no', \"@no\", `@no`, r'@no\\'', '''@no 'x' @no''' -- @no\n, @yes # @no\n/* @no\n @no */", ("yes",)),
        ("SELECT @@system.variable, 'it''s', @x", ("x",)),
        ('SELECT """a "quoted" @no""", @y', ("y",)),
        ("SELECT 1", ()),
    ],
)
def test_parameters_are_told_from_texts_and_comments(query: str, names: tuple[str, ...]) -> None:
    assert parameters_of(query) == names


@pytest.mark.parametrize(
    ("query", "types", "told"),
    [
        ("SELECT @lest", {"least": int}, r"(?s)no parameter.*@lest|@lest.*least"),
        ("SELECT 1", {"least": int}, r"(?s)input 'least' .* is not in its query.*Write @least"),
        ("SELECT {{ .inputs.least }}", {"least": int}, r"(?s)never pasted: write @least"),
        ("SELECT @wait", {"wait": dt.timedelta}, r"(?s)'wait' is timedelta, for which BigQuery has no type.*seconds"),
        ("SELECT @rows", {"rows": list[list[int]]}, r"(?s)'rows' is list\[list\[int\]\].*no arrays of arrays"),
        ("SELECT @rows", {"rows": list[int | None]}, r"arrays hold no NULL"),
        ("SELECT * FROM @sales", {"sales": pd.DataFrame}, r"(?s)'sales' is DataFrame.*bq://project\.dataset\.table"),
        ("SELECT @one", {"one": int | str}, r"'one' is int \| str, for which BigQuery has no type"),
    ],
)
def test_mistakes_are_told_before_anything_runs(service: Service, query: str, types: dict[str, Any], told: str) -> None:
    task = BigQueryTask("query", query, types)
    before = len(service.requests)

    with pytest.raises(UsageError, match=told) as caught:
        task.spec(alula.current_app())
    assert len(service.requests) == before
    assert "test_parameters.py" in str(caught.value)


def test_parameters_of_the_config_are_kept(service: Service) -> None:
    from google.cloud.bigquery import QueryJobConfig, ScalarQueryParameter

    job = QueryJobConfig(query_parameters=[ScalarQueryParameter("fixed", "INT64", 40)])
    task = BigQueryTask(
        "sum", "SELECT @fixed + @more AS total", {"more": int}, BigQueryConfig(job_config=job), output_type=pa.Table
    )
    assert task(more=2).to_pylist() == [{"total": 42}]
    positional = QueryJobConfig(query_parameters=[ScalarQueryParameter(None, "INT64", 40)])
    task = BigQueryTask(
        "sum", "SELECT ? + 2 AS total", None, BigQueryConfig(job_config=positional), output_type=pa.Table
    )
    assert task().to_pylist() == [{"total": 42}]
    mixed = BigQueryTask("sum", "SELECT ? + @x AS total", {"x": int}, BigQueryConfig(job_config=positional))
    with pytest.raises(UsageError, match="gives values for"):
        mixed(x=1)
