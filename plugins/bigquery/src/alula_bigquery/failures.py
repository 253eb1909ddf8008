"""Why jobs fail: what BigQuery says, whose fault it is, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from alula_kernel.contracts import CANCELLED, SYSTEM_FAILURE, TIMED_OUT, USER_FAILURE, Outcome
from alula_kernel.errors import MAX_MESSAGE_CHARS, ActionError

BUSY = frozenset({"rateLimitExceeded", "jobRateLimitExceeded"})
"""Reasons for which a job is refused now and taken later."""

_TRANSIENT = BUSY | {
    "backendError",
    "internalError",
    "jobBackendError",
    "jobInternalError",
    "tableUnavailable",
    "timeout",
    "badGateway",
    "serviceUnavailable",
}
"""Reasons that are not the query's; the list is in Google's "Error messages" of BigQuery, with what each asks to do."""

_HINTS = {
    "quotaExceeded": "A quota of the project is used up; the message says which. Wait until it is filled again, or ask for "
    "more: https://cloud.google.com/bigquery/quotas.",
    "bytesBilledLimitExceeded": "Read less, as fewer columns or partitions, or raise maximum_bytes_billed in job_config.",
    "accessDenied": "Grant the account a role that may do this, as roles/bigquery.jobUser and roles/bigquery.dataViewer.",
    "billingNotEnabled": "Enable billing for the project.",
    "notFound": "Check the names, and that BigQueryConfig(location=...) is where the tables are.",
    "responseTooLarge": "Give job_config a destination and allow_large_results.",
    "resourcesExceeded": "Split the query into steps with tables in between, or order and aggregate less at once.",
}

_USELESS_AGAIN = frozenset({"bytesBilledLimitExceeded", "accessDenied", "billingNotEnabled"})


def is_transient(problem: BaseException) -> bool:
    """Tell whether a request may succeed when it is made again."""
    from google.api_core.exceptions import GoogleAPICallError, RetryError, ServerError, TooManyRequests
    from google.auth.exceptions import TransportError
    from requests import RequestException

    if isinstance(problem, GoogleAPICallError):
        return isinstance(problem, (ServerError, TooManyRequests)) or reason_of(problem) in _TRANSIENT
    return isinstance(problem, (RetryError, TransportError, RequestException))


def reason_of(problem: BaseException) -> str:
    """Return the reason that BigQuery gives for an error; empty if there is none."""
    errors: Any = getattr(problem, "errors", None)
    first = errors[0] if isinstance(errors, (list, tuple)) and errors else None
    return str(first.get("reason", "")) if isinstance(first, Mapping) else ""


def told(problem: BaseException) -> str:
    """Return what an error of Google's client says, in one line."""
    text = str(getattr(problem, "message", "") or problem).strip()
    return text.partition("\n")[0][:1_000] or type(problem).__name__


def refused(problem: BaseException, query: str) -> Outcome:
    """Return the outcome of a job that BigQuery did not take."""
    errors: Any = getattr(problem, "errors", None)
    first = errors[0] if isinstance(errors, (list, tuple)) and errors and isinstance(errors[0], Mapping) else {}
    return failed({"reason": "refused", "message": told(problem), **first}, "", query)


def failed(error: Mapping[str, Any], job: str, query: str) -> Outcome:
    """Return the outcome of a job that failed.

    Args:
        error: What BigQuery says: an ``ErrorProto`` of its REST API.
        job: Where the job can be seen, for the message; empty if there is none.
        query: The query, of which the line is shown that BigQuery names.
    """
    reason, message = str(error.get("reason") or "unknown"), str(error.get("message") or "").strip()
    if reason == "stopped":
        if "timed out" in message.lower():
            return Outcome(kind=TIMED_OUT, error=_error("Timeout", message, job=job))
        return Outcome(kind=CANCELLED, error=_error("Aborted", message or "cancelled", recoverable=False))
    place = str(error.get("location") or "")
    where = f" (in {place})" if place not in {"", "query", "q"} else ""
    lines = [f"{reason}: {message}{where}"]
    if shown := _line_of(message, query):
        lines.append(shown)
    if hint := _HINTS.get(reason):
        lines.append(hint)
    text = "\n".join(lines)
    if reason in _TRANSIENT:
        return Outcome(kind=SYSTEM_FAILURE, error=_error(reason, text, kind="system", job=job))
    return Outcome(kind=USER_FAILURE, error=_error(reason, text, job=job, recoverable=reason not in _USELESS_AGAIN))


def _error(code: str, message: str, *, kind: str = "user", job: str = "", recoverable: bool = True) -> ActionError:
    room = MAX_MESSAGE_CHARS - len(job) - 1
    text = f"{message[:room]}\n{job}" if job else message[:room]
    return ActionError(code=code, message=text, kind=kind, recoverable=recoverable)


def _line_of(message: str, query: str) -> str:
    """Return the line of the query that a message names as ``at [3:14]``, with a mark below the column."""
    import re

    match = re.search(r"\[(\d+):(\d+)\]", message)
    lines = query.split("\n")
    if match is None or not 1 <= int(match[1]) <= len(lines):
        return ""
    line, column = lines[int(match[1]) - 1].replace("\t", " "), int(match[2])
    return f"    {line}\n    {' ' * (column - 1)}^" if 1 <= column <= len(line) + 1 and len(line) <= 200 else ""
