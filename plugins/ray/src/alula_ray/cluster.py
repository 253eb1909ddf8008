"""What both ways to run attempts on a cluster share: their files, their names, and a cluster that does not answer."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

import msgspec

from alula_kernel.contracts import (
    CANCELLED,
    LOST,
    OUT_OF_MEMORY,
    SYSTEM_FAILURE,
    TIMED_OUT,
    Attempt,
    ExecutorContext,
    Outcome,
)
from alula_kernel.errors import MAX_MESSAGE_CHARS, ActionError, UsageError
from alula_kernel.images import EnvVars, PipPackages, Requirements, decode_image
from alula_kernel.quantities import parse_quantity
from alula_kernel.specs import TaskSpec
from alula_kernel.worker_protocol import attempt_uri, load_outcome, store_attempt

from .addresses import VARIABLE
from .bridges import Bridges
from .messages import UnreachableError
from .session import QUIET

T = TypeVar("T")

_PAUSE_SECONDS = 1.0


class Cluster:
    """Attempts on clusters.

    Args:
        context: What the executor was opened with.
        bridges: Connections to clusters.
        grace_seconds: How long a cluster may be out of reach before its attempts are lost.
    """

    def __init__(self, context: ExecutorContext, bridges: Bridges, grace_seconds: float) -> None:
        self.context = context
        self.bridges = bridges
        self._grace_seconds = grace_seconds

    def stored(self, attempt: Attempt) -> Attempt:
        """Write an attempt for its worker, unless it was written before, and return it as it was written.

        Its output prefix is the engine's, unless that is on this machine and data is not, or there is none.
        """
        storage = self.context.storage
        prefix, root = attempt.output_prefix, storage.root
        shared = storage.local_path(root) is None
        if not prefix or (shared and storage.local_path(prefix) is not None):
            prefix = f"{root if shared else storage.uri(self.context.home)}/ray/{key_of(attempt)}"
        attempt = msgspec.structs.replace(attempt, output_prefix=storage.uri(prefix))
        if not storage.exists(attempt_uri(attempt.output_prefix)):
            store_attempt(storage, attempt)
        return attempt

    def outcome(self, prefix: str) -> Outcome | None:
        """Return how an attempt ended, if that was written."""
        return load_outcome(self.context.storage, prefix)

    def environment(self, attempt: Attempt, address: str) -> dict[str, str]:
        """Return the environment variables of an attempt's process."""
        return {
            **self.settings(address),
            # Code of two versions cannot be imported into one process, and Ray keeps processes of one environment.
            "ALULA_RAY_CODE": attempt.code.digest if attempt.code is not None else "",
            **attempt.environment,
            **attempt.task.environment,
        }

    def settings(self, address: str) -> dict[str, str]:
        """Return the environment variables from which a worker reads the settings of the engine."""
        found = {**self.context.worker_environment, **QUIET}
        if self.context.storage.local_path(self.context.storage.root) is None:
            found.pop("ALULA_HOME", None)  # a folder of the engine's machine, and nothing that workers need is in it
        if not address.startswith("local"):
            found[VARIABLE] = address
        return found

    async def reached(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask a cluster, again and again while it is out of reach, but not for ever.

        Raises:
            UnreachableError: It was out of reach for longer than it may be.
        """
        import asyncio

        since: float | None = None
        while True:
            try:
                return await ask()
            except UnreachableError:
                now = time.monotonic()
                since = now if since is None else since
                if now - since >= self._grace_seconds:
                    raise
                await asyncio.sleep(_PAUSE_SECONDS)


def key_of(attempt: Attempt) -> str:
    """Return a name for an attempt that is unique, the same each time, and readable."""
    digest = hashlib.sha256(attempt.identity.encode()).hexdigest()[:20]
    readable = re.sub(r"[^a-zA-Z0-9-]+", "-", attempt.id)[-60:].strip("-")
    return f"alula-{readable}-{digest}"


def ray_resources(task: TaskSpec) -> dict[str, Any]:
    """Return what a task asks for, by the names of Ray's options; without a word one CPU."""
    asked = {} if task.resources is None else {**task.resources.limits, **task.resources.requests}
    found: dict[str, Any] = {"num_cpus": parse_quantity(asked.get("cpu", "1"))}
    if "memory" in asked:
        found["memory"] = int(parse_quantity(asked["memory"]))
    if "gpu" in asked:
        model, colon, count = asked["gpu"].rpartition(":")
        if not colon and not count.isdigit():
            model, count = count, "1"
        found["num_gpus"] = int(count)
        if model:
            found["accelerator_type"] = model
    return found


def pip_of(task: TaskSpec) -> list[str]:
    """Return the packages that the image of a task installs, for Ray to install them on the nodes.

    Raises:
        UsageError: The image has something that Ray does not install.
    """
    description = decode_image(task.image) if task.image else None
    if description is None:
        return []
    found: list[str] = []
    for layer in description.layers:
        if isinstance(layer, PipPackages) and not layer.secret_mounts:
            found += layer.packages
        elif isinstance(layer, Requirements) and not layer.secret_mounts and not layer.constraints:
            lines = (line.partition(" #")[0].strip() for line in layer.content.splitlines())
            found += [line for line in lines if line and not line.startswith("#")]
        elif not isinstance(layer, EnvVars):  # the worker sets those
            raise UsageError(
                f"the image of task {task.id.name} has a layer {type(layer).__name__}, which Ray does not install on the nodes",
                hint="Use packages from pip only, or start the nodes of the cluster from a container image that has it.",
            )
    return found


def lost(message: str) -> Outcome:
    """Return the outcome of an attempt of which nothing is known."""
    return failed(LOST, "Lost", message)


def cancelled() -> Outcome:
    """Return the outcome of an attempt that was stopped on request."""
    return Outcome(kind=CANCELLED, error=ActionError(code="Aborted", message="cancelled", recoverable=False))


def timed_out(seconds: float) -> Outcome:
    """Return the outcome of an attempt that took too long."""
    return Outcome(kind=TIMED_OUT, error=ActionError(code="Timeout", message=f"ran longer than {seconds:g} s"))


def failed(kind: str, code: str, message: str, side: str = "system") -> Outcome:
    """Return the outcome of an attempt that did not say itself how it ended."""
    return Outcome(kind=kind, error=ActionError(code=code, message=message[:MAX_MESSAGE_CHARS], kind=side))


_OF_RAY: Mapping[str, str] = {
    "OutOfMemoryError": OUT_OF_MEMORY,
    "RayStartError": SYSTEM_FAILURE,
    "WorkerCrashedError": SYSTEM_FAILURE,
    "ActorDiedError": SYSTEM_FAILURE,
    "ActorUnavailableError": SYSTEM_FAILURE,
    "NodeDiedError": SYSTEM_FAILURE,
    "ObjectLostError": SYSTEM_FAILURE,
    "OwnerDiedError": SYSTEM_FAILURE,
    "RuntimeEnvSetupError": SYSTEM_FAILURE,
    "LocalRayletDiedError": SYSTEM_FAILURE,
}


def classified(outcome: Outcome) -> Outcome:
    """Return an outcome in which failures of the cluster, which the user's code only passed on, are told as such."""
    error = outcome.error
    module, _, name = ("" if error is None else error.exception).partition(":")
    kind = _OF_RAY.get(name) if module in {"ray.exceptions", "alula_ray.session"} else None
    if kind is None or error is None:
        return outcome
    side = "system" if kind == SYSTEM_FAILURE else "user"
    return msgspec.structs.replace(outcome, kind=kind, error=msgspec.structs.replace(error, kind=side))
