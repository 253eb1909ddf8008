"""Task executors: where attempts run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import ActionError, ArgumentError
from ..literals import Literal
from ..secrets import SecretRequest
from ..specs import TaskSpec
from .attempts import Attempt, Handle, Outcome
from .calls import CallEnd, CallFailedError, CallRequest, Calls, Trace, TraceRequest

if TYPE_CHECKING:
    from ..storage import Storage
else:  # `help` resolves the annotations of structs, and these modules import this one
    Storage = Any


class ExecutorBusyError(Exception):
    """Raised by `TaskExecutor.submit` when there is no room now, as under a quota.

    It is not a failure: the action stays queued and is submitted again after a while, without counting an attempt.

    Attributes:
        retry_after_seconds: When to try again; None leaves it to the engine, which waits longer each time.
    """

    def __init__(self, message: str, *, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_seconds = retry_after_seconds


class Controller(ABC):
    """What a running task may ask of the engine. It belongs to one attempt."""

    __slots__ = ()

    @abstractmethod
    async def call(self, request: CallRequest) -> dict[str, Literal]:
        """Run a child action and wait for its outputs, from a coroutine on the attempt's event loop.

        Raises:
            CallFailedError: The child failed.
        """

    @abstractmethod
    def call_blocking(self, request: CallRequest) -> dict[str, Literal]:
        """Run a child action and block until its outputs are there. May be called from any thread.

        Raises:
            CallFailedError: The child failed.
        """

    def calls(self) -> Calls:
        """Return what runs several child actions at once for the thread that asks, while it blocks.

        The default runs one after the other.
        """
        return _OneByOne(self)

    def begin_trace(self, request: TraceRequest) -> Trace:
        """Begin a recorded step, or return how it ended before. May be called from any thread, and is quick.

        The default records nothing.
        """
        return Trace()

    def end_trace(self, trace: Trace, outputs: dict[str, Literal] | None, error: ActionError | None) -> None:
        """Record how a step that was begun has ended, before anything can depend on it. May be called from any thread.

        Args:
            trace: What `begin_trace` returned.
            outputs: What it gave; None if it gave nothing that can be used again.
            error: Why it failed; None if it did not. With neither outputs nor error it was stopped on the way.
        """

    @abstractmethod
    async def enter_event_loop(self) -> None:
        """Wait until this coroutine runs as an asyncio task of its own.

        An executor with `TaskExecutor.needs_event_loop` False awaits it in `submit` or `wait` before any use of asyncio.
        """

    @abstractmethod
    def note_exception(self, exception: BaseException) -> None:
        """Hand over the exception object that ended an attempt in this process, for a caller that catches it."""


class _OneByOne(Calls):
    """Runs each call when its end is asked for.

    Args:
        controller: What runs them.
    """

    def __init__(self, controller: Controller) -> None:
        self._controller = controller
        self._waiting: dict[int, CallRequest] = {}

    def begin(self, key: int, request: CallRequest) -> bool:
        self._waiting[key] = request
        return True  # nothing is gained by beginning more of them

    def next_end(self) -> CallEnd:
        key = next(iter(self._waiting))
        try:
            return CallEnd(key, self._controller.call_blocking(self._waiting.pop(key)), None)
        except CallFailedError as failure:
            return CallEnd(key, None, failure)

    def close(self, reason: str) -> None:
        self._waiting.clear()


def _no_secret(request: SecretRequest) -> bytes:
    raise ArgumentError(
        f"there is no secret {str(request)!r}: this executor was opened without any place to look for one"
    )


class ExecutorContext(msgspec.Struct, frozen=True):
    """What an executor may use; handed to `TaskExecutor.open`.

    Attributes:
        storage: Where attempts, outcomes and code are read and written.
        home: Folder of this machine for what outlives the process, as logs and sockets; made when it is needed.
        worker_environment: Environment variables that a worker needs to find the same storage and settings.
        interpreter: Returns the path of a Python in which the packages of a task's image are installed, building it if
            need be; of `sys.executable` for a task without an image. Blocks, and may be called from any thread.
        secret: Returns the value of a secret that the executor itself needs, as credentials of a service; raises an
            `ArgumentError` that says where it was looked for. Blocks, and may be called from any thread.
    """

    storage: Storage
    home: str
    worker_environment: Mapping[str, str]
    interpreter: Callable[[TaskSpec], str]
    secret: Callable[[SecretRequest], bytes] = _no_secret


class TaskExecutor(ABC):
    """Runs attempts somewhere.

    Attributes:
        name: Unique name, as ``inline``.
        task_types: Task types that it runs when nothing else is asked for.
        enforces_timeout: Whether it stops an attempt at `Attempt.timeout_seconds` by itself; if not, the engine cancels.
        needs_event_loop: Whether `submit` and `wait` may use asyncio at once; if not, they ask the controller first.
        submits_at_once: Whether `submit` never waits for anything, so that an abort cannot come in between.
        survives_engine: Whether attempts go on when the process that submitted them dies, so that their handles are worth
            being stored. If not, an engine that takes over takes them for lost without asking.
        remote: Whether attempts may run on another machine, to which the code of their tasks has to be sent.
    """

    name: str
    task_types: Sequence[str] = ()
    enforces_timeout: bool = False
    needs_event_loop: bool = True
    submits_at_once: bool = False
    survives_engine: bool = True
    remote: bool = False

    def open(self, context: ExecutorContext) -> None:
        """Take what the executor may use. Called before the first `validate`, `submit` or `wait`; must be cheap."""

    @abstractmethod
    async def submit(self, attempt: Attempt, controller: Controller) -> Handle:
        """Start an attempt and return how to find it again.

        Idempotent: for an attempt id that was submitted before, it returns a handle of the same attempt.

        Args:
            attempt: What to run.
            controller: How the running code calls other entities. An executor that runs code elsewhere offers it over
                a channel of its own, or not at all.

        Raises:
            ExecutorBusyError: There is no room now; the attempt is submitted again later.
            Exception: The attempt was not started; counted as a failure of the platform.
        """

    @abstractmethod
    async def wait(self, handle: Handle) -> Outcome:
        """Wait until the attempt has ended and say how.

        Works in another process than the one that submitted. A handle that means nothing any more gives the outcome
        `LOST`, not an exception.
        """

    def run(self, attempt: Attempt, controller: Controller) -> Outcome | Awaitable[Outcome]:
        """Run an attempt from its start to its end. If whoever awaits that is stopped, so is the attempt.

        The engine calls it instead of `submit` and `wait` where no handle is of use: `survives_engine` and
        `needs_event_loop` are False, and `enforces_timeout` is True.

        Returns:
            How it ended, or what is to be awaited for that.
        """
        return self._run(attempt, controller)

    async def _run(self, attempt: Attempt, controller: Controller) -> Outcome:
        handle = await self.submit(attempt, controller)
        try:
            return await self.wait(handle)
        except BaseException:
            await self.cancel(handle)
            await self.wait(handle)
            raise

    @abstractmethod
    async def cancel(self, handle: Handle) -> None:
        """Stop the attempt. Idempotent; an attempt that has ended is left alone. `wait` then gives `CANCELLED`."""

    async def logs(self, handle: Handle, *, follow: bool = True) -> AsyncIterator[bytes]:
        """Yield what the attempt printed, in pieces of bounded size. The default yields nothing.

        Works in another process than the one that submitted.

        Args:
            handle: The attempt.
            follow: Whether to go on until the attempt has ended; if not, what it has printed so far is all.
        """
        nothing: tuple[bytes, ...] = ()
        for line in nothing:
            yield line

    def validate(self, task: TaskSpec) -> None:
        """Check a task before anything runs, as for a missing engine.

        Raises:
            UsageError: The task cannot run here; the message says what to do.
        """

    def close(self) -> None:
        """Release what the executor holds. Idempotent."""
