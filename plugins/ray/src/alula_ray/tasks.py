"""Plain tasks on a cluster: each attempt is a task of Ray."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

from alula_kernel.contracts import Attempt, Handle, Outcome

from .cluster import Cluster, classified, key_of, lost, pip_of, ray_resources
from .messages import UnreachableError
from .output import OutputReader

_LOG_PAUSE_SECONDS = 0.25


class ClusterTasks(Cluster):
    """Runs attempts as tasks of Ray that an actor owns, which outlives the engine."""

    async def submit(self, attempt: Attempt, address: str) -> Handle:
        """Start an attempt, unless it was started before."""
        attempt = await asyncio.to_thread(self.stored, attempt)
        bridge = self.bridges.to(address)
        connected = await asyncio.wrap_future(bridge.ask("connect"))
        settings = self.settings(address)
        keeper = f"alula-{hashlib.sha256(repr(sorted(settings.items())).encode()).hexdigest()[:20]}"
        handle = {
            "form": "task",
            "address": connected["address"],
            "keeper": keeper,
            "key": key_of(attempt),
            "outputs": attempt.output_prefix,
        }
        if await asyncio.to_thread(self.outcome, attempt.output_prefix) is None:
            from alula_kernel.worker_protocol import attempt_uri

            options: dict[str, Any] = {
                **ray_resources(attempt.task),
                "name": attempt.task.id.name,
                "runtime_env": {"env_vars": self.environment(attempt, address)},
            }
            if packages := pip_of(attempt.task):
                options["runtime_env"]["pip"] = packages
            started = bridge.ask(
                "start",
                keeper=keeper,
                environment=settings,
                key=handle["key"],
                uri=attempt_uri(attempt.output_prefix),
                prefix=attempt.output_prefix,
                seconds=attempt.timeout_seconds,
                options=options,
            )
            await asyncio.wrap_future(started)
        return handle

    async def wait(self, handle: Handle) -> Outcome:
        """Wait for the end of an attempt."""
        why = "no process of the cluster knows the attempt"
        try:
            await self.reached(lambda: self._ask(handle, "wait"))
        except UnreachableError as problem:
            why = str(problem)
        outcome = await asyncio.to_thread(self.outcome, handle["outputs"])
        return lost(why) if outcome is None else classified(outcome)

    async def cancel(self, handle: Handle) -> None:
        """End an attempt, if it runs."""
        await self.reached(lambda: self._ask(handle, "cancel"))

    async def _ask(self, handle: Handle, method: str) -> Any:
        bridge = self.bridges.of(handle["address"])
        return await asyncio.wrap_future(bridge.ask(method, keeper=handle["keeper"], key=handle["key"]))

    async def logs(self, handle: Handle, *, follow: bool) -> AsyncIterator[bytes]:
        """Yield what an attempt prints, until it has ended, or only what it has printed so far."""
        reader = OutputReader(self.context.storage, handle["outputs"])
        ending = asyncio.ensure_future(self.wait(handle))
        try:
            while True:
                ended = not follow or ending.done()
                for piece in await asyncio.to_thread(lambda: list(reader.new())):
                    yield piece
                if ended:
                    return
                await asyncio.wait([ending], timeout=_LOG_PAUSE_SECONDS)
        finally:
            ending.cancel()
