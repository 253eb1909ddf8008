"""What runs on the cluster: the function that runs an attempt, and the actor that owns all attempts.

Ray ends a task when the process that submitted it dies. Attempts outlive the engine, so an actor submits them, which is
detached from whoever made it. Its name tells which storage and settings it is for; engines that share those share it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from alula_kernel.contracts import (
    CANCELLED,
    OUT_OF_MEMORY,
    SYSTEM_FAILURE,
    TIMED_OUT,
    Outcome,
)
from alula_kernel.errors import MAX_MESSAGE_CHARS, ActionError

if TYPE_CHECKING:
    from alula_kernel.storage import Storage

RUNNING = "running"
ENDED = "ended"
UNKNOWN = "unknown"

CANCEL = "cancelled"
TIMEOUT = "timeout"

NEEDS = (
    "the nodes of the cluster need alula and alula-ray, and must reach the data of the run: ALULA_DATA=s3://bucket/alula, or "
    "a folder that all of them share"
)
"""What is missing where a worker cannot even begin."""

_IDLE_SECONDS = 300.0
_LOOK_SECONDS = 20.0
_NEWS_SECONDS = 20.0
_GRACE_SECONDS = 5.0


def run_stored_attempt(uri: str, keeper: Any, key: str) -> None:
    """Run the attempt that lies at a URI in this worker of Ray, and write how it ended beside it."""
    from alula import current_app
    from alula.worker import run_attempt
    from alula_kernel.worker_protocol import load_attempt, load_outcome, store_outcome

    from .output import captured

    storage = current_app().storage
    attempt = load_attempt(storage, uri)
    if load_outcome(storage, attempt.output_prefix) is not None:
        return
    if attempt.timeout_seconds is not None:
        keeper.started.remote(key)
    with captured(storage, attempt.output_prefix):
        outcome = run_attempt(attempt)
    store_outcome(storage, attempt, outcome)


class Keeper:
    """The actor that owns attempts. Its methods run side by side in one event loop."""

    def __init__(self) -> None:
        self._running: dict[str, Any] = {}
        self._attempts: dict[str, tuple[str, float | None]] = {}
        self._ended: dict[str, None] = {}
        self._reasons: dict[str, str] = {}
        self._background: set[asyncio.Task[None]] = set()
        self._news = asyncio.Event()
        self._asked = 0.0

    async def start(self, key: str, uri: str, prefix: str, seconds: float | None, options: Mapping[str, Any]) -> None:
        """Start an attempt, unless it was started before.

        Args:
            key: Name of the attempt.
            uri: Where it lies.
            prefix: Its output prefix.
            seconds: How long it may run.
            options: Options of the Ray task.
        """
        import ray

        self._touch()
        if key in self._running or key in self._ended:
            return
        self._attempts[key] = prefix, seconds
        me = ray.get_runtime_context().current_actor
        task = ray.remote(run_stored_attempt).options(max_retries=0, **options)
        self._running[key] = reference = task.remote(uri, me, key)
        self._in_background(self._follow(key, reference))

    async def started(self, key: str) -> None:
        """Note that an attempt with a time limit runs now."""
        prefix_and_seconds = self._attempts.get(key)
        if prefix_and_seconds is not None and prefix_and_seconds[1] is not None:
            # The worker keeps the limit itself, if the code lets it; this is for code that does not.
            self._in_background(self._end_after(key, prefix_and_seconds[1] + _GRACE_SECONDS))

    async def state(self, key: str) -> str:
        """Return `RUNNING`, `ENDED` or `UNKNOWN`."""
        self._touch()
        return RUNNING if key in self._running else ENDED if key in self._ended else UNKNOWN

    async def news(self, known: int) -> tuple[int, list[str]]:
        """Wait, but not for ever, until attempts have ended beyond a number that is known.

        Returns:
            How many have ended, and which of them are new.
        """
        self._touch()
        if len(self._ended) <= known:
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), _NEWS_SECONDS)
            except (TimeoutError, asyncio.TimeoutError):
                pass
        return len(self._ended), list(self._ended)[known:]

    async def cancel(self, key: str) -> None:
        """End an attempt, if it runs."""
        self._touch()
        self._end(key, CANCEL)

    async def running(self) -> int:
        """Return how many attempts run or wait for room."""
        return len(self._running)

    def _touch(self) -> None:
        loop = asyncio.get_running_loop()
        if not self._asked:
            self._in_background(self._leave_when_idle())
        self._asked = loop.time()

    def _in_background(self, work: Any) -> None:
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    def _end(self, key: str, reason: str) -> None:
        import ray

        reference = self._running.get(key)
        if reference is not None:
            self._reasons.setdefault(key, reason)
            ray.cancel(reference, force=True)

    async def _end_after(self, key: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        self._end(key, TIMEOUT)

    async def _follow(self, key: str, reference: Any) -> None:
        failure: Exception | None = None
        try:
            await reference
        except Exception as problem:  # noqa: BLE001 - whatever Ray tells is the reason
            failure = problem
        prefix, seconds = self._attempts.pop(key)
        if failure is not None:
            await asyncio.to_thread(_explain, prefix, failure, self._reasons.pop(key, ""), seconds)
        del self._running[key]
        self._ended[key] = None
        self._news.set()

    async def _leave_when_idle(self) -> None:
        """End this actor when nothing runs and nobody has asked for a while."""
        import ray

        loop = asyncio.get_running_loop()
        while self._running or loop.time() - self._asked < _IDLE_SECONDS:  # noqa: ASYNC110 - time passes
            await asyncio.sleep(_LOOK_SECONDS)
        ray.kill(ray.get_runtime_context().current_actor)


def _explain(prefix: str, failure: Exception, reason: str, seconds: float | None) -> None:
    """Write why an attempt ended that did not say so itself."""
    from alula import current_app
    from alula_kernel.worker_protocol import load_outcome

    storage = current_app().storage
    if load_outcome(storage, prefix) is None:
        write_outcome(storage, prefix, outcome_of(failure, reason, seconds))


def write_outcome(storage: Storage, prefix: str, outcome: Outcome) -> None:
    """Write how an attempt ended of which nothing but the output prefix is known."""
    import msgspec

    from alula_kernel.worker_protocol import outcome_uri

    with storage.open(outcome_uri(prefix), "wb") as stream:
        stream.write(msgspec.msgpack.encode(outcome))


def outcome_of(failure: Exception, reason: str, seconds: float | None) -> Outcome:
    """Say how an attempt ended, by what Ray tells of its task.

    Args:
        failure: What Ray raised.
        reason: Why the attempt was ended on purpose, if it was.
        seconds: How long it was allowed to run.
    """
    import ray.exceptions as told

    if reason == CANCEL:
        return Outcome(kind=CANCELLED, error=ActionError(code="Aborted", message="cancelled", recoverable=False))
    if reason == TIMEOUT:
        return Outcome(kind=TIMED_OUT, error=ActionError(code="Timeout", message=f"ran longer than {seconds:g} s"))
    if isinstance(failure, told.OutOfMemoryError):
        message = f"ran out of memory: {failure}"
        return Outcome(kind=OUT_OF_MEMORY, error=ActionError(code="OutOfMemory", message=message[:MAX_MESSAGE_CHARS]))
    if isinstance(failure, told.RayTaskError):
        cause = getattr(failure, "cause", None) or failure
        message = f"the worker could not run the attempt: {type(cause).__name__}: {cause}; {NEEDS}"
        return _failed("WorkerFailed", message)
    if isinstance(failure, told.WorkerCrashedError):
        return _failed(
            "WorkerCrashed",
            "its process ended before the task returned: it called os._exit, crashed in native code, or was killed, as "
            "the system does when its memory is used up",
        )
    if isinstance(failure, told.RuntimeEnvSetupError):
        return _failed("RuntimeEnvFailed", f"Ray could not set up the runtime environment: {failure}")
    return _failed(type(failure).__name__, f"Ray lost the attempt: {failure}")


def _failed(code: str, message: str) -> Outcome:
    return Outcome(
        kind=SYSTEM_FAILURE, error=ActionError(code=code, message=message[:MAX_MESSAGE_CHARS], kind="system")
    )
