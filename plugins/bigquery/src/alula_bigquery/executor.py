"""The executor: one job of BigQuery per attempt."""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import re
import time
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from alula_kernel.contracts import (
    LOST,
    SUCCEEDED,
    Attempt,
    Controller,
    ExecutorBusyError,
    ExecutorContext,
    Handle,
    Outcome,
    TaskExecutor,
)
from alula_kernel.errors import ActionError, EngineError, StorageError, UsageError
from alula_kernel.specs import TaskSpec
from alula_kernel.worker_protocol import attempt_uri, load_attempt, load_outcome, store_attempt, store_outcome

from .clients import LOCATION_VARIABLE, Account, Clients
from .config import secret_of
from .failures import BUSY, failed, is_transient, reason_of, refused, told

if TYPE_CHECKING:
    from google.cloud.bigquery import Client, QueryJob, QueryJobConfig

T = TypeVar("T")

_FIRST_POLL_SECONDS = 0.1
_LONGEST_POLL_SECONDS = 5.0
_REQUEST_SECONDS = 60.0
_THREADS = 8


class BigQueryExecutor(TaskExecutor):
    """Runs each attempt as a job. The job's id follows from the attempt, so that it is started once whatever happens here.

    Jobs go on when this process dies: the handle is enough to wait for one elsewhere, or to cancel it.

    Args:
        unreachable_seconds: How long BigQuery may be out of reach before its jobs count as lost.
    """

    name = "bigquery"
    task_types = ("bigquery",)

    def __init__(self, unreachable_seconds: float = 600.0) -> None:
        self._unreachable_seconds = unreachable_seconds
        self._context: ExecutorContext | None = None
        self._clients = Clients()
        self._pool: ThreadPoolExecutor | None = None

    def open(self, context: ExecutorContext) -> None:
        self._context = context

    @property
    def _opened(self) -> ExecutorContext:
        if self._context is None:
            raise EngineError("executor bigquery was used before it was opened")
        return self._context

    def validate(self, task: TaskSpec) -> None:
        """Refuse a task that has no query, no credentials or no project.

        Raises:
            UsageError: It has none; the message says what to do.
            MissingDependencyError: Google's client is not installed.
        """
        if task.type != "bigquery":
            raise UsageError(
                f"task {task.id.name} is no BigQuery task, and the executor bigquery runs nothing else",
                hint="Declare it with BigQueryTask(...), or choose another executor.",
            )
        self._account(task)

    async def submit(self, attempt: Attempt, controller: Controller) -> Handle:
        return await self._in_thread(lambda: self._submit(attempt))

    async def wait(self, handle: Handle) -> Outcome:
        pause, since = _FIRST_POLL_SECONDS, time.monotonic()
        while True:
            try:
                outcome = await self._in_thread(lambda: self._look(handle))
                since = time.monotonic()
            except Exception as problem:
                # The job goes on however long BigQuery cannot be asked about it.
                if not is_transient(problem):
                    raise
                outcome = None
                if time.monotonic() - since > self._unreachable_seconds:
                    message = f"BigQuery was out of reach for {self._unreachable_seconds:g} s: {told(problem)}"
                    outcome = _lost(f"{message}\nThe job {handle['job']} may still run in {handle['project']}.")
            if outcome is not None:
                return outcome
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_POLL_SECONDS)

    async def cancel(self, handle: Handle) -> None:
        await self._in_thread(lambda: self._cancel(handle))

    async def logs(self, handle: Handle, *, follow: bool = True) -> AsyncIterator[bytes]:
        """Yield where the job is to be seen and, when it has ended, what it took and what BigQuery warned of."""
        job = await self._in_thread(lambda: self._job(handle))
        if job is None:
            return
        yield f"{_shown(job, self._account_of(handle))}\n".encode()
        pause = _FIRST_POLL_SECONDS
        while follow and job is not None and job.state != "DONE":
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_POLL_SECONDS)
            job = await self._in_thread(lambda: self._job(handle))
        if job is not None and job.state == "DONE":
            for line in _account_of_costs(job):
                yield f"{line}\n".encode()

    def close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None
        self._clients.close()

    # --- in threads, since Google's client blocks ---

    async def _in_thread(self, function: Callable[[], T]) -> T:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="alula-bigquery")
        context = contextvars.copy_context()
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: context.run(function))

    def _account(self, task: TaskSpec) -> Account:
        where = f"task {task.id.name}"
        secret = secret_of(task.custom)
        key = self._opened.secret(secret) if secret is not None else None
        return self._clients.account(task.custom.get("project") or "", key, where)

    def _account_of(self, handle: Handle) -> Account:
        secret = secret_of(handle)
        key = self._opened.secret(secret) if secret is not None else None
        return self._clients.account(str(handle["project"]), key, f"the job {handle['job']}")

    def _client(self, handle: Handle) -> Client:
        return self._clients.client(self._account_of(handle))

    def _submit(self, attempt: Attempt) -> Handle:
        custom = attempt.task.custom
        account = self._account(attempt.task)
        handle = {
            "job": f"alula-{hashlib.sha256(attempt.identity.encode()).hexdigest()[:40]}",
            "project": account.project,
            "location": custom.get("location") or _variable(LOCATION_VARIABLE),
            "prefix": attempt.output_prefix,
            **({"credentials": custom["credentials"]} if "credentials" in custom else {}),
        }
        storage = self._opened.storage
        if load_outcome(storage, attempt.output_prefix) is not None:
            return handle
        store_attempt(storage, attempt)
        try:
            job = self._start(self._clients.client(account), attempt, handle)
        except Exception as problem:
            if reason_of(problem) in BUSY:
                raise ExecutorBusyError(f"BigQuery takes no job now: {told(problem)}") from problem
            if is_transient(problem) or not _is_refusal(problem):
                raise
            store_outcome(storage, attempt, refused(problem, custom["query"]))
            return handle
        return {**handle, "location": job.location or handle["location"]} if job is not None else handle

    def _start(self, client: Client, attempt: Attempt, handle: Handle) -> QueryJob | None:
        """Start the job of an attempt, or find it; None if it must not be started, for which there is an outcome."""
        from google.api_core.exceptions import Conflict

        query, config = attempt.task.custom["query"], _job_config(attempt)
        request = _request(handle)
        try:
            if config.maximum_bytes_billed is not None:
                too_much = _beyond_the_limit(client, query, config, request)
                if too_much is not None:
                    store_outcome(self._opened.storage, attempt, too_much)
                    return None
            return client.query(query, job_config=config, job_id=handle["job"], job_retry=None, **request)
        except Conflict as problem:
            # It was started before. BigQuery keeps it where it ran, which is known only from what it says.
            found = re.search(r"Already Exists: Job [^ ]*:([\w-]+)\.alula-", str(problem))
            if found is not None:
                request["location"] = found[1]
            job: QueryJob = client.get_job(handle["job"], **request)
            return job

    def _job(self, handle: Handle) -> QueryJob | None:
        """Return the job of a handle; None if there is none."""
        from google.api_core.exceptions import BadRequest, NotFound

        try:
            job: QueryJob = self._client(handle).get_job(handle["job"], **_request(handle))
        except (BadRequest, NotFound):
            return None
        return job

    def _cancel(self, handle: Handle) -> None:
        from google.api_core.exceptions import BadRequest, NotFound

        try:
            self._client(handle).cancel_job(handle["job"], **_request(handle))
        except (BadRequest, NotFound):
            return

    def _look(self, handle: Handle) -> Outcome | None:
        """Return the outcome of an attempt; None if its job has not ended."""
        storage = self._opened.storage
        stored = load_outcome(storage, handle["prefix"])
        if stored is not None:
            return stored
        job = self._job(handle)
        if job is None:
            return _lost(f"BigQuery knows no job {handle['job']} in {handle['project']} {handle['location']}".rstrip())
        if job.state != "DONE":
            return None
        try:
            attempt = load_attempt(storage, attempt_uri(handle["prefix"]))
        except StorageError as problem:
            return _lost(problem.message)
        outcome = self._ended(job, attempt, self._account_of(handle))
        store_outcome(storage, attempt, outcome)
        return outcome

    def _ended(self, job: QueryJob, attempt: Attempt, account: Account) -> Outcome:
        from msgspec.structs import replace

        from .results import report, results_of

        if job.error_result:
            outcome = failed(job.error_result, _shown(job, account), attempt.task.custom["query"])
        else:
            outcome = Outcome(kind=SUCCEEDED)
            if "results" in attempt.task.interface.outputs:
                outcome = results_of(job, attempt, self._opened.storage, self._clients.client(account), account)
        page = report(job, attempt, self._opened.storage, _shown(job, account)) if attempt.task.report else ""
        return replace(outcome, report=page, resources=_costs(job))


def _variable(name: str) -> str:
    import os

    return os.environ.get(name, "")


def _lost(message: str) -> Outcome:
    return Outcome(kind=LOST, error=ActionError(code="Lost", message=message, kind="system"))


def _request(handle: Handle) -> dict[str, Any]:
    """Return where the job of a handle is, and for how long to ask about it, as Google's client takes it."""
    return {
        "project": handle["project"],
        "location": handle["location"] or None,
        "timeout": _REQUEST_SECONDS,
        "retry": _retry(),
    }


def _retry() -> Any:
    """Return how often a request is made again: for a while, but not where the engine knows better when to."""
    from google.cloud.bigquery import DEFAULT_RETRY

    def may_help(problem: BaseException) -> bool:
        return is_transient(problem) and reason_of(problem) not in BUSY

    return DEFAULT_RETRY.with_predicate(may_help).with_timeout(_REQUEST_SECONDS)


def _is_refusal(problem: BaseException) -> bool:
    """Tell whether BigQuery has looked at a request and said no."""
    from google.api_core.exceptions import ClientError, Unauthorized

    return isinstance(problem, ClientError) and not isinstance(problem, Unauthorized)


_LABEL = re.compile(r"[^a-z0-9_-]")


def _job_config(attempt: Attempt) -> QueryJobConfig:
    """Return the config of an attempt's job: what the author gave, the inputs as parameters, and who runs it as labels."""
    from google.cloud.bigquery import QueryJobConfig

    from .parameters import parameter
    from .sql import parameters_of

    given: dict[str, Any] = attempt.task.custom.get("job") or {}
    asked: dict[str, Any] = {"useLegacySql": False, **given.get("query", {})}
    named = {name.lower() for name in parameters_of(attempt.task.custom["query"])}
    inputs = {name: found for name, found in attempt.task.interface.inputs.items() if name.lower() in named}
    if inputs:
        bound = [parameter(name, variable.type, attempt.inputs[name]) for name, variable in inputs.items()]
        asked["queryParameters"] = [*asked.get("queryParameters", ()), *bound]
        asked["parameterMode"] = "NAMED"
    labels = {"alula-project": attempt.project, "alula-domain": attempt.domain, "alula-run": attempt.run}
    labels["alula-task"] = attempt.task.id.name
    made = {name: _LABEL.sub("_", text.lower())[:63] for name, text in labels.items()}
    job = {**given, "query": asked, "labels": {**made, **given.get("labels", {})}}
    if attempt.timeout_seconds is not None:
        # The engine cancels a job in time; should it die, the service ends the job a little later.
        job.setdefault("jobTimeoutMs", str(round((attempt.timeout_seconds + 60) * 1000)))
    config: QueryJobConfig = QueryJobConfig.from_api_repr(job)
    return config


def _beyond_the_limit(client: Client, query: str, config: QueryJobConfig, request: Mapping[str, Any]) -> Outcome | None:
    """Return why a query must not run, if a dry run says that it reads more than is to be paid for.

    BigQuery keeps the limit too, but says neither how much it would be nor, for some jobs, before some of it was read.
    """
    from google.cloud.bigquery import QueryJobConfig

    trial = QueryJobConfig.from_api_repr(config.to_api_repr())
    trial.dry_run = True
    estimate: int = client.query(query, job_config=trial, **request).total_bytes_processed or 0
    limit: int = config.maximum_bytes_billed
    if estimate <= limit:
        return None
    message = f"the query would read {estimate:,} bytes, and maximum_bytes_billed allows {limit:,}; nothing has run"
    return failed({"reason": "bytesBilledLimitExceeded", "message": message}, "", query)


def _shown(job: QueryJob, account: Account) -> str:
    """Say which job it is, and where a person can look at it."""
    name = f"job {job.project}:{job.location}.{job.job_id}"
    if account.url:
        return f"{name} at {account.url}"
    place = f"project={job.project}&j=bq:{job.location}:{job.job_id}&page=queryresults"
    return f"{name}: https://console.cloud.google.com/bigquery?{place}"


def _costs(job: QueryJob) -> dict[str, float]:
    given = {
        "bytes_processed": job.total_bytes_processed,
        "bytes_billed": job.total_bytes_billed,
        "slot_milliseconds": job.slot_millis,
    }
    return {name: float(amount) for name, amount in given.items() if amount is not None}


def _account_of_costs(job: QueryJob) -> list[str]:
    lines = [f"{name.replace('_', ' ')}: {amount:,.0f}" for name, amount in _costs(job).items()]
    if job.cache_hit:
        lines.append("the rows came from BigQuery's cache")
    errors = [job.error_result] if job.error_result else []
    warnings = [error for error in job.errors or () if error not in errors]
    lines += [f"failed: {error.get('reason')}: {error.get('message')}" for error in errors]
    return lines + [f"warning: {error.get('reason')}: {error.get('message')}" for error in warnings]
