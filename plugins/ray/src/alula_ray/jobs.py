"""Jobs on a cluster: each attempt is submitted through the Ray Jobs API."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import re
import shlex
import time
from collections.abc import AsyncIterator
from typing import Any

from alula_kernel.contracts import SYSTEM_FAILURE, USER_FAILURE, Attempt, Handle, Outcome
from alula_kernel.worker_protocol import attempt_uri

from .cluster import Cluster, cancelled, classified, failed, key_of, lost, pip_of, ray_resources, timed_out
from .keeper import NEEDS, write_outcome
from .messages import BridgeError, UnreachableError
from .session import IN_JOB

_FIRST_POLL_SECONDS = 0.2
_LONGEST_POLL_SECONDS = 2.0
_GRACE_SECONDS = 15.0
"""How much later than the worker, which keeps the time limit as far as Python can, a job is stopped: it has to start."""

_TAIL_CHARS = 2_000
_RAN = re.compile(r"entrypoint command failed with exit code (-?\d+)(?:.*?:\n)?(.*)", re.DOTALL)


class ClusterJobs(Cluster):
    """Runs attempts as jobs whose names follow from the attempts, so that each is submitted once."""

    async def submit(self, attempt: Attempt, address: str) -> Handle:
        """Submit an attempt, unless that was done before."""
        attempt = await asyncio.to_thread(self.stored, attempt)
        handle: Handle = {"form": "job", "address": address, "job": key_of(attempt), "outputs": attempt.output_prefix}
        if attempt.timeout_seconds is not None:
            handle["seconds"] = attempt.timeout_seconds
        if await asyncio.to_thread(self.outcome, attempt.output_prefix) is None:
            task = attempt.task
            submitted = self.bridges.to(address).ask(
                "submit_job",
                job=handle["job"],
                entrypoint=f"python -m alula.worker --attempt {shlex.quote(attempt_uri(attempt.output_prefix))}",
                runtime_env=self._runtime_env(attempt, address),
                metadata={"task": task.id.name, "run": attempt.run, "action": attempt.action},
                **_entrypoint_resources(attempt),
            )
            await asyncio.wrap_future(submitted)
        return handle

    def _runtime_env(self, attempt: Attempt, address: str) -> dict[str, Any]:
        """Return the runtime environment of a job: that of its config, and what the worker needs."""
        own: dict[str, Any] = copy.deepcopy(attempt.task.custom.get("runtime_env", {}))
        own["env_vars"] = {
            **self.settings(address),
            IN_JOB: "1",
            **own.get("env_vars", {}),
            **attempt.environment,
            **attempt.task.environment,
        }
        if packages := pip_of(attempt.task):
            listed = own.get("pip", [])
            if isinstance(listed, dict):
                own["pip"] = {**listed, "packages": [*listed.get("packages", []), *packages]}
            else:
                own["pip"] = [*listed, *packages]
        return own

    async def wait(self, handle: Handle) -> Outcome:
        """Wait for the end of a job, and stop it if it takes too long."""
        pause, stopped = _FIRST_POLL_SECONDS, False
        while True:
            if (outcome := await asyncio.to_thread(self.outcome, handle["outputs"])) is not None:
                return classified(outcome)
            try:
                job = await self.reached(lambda: self._ask(handle, "job"))
            except UnreachableError as problem:
                return lost(str(problem))
            if job is None:
                return lost(f"the cluster at {handle['address']} knows no job {handle['job']}")
            late = _is_late(handle, job)
            if job["status"] in {"SUCCEEDED", "FAILED", "STOPPED"}:
                return await asyncio.to_thread(self._ended, handle, job, late)
            if late and not stopped:
                stopped = True
                await self.cancel(handle)
            await asyncio.sleep(pause)
            pause = min(pause * 1.15, _LONGEST_POLL_SECONDS)

    def _ended(self, handle: Handle, job: dict[str, Any], late: bool) -> Outcome:
        """Say how a job ended, by its own account or else by that of the cluster."""
        outcome = self.outcome(handle["outputs"])
        if outcome is not None:
            return classified(outcome)
        if job["status"] != "STOPPED":
            return _explained(handle, job)
        if not late:
            return cancelled()
        outcome = timed_out(handle["seconds"])
        write_outcome(self.context.storage, handle["outputs"], outcome)  # whoever asks later could not tell
        return outcome

    async def cancel(self, handle: Handle) -> None:
        """Ask a job to end, if it runs."""
        await self.reached(lambda: self._ask(handle, "stop_job"))

    async def _ask(self, handle: Handle, method: str) -> Any:
        return await asyncio.wrap_future(self.bridges.to(handle["address"]).ask(method, job=handle["job"]))

    async def logs(self, handle: Handle, *, follow: bool) -> AsyncIterator[bytes]:
        """Yield what a job prints, until it has ended, or only what it has printed so far; nothing if its cluster is gone."""
        with contextlib.suppress(UnreachableError, BridgeError):
            async for piece in self.bridges.to(handle["address"]).stream(
                "job_output", job=handle["job"], follow=follow
            ):
                yield piece


def _entrypoint_resources(attempt: Attempt) -> dict[str, Any]:
    """Return what the process of a job is to have; that of a Ray task has nothing unless it asks for something."""
    if attempt.task.type == "ray" and attempt.task.resources is None:
        return {}
    found = ray_resources(attempt.task)
    found.pop("accelerator_type", None)
    return {f"entrypoint_{name}": amount for name, amount in found.items()}


def _is_late(handle: Handle, job: dict[str, Any]) -> bool:
    """Tell whether a job runs longer than it may, and has not ended by itself for it."""
    seconds, started = handle.get("seconds"), job["started_ms"]
    return seconds is not None and bool(started) and time.time() - started / 1000 > seconds + _GRACE_SECONDS


def _explained(handle: Handle, job: dict[str, Any]) -> Outcome:
    """Say why a job ended without an outcome."""
    if job["status"] == "SUCCEEDED":
        return failed(
            SYSTEM_FAILURE,
            "OutcomeMissing",
            f"the job {handle['job']} ended well, and its outcome is not at {handle['outputs']}; {NEEDS}",
        )
    message = job["message"]
    ran = _RAN.search(message)
    if ran is None:
        return failed(SYSTEM_FAILURE, "JobFailed", f"the job {handle['job']} failed: {message[-_TAIL_CHARS:]}")
    status, said = int(ran[1]), ran[2].strip()[-_TAIL_CHARS:]
    tail = f"; it printed last:\n{said}" if said else ""
    last = said.rpartition("\n")[2]
    if last.startswith("error: ") or re.search(r"No module named '?alula", last):
        return failed(SYSTEM_FAILURE, "WorkerFailed", f"the worker could not run the attempt{tail}\n{NEEDS}")
    if status < 0 or status in {137, 143}:
        number = -status if status < 0 else status - 128
        why = ", as the system does when its memory is used up" if number == 9 else ""
        return failed(SYSTEM_FAILURE, "Killed", f"its process was killed by signal {number}{why}{tail}")
    message = f"its process ended with exit status {status} before the task returned{tail}"
    return failed(USER_FAILURE, "ProcessExit", message, "user")
