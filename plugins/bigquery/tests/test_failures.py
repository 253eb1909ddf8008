"""What goes wrong: explained, told apart, tried again where that helps, and stopped before it costs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from google.cloud.bigquery import QueryJobConfig
from service import Service

import alula
from alula_bigquery import BigQueryConfig, BigQueryTask
from alula_bigquery.failures import failed
from alula_kernel.contracts import SYSTEM_FAILURE, TIMED_OUT, USER_FAILURE
from alula_kernel.errors import ArgumentError, TaskError, UsageError


def test_a_failing_query_is_explained(service: Service) -> None:
    task = BigQueryTask("bad", "SELECT 1,\n       SELEC 2", output_type=pa.Table)
    with pytest.raises(TaskError) as caught:
        task()
    told = str(caught.value)
    assert "invalidQuery: Syntax error" in told
    assert "job tests:US.alula-" in told


def test_the_line_that_is_meant_is_shown() -> None:
    error = {"reason": "invalidQuery", "message": "Unrecognized name: amuont at [2:8]", "location": "query"}
    outcome = failed(error, "job p:US.j", "SELECT id\n     , amuont\nFROM sales")
    assert outcome.error is not None
    assert outcome.error.message == (
        "invalidQuery: Unrecognized name: amuont at [2:8]\n         , amuont\n           ^\njob p:US.j"
    )


@pytest.mark.parametrize(
    ("reason", "kind", "recoverable", "hint"),
    [
        ("backendError", SYSTEM_FAILURE, True, ""),
        ("jobRateLimitExceeded", SYSTEM_FAILURE, True, ""),
        ("quotaExceeded", USER_FAILURE, True, "A quota of the project is used up"),
        ("bytesBilledLimitExceeded", USER_FAILURE, False, "raise maximum_bytes_billed"),
        ("accessDenied", USER_FAILURE, False, "roles/bigquery.jobUser"),
        ("notFound", USER_FAILURE, True, "location"),
    ],
)
def test_reasons_are_told_apart(reason: str, kind: str, recoverable: bool, hint: str) -> None:
    outcome = failed({"reason": reason, "message": "so it says", "location": "US"}, "job p:US.j", "SELECT 1")
    assert outcome.kind == kind
    assert outcome.error is not None
    assert (outcome.error.code, outcome.error.recoverable) == (reason, recoverable)
    assert outcome.error.message.startswith(f"{reason}: so it says (in US)")
    assert hint in outcome.error.message
    assert outcome.error.message.endswith("job p:US.j")


def test_a_job_that_the_service_timed_out() -> None:
    error = {"reason": "stopped", "message": "Job execution was cancelled: Job timed out after 60s"}
    assert failed(error, "", "SELECT 1").kind == TIMED_OUT


def test_a_transient_failure_is_tried_again_by_the_platform(service: Service) -> None:
    query = "SELECT 1 AS one /* fails: backendError */"
    with pytest.raises(TaskError, match="backendError"):
        BigQueryTask("flaky", query)()
    assert service.started(marked=query) > 1


def test_a_query_is_wrong_once(service: Service) -> None:
    query = "SELECT 1 AS wrong_once /* fails: invalidQuery */"
    with pytest.raises(TaskError, match="invalidQuery"):
        BigQueryTask("wrong", query)()
    assert service.started(marked=query) == 1
    query = "SELECT 1 AS wrong_thrice /* fails: invalidQuery */"
    with pytest.raises(TaskError, match="invalidQuery"):
        BigQueryTask("wrong", query, retries=2)()
    assert service.started(marked=query) == 3


@pytest.mark.parametrize("answer", ["503 backendError", "429 rateLimitExceeded", "403 rateLimitExceeded"])
def test_a_job_that_is_not_taken_now_is_submitted_again(service: Service, answer: str) -> None:
    query = f"SELECT 7 AS seven /* refused: {answer} */"
    assert BigQueryTask("later", query, output_type=pa.Table)().to_pylist() == [{"seven": 7}]
    assert service.started(marked=query) == 1


def test_a_job_that_is_never_taken_fails_with_the_reason(service: Service) -> None:
    with pytest.raises(TaskError, match=r"(?s)quotaExceeded: the service says quotaExceeded.*A quota of the project"):
        BigQueryTask("never", "SELECT 1 /* refused: 403 quotaExceeded */")()


def test_a_lost_answer_starts_no_second_job(service: Service) -> None:
    query = "SELECT 8 AS eight /* breaks: yes */"
    assert BigQueryTask("once", query, output_type=pa.Table)().to_pylist() == [{"eight": 8}]
    assert service.started(marked=query) == 1


def test_a_query_that_costs_too_much_does_not_run(service: Service) -> None:
    limited = BigQueryConfig(job_config=QueryJobConfig(maximum_bytes_billed=1_000_000))
    query = "SELECT 1 AS dear /* reads: 5000000 */"
    with pytest.raises(TaskError, match=r"(?s)would read 5,000,000 bytes.* allows 1,000,000; nothing has run.*raise"):
        BigQueryTask("dear", query, None, limited, retries=2)()
    assert service.started(marked=query) == 0
    cheap = "SELECT 1 AS cheap /* reads: 500000 */"
    assert BigQueryTask("cheap", cheap, None, limited, output_type=pa.Table)().num_rows == 1
    assert service.configuration(marked=cheap)["query"]["maximumBytesBilled"] == "1000000"


def test_rows_that_are_declared_and_not_given_are_missed(service: Service) -> None:
    with pytest.raises(
        TaskError, match=r"(?s)the query gave no rows: it ended with CREATE_SCHEMA.*leave output_type out"
    ):
        BigQueryTask("none", "CREATE SCHEMA without_rows", output_type=pa.Table)()


def test_a_time_limit_cancels_the_job(service: Service) -> None:
    query = "SELECT 1 AS slow /* seconds: 600 */"
    with pytest.raises(TaskError, match="ran longer"):
        BigQueryTask("slow", query, timeout=0.5)()
    assert any("/cancel" in path for _, path in service.requests)
    assert service.configuration(marked=query)["jobTimeoutMs"] == "60500"


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({"job_config": QueryJobConfig(dry_run=True)}, r"(?s)sets dryRun.*maximum_bytes_billed"),
        ({"job_config": QueryJobConfig(use_legacy_sql=True)}, r"(?s)sets useLegacySql.*GoogleSQL"),
        ({"job_config": 3}, r"must be a QueryJobConfig, found int"),
        ({"project": ""}, r"project of a BigQueryConfig must be a text"),
        ({"credentials": b"{}"}, r"(?s)must be a Secret or the key of one, found bytes"),
    ],
)
def test_wrong_configs_are_told(config: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        BigQueryConfig(**config)


def test_no_query_and_another_config() -> None:
    with pytest.raises(UsageError, match="has no query"):
        BigQueryTask("empty", " ")
    with pytest.raises(UsageError, match="must be a BigQueryConfig, found dict"):
        BigQueryTask("other", "SELECT 1", None, {"project": "p"}).spec(alula.current_app())  # type: ignore[arg-type]


# --- credentials and settings ---


@pytest.fixture
def google(service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No emulator: Google's own service, which no test gets as far as to ask."""
    monkeypatch.delenv("BIGQUERY_EMULATOR_HOST")
    for variable in ("GOOGLE_CLOUD_PROJECT", "ALULA_BIGQUERY_PROJECT"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    return tmp_path


def test_missing_credentials_are_told_before_anything_runs(google: Path) -> None:
    ran = []

    @alula.task
    def first() -> int:
        ran.append(1)
        return 1

    query = BigQueryTask("query", "SELECT @n", {"n": int}, BigQueryConfig("my-project"))

    @alula.workflow
    def flow() -> None:
        query(n=first())

    with pytest.raises(UsageError, match=r"(?s)task .*query has no credentials.*gcloud auth application-default login"):
        flow()
    assert ran == []


def test_a_missing_secret_is_told_with_the_places(google: Path) -> None:
    task = BigQueryTask("query", "SELECT 1", None, BigQueryConfig("my-project", credentials="warehouse-key"))
    with pytest.raises(ArgumentError, match=r"(?s)no secret 'warehouse-key'.*ALULA_SECRET_WAREHOUSE_KEY"):
        task()


def test_a_secret_that_is_no_key_file_is_not_shown(google: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALULA_SECRET_WAREHOUSE", "not-for-your-eyes")
    task = BigQueryTask("query", "SELECT 1", None, BigQueryConfig("my-project", credentials=alula.Secret("warehouse")))
    with pytest.raises(UsageError, match="is no key file of Google Cloud") as caught:
        task()
    assert "not-for-your-eyes" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_the_key_in_a_secret_says_the_project(google: Path) -> None:
    from alula_bigquery.clients import find_account

    key = {
        "type": "authorized_user",
        "client_id": "c",
        "client_secret": "s",
        "refresh_token": "r",
        "quota_project_id": "q",
    }
    account = find_account("mine", json.dumps(key).encode(), "a test")
    assert account.project == "mine"
    assert account.credentials.quota_project_id == "q"
    with pytest.raises(UsageError, match="is no key file"):
        find_account("mine", json.dumps({**key, "type": "external_account"}).encode(), "a test")
    with pytest.raises(UsageError, match=r"(?s)a test has no project.*ALULA_BIGQUERY_PROJECT"):
        find_account("", json.dumps(key).encode(), "a test")


def test_project_and_location_come_from_the_settings(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALULA_BIGQUERY_PROJECT", "of-the-settings")
    monkeypatch.setenv("ALULA_BIGQUERY_LOCATION", "europe-west3")
    run = alula.run(BigQueryTask("where", "SELECT 1 -- by settings", report=True))
    assert any("/projects/of-the-settings/jobs" in path for _, path in service.requests)
    assert run.phase == "succeeded"
    BigQueryTask("where", "SELECT 1 -- by config", None, BigQueryConfig("of-the-config", "EU"))()
    assert any("/projects/of-the-config/jobs" in path for _, path in service.requests)


_WITHOUT_LIBRARY = """
import importlib.util

find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == "google.cloud.bigquery" else find(name, *rest)

from alula_bigquery import BigQueryTask

try:
    BigQueryTask("query", "SELECT 1")()
except Exception as problem:
    print(type(problem).__name__, problem)
"""


def test_a_missing_library_is_named(service: Service, tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(_WITHOUT_LIBRARY)
    done = subprocess.run([sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "MissingDependencyError" in done.stdout, done.stderr
    assert "pip install google-cloud-bigquery" in done.stdout
