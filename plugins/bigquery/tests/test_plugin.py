"""What the plugin registers, its example and its README."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from service import Service

from alula_bigquery import BigQueryTask, plugin
from alula_kernel.plugins import load_plugins

FOLDER = Path(__file__).parents[1]


@pytest.fixture
def names(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data set of the examples, and one that is written to."""
    monkeypatch.setenv("ALULA_BIGQUERY_PROJECT", "bigquery-public-data")
    rows = "('TX', 1990, 'Ada', 7), ('TX', 2001, 'Ada', 2), ('TX', 1985, 'Bob', 4), ('CA', 1985, 'Eve', 9)"
    columns = "STRUCT<state STRING, year INT64, name STRING, number INT64>"
    for statement in (
        "CREATE SCHEMA IF NOT EXISTS usa_names",
        f"CREATE OR REPLACE TABLE usa_names.usa_1910_2013 AS SELECT * FROM UNNEST(ARRAY<{columns}>[{rows}])",
    ):
        BigQueryTask("prepare", statement)()
    monkeypatch.setenv("ALULA_BIGQUERY_PROJECT", "my-project")
    BigQueryTask("prepare", "CREATE SCHEMA IF NOT EXISTS my_dataset")()


def test_it_is_found_by_its_entry_point() -> None:
    found = {info.name: info for info in load_plugins().describe()}
    assert found["bigquery"].distribution == "alula-bigquery"
    assert found["bigquery"].error == ""
    assert found["bigquery"].registers == {
        "executors": ["bigquery"],
        "task_types": ["bigquery"],
        "type_transformers": ["bigquery-tables"],
    }


def test_its_task_type_names_an_importable_class() -> None:
    (task_type,) = plugin.alula_task_types()
    module, _, name = task_type.task_class.rpartition(".")
    assert getattr(__import__(module, fromlist=[name]), name).task_type == task_type.name


def test_importing_the_plugin_is_cheap() -> None:
    heavy = ("google.cloud.bigquery", "google.auth", "pyarrow", "pandas", "requests")
    code = (
        "import sys, alula_bigquery.plugin as plugin\n"
        "plugin.alula_task_types(); plugin.alula_task_executors(); plugin.alula_type_transformers()\n"
        f"print([m for m in {heavy} if m in sys.modules])\n"
        "from alula_bigquery import BigQueryTask\n"
        f"BigQueryTask('n', 'SELECT 1'); print([m for m in {heavy} if m in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[]", "[]"]


def test_an_unknown_name_of_the_package_is_refused() -> None:
    import alula_bigquery

    with pytest.raises(AttributeError, match="BigQueryJob"):
        _ = alula_bigquery.BigQueryJob


@pytest.mark.usefixtures("names")
def test_the_example(tmp_path: Path) -> None:
    shutil.copy(FOLDER / "examples" / "names.py", tmp_path)
    done = subprocess.run(
        [sys.executable, "-m", "alula", "run", "names.py", "popular", "--state", "TX"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Ada leads before Bob by 5" in done.stdout


@pytest.mark.usefixtures("names")
def test_the_programs_of_the_readme(tmp_path: Path) -> None:
    parts = re.findall(r"```python\n(.*?)```", (FOLDER / "README.md").read_text(), re.DOTALL)
    (tmp_path / "readme.py").write_text("\n".join(parts))
    done = subprocess.run([sys.executable, "readme.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
