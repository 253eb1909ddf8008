"""AU-19: queries as tasks; parameters are bound and never pasted."""

from __future__ import annotations

import sqlite3
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from alula import (
    DataFrame,
    SQLite3Config,
    SQLite3Task,
    SQLTask,
    TaskMetadata,
    current_app,
    errors,
    kwtypes,
    task,
    workflow,
)


@pytest.fixture
def database(tmp_path: Path) -> str:
    path = tmp_path / "people.db"
    connection = sqlite3.connect(path)
    connection.executescript(
        "create table people (name text, age integer, note text);"
        "insert into people values ('Ada', 36, 'a  b'), ('Bob', 17, null), ('O''Hara', 50, 'x');"
    )
    connection.commit()
    connection.close()
    return str(path)


class Recorded(SQLTask):
    """Shows what a database would get."""

    def run_query(self, query: str, parameters: list[Any]) -> Any:
        return f"{query} <- {parameters!r}"


def test_inputs_become_parameters_and_the_rest_of_the_query_stays_as_it_is() -> None:
    query = Recorded(
        name="q",
        query_template="select 'two  spaces' from t\nwhere a = {{ .inputs.a }} and b in ({{.Inputs.b}}, {{ inputs.a }})",
        inputs=kwtypes(a=int, b=str),
        outputs=kwtypes(result=str),
    )
    assert query(a=1, b="'; drop table t; --") == (
        "select 'two  spaces' from t\nwhere a = ? and b in (?, ?) <- [1, \"'; drop table t; --\", 1]"
    )
    assert query.bound_query(":{name}")[0].endswith("where a = :a and b in (:b, :a)")


def test_defaults_and_metadata() -> None:
    query = Recorded(
        name="q",
        query_template="select {{ .inputs.a }}",
        inputs={"a": (int, 7)},
        outputs={"r": str},
        metadata=TaskMetadata(retries=3),
    )
    assert query() == "select ? <- [7]"
    assert query.spec(current_app()).retries.user == 3


@pytest.mark.parametrize(
    ("template", "inputs", "message"),
    [
        ("select {{ .inputs.b }}", {"a": int}, "unknown input in the query of 'q' 'b'"),
        ("select 1", {"a": int}, "input 'a' of SQL task 'q' is not in its query"),
    ],
)
def test_inputs_and_placeholders_must_fit(template: str, inputs: dict[str, type], message: str) -> None:
    with pytest.raises(errors.UsageError, match=message) as caught:
        Recorded(name="q", query_template=template, inputs=inputs)
    assert caught.value.location.startswith(f"{__file__}:")


def test_the_base_class_does_not_run() -> None:
    with pytest.raises(errors.UsageError, match="does not say how its query is run"):
        SQLTask(name="q", query_template="select 1", outputs={"r": int})()


def test_sqlite_rows_come_as_a_data_frame(database: str) -> None:
    adults = SQLite3Task(
        name="adults",
        query_template="select name, age from people where age >= {{ .inputs.age }} order by name",
        inputs=kwtypes(age=int),
        task_config=SQLite3Config(database),
        output_schema_type=pd.DataFrame,
    )
    pd.testing.assert_frame_equal(adults(age=18), pd.DataFrame({"name": ["Ada", "O'Hara"], "age": [36, 50]}))


def test_a_quote_in_a_parameter_is_data(database: str) -> None:
    by_name = SQLite3Task(
        name="by_name",
        query_template="select age from people where name = {{ .inputs.name }}",
        inputs=kwtypes(name=str),
        task_config=SQLite3Config(uri=database),
    )
    frame = by_name(name="O'Hara")
    assert isinstance(frame, DataFrame)
    assert frame.open(pd.DataFrame).all()["age"].tolist() == [50]
    assert by_name(name="' or '1'='1").open(pd.DataFrame).all().empty


def test_in_a_workflow_with_any_frame_type(database: str) -> None:
    query = SQLite3Task(
        name="all", query_template="select * from people", task_config=SQLite3Config(f"file://{database}")
    )

    @task
    def count(frame: pd.DataFrame) -> int:
        return len(frame)

    @workflow
    def flow() -> int:
        return count(frame=query())

    assert flow() == 3


def test_the_database_cannot_be_changed_and_errors_are_the_databases(database: str) -> None:
    delete = SQLite3Task(name="delete", query_template="delete from people", task_config=SQLite3Config(database))
    wrong = SQLite3Task(name="wrong", query_template="select missing from people", task_config=SQLite3Config(database))
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        delete()
    with pytest.raises(sqlite3.OperationalError, match="no such column"):
        wrong()


def test_a_missing_database_and_config(tmp_path: Path) -> None:
    with pytest.raises(errors.UsageError, match=r"needs task_config=SQLite3Config\(uri\)"):
        SQLite3Task(name="q", query_template="select 1")
    missing = SQLite3Task(name="q", query_template="select 1", task_config=SQLite3Config(str(tmp_path / "none.db")))
    with pytest.raises((sqlite3.OperationalError, errors.StorageError)):
        missing()


def packed(source: str, target: Path, *names: str) -> Path:
    """Pack a file under some names, as the suffix of the archive says."""
    if target.suffix == ".zip":
        with zipfile.ZipFile(target, "w") as zipped:
            zipped.mkdir("folder") if hasattr(zipped, "mkdir") else None
            for name in names:
                zipped.write(source, name)
    else:
        with tarfile.open(target, "w:gz") as tarred:
            for name in names:
                tarred.add(source, name)
    return target


def count_in(archive: Path) -> int:
    config = SQLite3Config(str(archive), compressed=True)
    counted = SQLite3Task(name="q", query_template="select count(*) as n from people", task_config=config)
    return int(counted().open(pd.DataFrame).all()["n"][0])


@pytest.mark.parametrize("suffix", ["zip", "tgz"])
@pytest.mark.parametrize("name", ["people.db", "../../people.db"])
def test_a_database_in_an_archive(database: str, tmp_path: Path, suffix: str, name: str) -> None:
    archive = packed(database, tmp_path / f"people.{suffix}", name)
    assert count_in(archive) == 3
    assert [path for path in tmp_path.rglob("people.*") if path != archive] == [Path(database)]


@pytest.mark.parametrize("suffix", ["zip", "tgz"])
def test_an_archive_has_one_file(database: str, tmp_path: Path, suffix: str) -> None:
    with pytest.raises(errors.UsageError, match=r"expected one file in .*, found 2"):
        count_in(packed(database, tmp_path / f"two.{suffix}", "a.db", "b.db"))
    with pytest.raises(errors.UsageError, match="is no zip or tar archive"):
        count_in(Path(database))


def test_a_setting_is_not_given_twice() -> None:
    def made(**settings: Any) -> SQLTask:
        return SQLTask(name="twice", query_template="select 1", **settings)

    assert made(metadata=TaskMetadata(retries=3), retries=3).settings.retries == 3
    assert made(metadata=TaskMetadata(), retries=3).settings.retries == 3
    with pytest.raises(errors.UsageError, match=r"retries of a task is given by itself and in its metadata.*\n +Leave"):
        made(metadata=TaskMetadata(retries=3), retries=2)
