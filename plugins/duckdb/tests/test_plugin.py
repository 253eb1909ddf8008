"""What the plugin registers, and that it keeps what Alula's contracts promise."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import duckdb
import pytest

import alula
from alula_duckdb import plugin
from alula_duckdb.relations import relation_transformer
from alula_kernel.contracts import TypeTransformer
from alula_kernel.plugins import load_plugins
from alula_kernel.registry import TypeRegistry
from alula_kernel.testing import Sample, TypeTransformerConformance


class TestRelations(TypeTransformerConformance):
    """DuckDB's relations as values; the suite's scenarios T01, T02 ... are in Alula's documentation."""

    takes_plain = False
    takes_text = False
    values_are_shared = False  # a relation is for the thread of its connection

    @pytest.fixture
    def type_registry(self) -> TypeRegistry:
        return TypeRegistry([t for t in alula.current_app().registry.transformers if t.name != "duckdb-relation"])

    @pytest.fixture
    def transformer(self) -> TypeTransformer:
        return relation_transformer()

    @pytest.fixture
    def samples(self) -> Sequence[Sample]:
        relation = duckdb.DuckDBPyRelation
        return [
            Sample(relation, duckdb.sql("SELECT range AS a, range::VARCHAR || '<script>' AS b FROM range(1000)")),
            Sample(relation, duckdb.sql("SELECT 1 AS a, NULL::DATE AS d, [1, 2] AS l, {'x': 1} AS s")),
            Sample(relation, duckdb.sql("SELECT 1 AS a WHERE false")),
        ]

    def is_same(self, first: Any, second: Any) -> bool:
        first_rows, second_rows = (relation.project("*").fetchall() for relation in (first, second))
        return (first.columns, first.types, first_rows) == (second.columns, second.types, second_rows)


def test_it_is_found_by_its_entry_point() -> None:
    found = {info.name: info for info in load_plugins().describe()}
    assert found["duckdb"].distribution == "alula-duckdb"
    assert found["duckdb"].error == ""
    assert found["duckdb"].registers == {"task_types": ["duckdb"], "type_transformers": ["duckdb-relation"]}


def test_its_task_type_names_an_importable_class() -> None:
    (task_type,) = plugin.alula_task_types()
    module, _, name = task_type.task_class.rpartition(".")
    assert getattr(sys.modules.get(module) or __import__(module, fromlist=[name]), name).task_type == task_type.name


def test_importing_the_plugin_is_cheap() -> None:
    code = (
        "import sys, alula_duckdb.plugin as plugin\n"
        "print([m for m in ('alula', 'duckdb', 'pyarrow', 'pandas') if m in sys.modules])\n"
        "plugin.alula_task_types(); plugin.alula_type_transformers()\n"
        "print([m for m in ('duckdb', 'pyarrow', 'pandas') if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "[]"]


def test_relations_are_values_of_tasks() -> None:
    @alula.task
    def numbers(count: int) -> duckdb.DuckDBPyRelation:
        return duckdb.sql("SELECT range AS n, range * range AS square FROM range($count)", params={"count": count})

    @alula.task
    def odd(data: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
        return data.filter("n % 2 = 1")

    @alula.workflow
    def pipeline(count: int) -> duckdb.DuckDBPyRelation:
        return odd(data=numbers(count=count))

    result = pipeline(count=6)
    assert result.columns == ["n", "square"]
    assert result.fetchall() == [(1, 1), (3, 9), (5, 25)]


def test_relations_of_two_inputs_can_be_joined() -> None:
    @alula.task
    def make(count: int) -> duckdb.DuckDBPyRelation:
        return duckdb.sql(f"SELECT range AS n FROM range({count})")

    @alula.task
    def common(one: duckdb.DuckDBPyRelation, two: duckdb.DuckDBPyRelation) -> int:
        return len(one.set_alias("one").join(two.set_alias("two"), "one.n = two.n").fetchall())

    assert common(one=make(count=3), two=make(count=5)) == 3


def test_an_unknown_name_of_the_package_is_refused() -> None:
    import alula_duckdb

    with pytest.raises(AttributeError, match="DuckQuery"):
        _ = alula_duckdb.DuckQuery
