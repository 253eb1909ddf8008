"""Limits of memory and threads, spilling, and results larger than the memory."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import alula
from alula_duckdb import DuckDBQuery, QueryFailedError
from alula_kernel.errors import UsageError

pytestmark = pytest.mark.one_python


def rows(query: DuckDBQuery, **inputs: Any) -> list[dict[str, Any]]:
    return query(**inputs).open(pa.Table).all().to_pylist()  # type: ignore[no-any-return]


def test_limits_and_options_are_settings_of_the_connection(tmp_path: Path) -> None:
    query = DuckDBQuery(
        "settings",
        "SELECT current_setting('threads') AS threads, current_setting('memory_limit') AS memory, "
        "current_setting('temp_directory') AS folder, current_setting('default_null_order') AS nulls",
        memory_limit="100MiB",
        threads=1,
        temp_directory=str(tmp_path / "it's here"),
        options={"default_null_order": "nulls_first"},
    )
    (row,) = rows(query)
    assert row["threads"] == 1
    assert row["memory"] == "100.0 MiB"
    assert row["folder"] == str(tmp_path / "it's here")
    assert "nulls_first" in row["nulls"].lower()


def test_without_a_folder_one_of_the_attempt_is_used_and_removed() -> None:
    (row,) = rows(DuckDBQuery("folder", "SELECT current_setting('temp_directory') AS folder"))
    assert Path(row["folder"]).is_absolute()
    assert not Path(row["folder"]).exists()
    assert not Path(".tmp").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"no_such_setting": 1}, "DuckDB refuses the setting no_such_setting=1"),
        ({"memory_limit": "much"}, "DuckDB refuses the setting memory_limit='much'"),
    ],
)
def test_settings_that_duckdb_refuses_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        DuckDBQuery("refused", "SELECT 1 AS a", options=options)()


@pytest.mark.parametrize(("name", "value"), [("a = 1; DROP TABLE t; --", 1), ("threads", [1]), ("", 1)])
def test_what_is_no_setting_is_refused_where_the_task_is_made(name: str, value: Any) -> None:
    with pytest.raises(UsageError, match="setting"):
        DuckDBQuery("odd", "SELECT 1 AS a", options={name: value})


SORT = "SELECT md5(range::VARCHAR) AS key, range AS n FROM range(3000000) ORDER BY key"


def test_what_does_not_fit_into_memory_goes_to_disk(tmp_path: Path) -> None:
    spill = tmp_path / "spill"
    result = DuckDBQuery("sort", SORT, memory_limit="100MB", threads=2, temp_directory=str(spill))()
    assert result.rows == 3_000_000
    keys = [next(result.open(pa.Table).iter())["key"].to_pylist()]
    assert keys[0] == sorted(keys[0])
    assert not spill.exists() or list(spill.iterdir()) == []


def test_without_disk_the_limit_is_an_error() -> None:
    options = {"max_temp_directory_size": "1MB"}
    with pytest.raises(QueryFailedError, match=r"(?i)memory|size"):
        DuckDBQuery("limit", SORT, memory_limit="60MB", threads=2, options=options)()


def test_a_result_of_2_gb_stays_within_512_mb(alula_home: Path) -> None:
    """The whole process, interpreter and libraries included."""
    code = """
        import resource
        from pathlib import Path
        import pyarrow as pa
        from alula_duckdb import DuckDBQuery
        query = DuckDBQuery(
            "large",
            "SELECT range AS n, repeat(md5(range::VARCHAR), $times::INT) AS text FROM range($rows)",
            inputs={"rows": int, "times": int},
            memory_limit="200MB",
            threads=2,
        )
        result = query(rows=2_000_000, times=32)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        if (status := Path("/proc/self/status")).exists():  # Linux counts what the process was forked from in ru_maxrss
            (peak,) = (int(line.split()[1]) // 1024 for line in status.open() if line.startswith("VmHWM"))
        size = sum(batch["text"].nbytes for batch in result.open(pa.Table).iter())
        print(result.rows, size, peak)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False, cwd=alula_home
    )
    assert done.returncode == 0, done.stderr
    count, size, peak = map(int, done.stdout.split())
    assert count == 2_000_000
    assert size > 2_000_000_000
    assert peak < 512, f"the process took {peak} MB"


def test_a_stream_that_fails_leaves_no_connection_behind() -> None:
    query = DuckDBQuery("half", "SELECT CASE WHEN range > 200000 THEN error('late') END AS a FROM range(300000)")
    for _ in range(3):
        with pytest.raises(QueryFailedError, match="late"):
            query()
    assert isinstance(DuckDBQuery("fine", "SELECT 1 AS a")(), alula.DataFrame)
