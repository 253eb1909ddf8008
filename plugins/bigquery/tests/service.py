"""What the emulator lacks of the service, in front of it: jobs that take time, are cancelled, and fail.

The emulator runs a query while it is submitted. Here a job is accepted at once and handed to the emulator when its time has
come, so that it has the states of a real one; everything else goes to the emulator as it is. What is to happen to a job is
written into a comment of its query, as ``/* seconds: 2; fails: backendError */``:

- ``seconds``: how long the job runs;
- ``fails``: the reason with which it ends, after it has run;
- ``refused``: the HTTP status and reason with which the first submission is answered, as ``503 backendError``;
- ``breaks``: the connection ends after the job was accepted, without an answer;
- ``reads``: how many bytes a dry run says that it reads;
- ``warns``: a warning of a job that succeeds.

A query with a destination is run as CREATE TABLE, because the emulator writes no destinations; and the table that a load job
replaces is deleted first, because the emulator would keep its columns. Requests reach the emulator one after the other: it gives
rows of one table for those of another when two are read at once.
"""

from __future__ import annotations

import dataclasses
import json
import re
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_JOBS = re.compile(r"/bigquery/v2/projects/([^/]+)/jobs")
_JOB = re.compile(r"/bigquery/v2/projects/([^/]+)/jobs/([^/?]+)(/cancel)?")
_RESULTS = re.compile(r"/bigquery/v2/projects/([^/]+)/queries/([^/?]+)")
_WISH = re.compile(r"(\w+): *([^;*]+?) *(?=;|\*/)")


def wishes_of(query: str) -> dict[str, str]:
    """Return what a query's comment says about its job."""
    comment = re.search(r"/\*.*?\*/", query)
    return dict(_WISH.findall(comment[0])) if comment else {}


@dataclasses.dataclass
class Job:
    """A job that was accepted.

    Attributes:
        resource: What the client sent.
        ends_at: When it ends, by the monotonic clock.
        done: The resource of the ended job.
        lock: Held while it is looked at.
    """

    resource: dict[str, Any]
    ends_at: float
    done: dict[str, Any] | None = None
    lock: threading.Lock = dataclasses.field(default_factory=threading.Lock)


class Service:
    """The front, on a port of its own.

    Args:
        emulator: URL of the emulator.

    Attributes:
        requests: Method and path of every request so far.
        away: Whether connections end without an answer, as those of a service that is out of reach.
    """

    def __init__(self, emulator: str) -> None:
        self.emulator = emulator
        self.requests: list[tuple[str, str]] = []
        self._jobs: dict[tuple[str, str], Job] = {}
        self._refused: set[str] = set()
        self.away = False
        self._lock = threading.Lock()
        self._one_by_one = threading.Lock()
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

            def handle_any(self) -> None:
                size = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(size)
                answer = service.answer(self.command, self.path, body, dict(self.headers))
                if answer is None:
                    self.close_connection = True
                    return
                status, kind, data, headers = answer
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = handle_any  # noqa: N815 - the names that the base class calls

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def started(self, *, marked: str) -> int:
        """Return how many jobs were accepted whose query has a text in it."""
        return sum(marked in job.resource["configuration"]["query"]["query"] for job in self._jobs.values())

    def configuration(self, *, marked: str) -> dict[str, Any]:
        """Return the configuration of the only job whose query has a text in it."""
        (found,) = [
            job.resource["configuration"]
            for job in self._jobs.values()
            if marked in job.resource["configuration"]["query"]["query"]
        ]
        return found  # type: ignore[no-any-return]

    def answer(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, str, bytes, dict[str, str]] | None:
        """Answer a request; None to end the connection without an answer."""
        self.requests.append((method, path))
        if self.away:
            return None
        plain = path.partition("?")[0]
        if method == "POST" and (match := _JOBS.fullmatch(plain)):
            resource = json.loads(body)
            if "query" in resource.get("configuration", {}):
                return self._insert(match[1], resource)
        if plain.startswith("/upload/") and method == "POST":
            self._drop_what_is_replaced(body)
        if match := _JOB.fullmatch(plain):
            job = self._jobs.get((match[1], match[2]))
            if job is not None:
                if match[3]:
                    self._cancel(match[2], job)
                    return _json(
                        200, {"kind": "bigquery#jobCancelResponse", "job": self._seen(match[1], match[2], job)}
                    )
                return _json(200, self._seen(match[1], match[2], job))
        if match := _RESULTS.fullmatch(plain):
            job = self._jobs.get((match[1], match[2]))
            if job is not None:
                self._seen(match[1], match[2], job)
        return self._forward(method, path, body, headers)

    def _drop_what_is_replaced(self, body: bytes) -> None:
        """Delete the table that a load job replaces."""
        load = json.loads(body)["configuration"]["load"]
        if load.get("writeDisposition") == "WRITE_TRUNCATE":
            table = "projects/{projectId}/datasets/{datasetId}/tables/{tableId}".format(**load["destinationTable"])
            self._forward("DELETE", f"/bigquery/v2/{table}", b"")

    def _insert(self, project: str, resource: dict[str, Any]) -> tuple[int, str, bytes, dict[str, str]] | None:
        query = resource["configuration"]["query"]["query"]
        wishes = wishes_of(query)
        if resource["configuration"].get("dryRun"):
            status, _, data, _ = self._forward(
                "POST", f"/bigquery/v2/projects/{project}/jobs", json.dumps(resource).encode()
            )
            answer = json.loads(data)
            if status == 200:
                answer["statistics"]["totalBytesProcessed"] = wishes.get("reads", "0")
                answer["statistics"]["query"]["totalBytesProcessed"] = wishes.get("reads", "0")
            return _json(status, answer)
        name = resource["jobReference"]["jobId"]
        with self._lock:
            if "refused" in wishes and name not in self._refused:
                self._refused.add(name)
                status_text, _, reason = wishes["refused"].partition(" ")
                return _error(int(status_text), reason, f"the service says {reason}")
            if (project, name) in self._jobs:
                return _error(409, "duplicate", f"Already Exists: Job {project}:US.{name}")
            ends_at = time.monotonic() + float(wishes.get("seconds", 0))
            job = self._jobs[project, name] = Job(resource, ends_at)
        if "breaks" in wishes:
            return None
        return _json(200, self._seen(project, name, job))

    def _seen(self, project: str, name: str, job: Job) -> dict[str, Any]:
        """Return the resource of a job, which is run now if its time has come."""
        with job.lock:
            if job.done is None and time.monotonic() >= job.ends_at:
                job.done = self._run(project, name, job)
            return job.done or _resource(project, name, job.resource, {"state": "RUNNING"})

    def _run(self, project: str, name: str, job: Job) -> dict[str, Any]:
        resource = json.loads(json.dumps(job.resource))
        asked = resource["configuration"]["query"]
        wishes = wishes_of(asked["query"])
        if "fails" in wishes:
            return _failed(project, name, job, wishes["fails"], f"the job ended with {wishes['fails']}")
        target = asked.pop("destinationTable", None)
        if target is not None:
            asked["query"] = (
                "CREATE OR REPLACE TABLE `{projectId}.{datasetId}.{tableId}` AS ".format(**target) + asked["query"]
            )
        status, _, data, _ = self._forward(
            "POST", f"/bigquery/v2/projects/{project}/jobs", json.dumps(resource).encode()
        )
        done: dict[str, Any] = json.loads(data)
        if status != 200:
            return _failed(project, name, job, done["error"]["errors"][0]["reason"], done["error"]["message"])
        if target is not None:
            done["configuration"]["query"]["destinationTable"] = target
        if "warns" in wishes:
            done["status"]["errors"] = [{"reason": "invalid", "message": wishes["warns"]}]
        for statistics in (done["statistics"], done["statistics"]["query"]):
            statistics["totalBytesProcessed"] = statistics["totalBytesBilled"] = wishes.get("reads", "0")
        return done

    def _cancel(self, name: str, job: Job) -> None:
        with job.lock:
            if job.done is None:
                project = job.resource["jobReference"]["projectId"]
                message = "Job execution was cancelled: User requested cancellation"
                job.done = _failed(project, name, job, "stopped", message)

    def _forward(
        self, method: str, path: str, body: bytes, headers: dict[str, str] | None = None
    ) -> tuple[int, str, bytes, dict[str, str]]:
        kept = {name: value for name, value in (headers or {}).items() if name.lower() not in _OF_THE_CONNECTION}
        request = urllib.request.Request(
            self.emulator + path, body or None, {"Content-Type": "application/json", **kept}, method=method
        )
        try:
            with self._one_by_one, urllib.request.urlopen(request, timeout=60) as response:
                moved = {name: response.headers[name] for name in ("Location", "Range") if name in response.headers}
                moved = {name: value.replace(self.emulator, self.url) for name, value in moved.items()}
                return response.status, response.headers.get("Content-Type", ""), response.read(), moved
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.headers.get("Content-Type", ""), refusal.read(), {}


_OF_THE_CONNECTION = {"host", "content-length", "connection", "accept-encoding"}


def _json(status: int, data: Any) -> tuple[int, str, bytes, dict[str, str]]:
    return status, "application/json", json.dumps(data).encode(), {}


def _error(status: int, reason: str, message: str) -> tuple[int, str, bytes, dict[str, str]]:
    errors = [{"reason": reason, "message": message, "domain": "global"}]
    return _json(status, {"error": {"code": status, "message": message, "errors": errors, "status": reason}})


def _resource(project: str, name: str, resource: dict[str, Any], status: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": "bigquery#job",
        "id": f"{project}:US.{name}",
        "jobReference": {"projectId": project, "jobId": name, "location": "US"},
        "configuration": resource["configuration"],
        "status": status,
        "statistics": {"creationTime": "0", "query": {}},
    }


def _failed(project: str, name: str, job: Job, reason: str, message: str) -> dict[str, Any]:
    error = {"reason": reason, "message": message}
    return _resource(project, name, job.resource, {"state": "DONE", "errorResult": error, "errors": [error]})
