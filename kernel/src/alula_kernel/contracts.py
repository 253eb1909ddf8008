"""The four contracts that plugins implement, and the frozen values that pass between them and the engine.

A plugin returns objects that fulfil a contract from the hooks of `alula_kernel.hookspecs`. What each contract
promises is checked by the scenarios of `alula_kernel.testing`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, Generic, NamedTuple, TypeVar

import msgspec

from .errors import ActionError, ValueConversionError
from .literals import Literal
from .specs import EntitySpec, Overrides, Target, TaskSpec, WorkflowSpec
from .types import LiteralType

if TYPE_CHECKING:
    from .registry import TypeRegistry
    from .storage import Storage
else:  # `help` resolves the annotations of structs, and these modules import this one
    Storage = TypeRegistry = Any

T = TypeVar("T")


def brief(value: Any, limit_chars: int) -> str:
    """Show any value in at most about `limit_chars` characters.

    Works for values whose ``repr`` raises or recurses too deeply, and looks only at the beginning of huge strings, bytes
    and built-in containers.
    """
    import reprlib

    shown = reprlib.Repr()
    shown.maxlevel = 6
    shown.maxlist = shown.maxtuple = shown.maxset = shown.maxfrozenset = shown.maxdict = max(limit_chars // 4, 1)
    shown.maxstring = shown.maxother = shown.maxlong = limit_chars
    try:
        text = shown.repr(value[:limit_chars] if isinstance(value, bytes) else value)
    except Exception:  # noqa: BLE001 - a repr of the user's may raise anything
        text = f"<{type(value).__qualname__} object>"
    if isinstance(value, (str, bytes)) and len(value) > limit_chars:
        return f"{text} ({len(value):,} {'bytes' if isinstance(value, bytes) else 'characters'})"
    return text if len(text) <= limit_chars else f"{text[: limit_chars - 3]}..."


# --- type transformers -----------------------------------------------------------------------------------------------


class ConversionContext(msgspec.Struct, frozen=True):
    """What a converter may use.

    Attributes:
        storage: Where blobs are read and written.
        output_prefix: URI prefix for values that have a place of their own; content-addressed data goes to `storage`.
    """

    storage: Storage
    output_prefix: str = ""


class TypeRequest(msgspec.Struct, frozen=True):
    """A Python type that wants a converter.

    Attributes:
        python_type: The type as annotated, without ``Annotated``.
        origin: ``typing.get_origin`` of it, or the type itself.
        args: ``typing.get_args`` of it.
        metadata: What stood beside it in ``Annotated``.
        registry: Where converters of inner types are found.
    """

    python_type: Any
    origin: Any
    args: tuple[Any, ...]
    metadata: tuple[Any, ...]
    registry: TypeRegistry


class Converter(ABC, Generic[T]):
    """Converts values of one Python type; made once per type and then shared, so it holds no state of a value.

    Attributes:
        literal_type: The literal type of its values.
        python_type: The Python type of its values, as annotated.
    """

    __slots__ = ()

    literal_type: LiteralType
    python_type: Any

    @abstractmethod
    def to_literal(self, value: T, context: ConversionContext) -> Literal:
        """Convert a Python value to a literal. Large data is written to `context.storage`.

        Raises:
            ValueConversionError: The value is not of this type; the message says what was expected and found.
        """

    @abstractmethod
    def to_python(self, literal: Literal, context: ConversionContext) -> T:
        """Convert a literal back. Reading large data may be put off until the value is used.

        The literal may be in a `Hashed`, if the task that it comes from computes its identity; `literals.unwrap` takes it
        out.

        Raises:
            ValueConversionError: The literal is not of this type.
        """

    def accepts(self, value: Any) -> bool:
        """Tell cheaply, without side effects, whether `to_literal` would take the value; chooses among variants."""
        return isinstance(self.python_type, type) and isinstance(value, self.python_type)

    def from_plain(self, value: Any, context: ConversionContext) -> T:
        """Make a value from plain data (None, bool, number, string, list, dict), as read from JSON or YAML.

        The default takes values that are already of the type, and else gives strings to `from_text`.

        Raises:
            ValueConversionError: The data does not describe a value of this type.
        """
        if isinstance(value, str):
            return self.from_text(value, context)
        if self.accepts(value):
            return value  # type: ignore[no-any-return]
        raise self.refuse(value)

    def from_text(self, text: str, context: ConversionContext) -> T:
        """Make a value from what a person typed on a command line.

        Raises:
            ValueConversionError: The text does not describe a value of this type.
        """
        raise ValueConversionError(
            f"a {self.describe()} cannot be given as text", hint="Call the workflow from Python instead."
        )

    def to_html(self, value: T) -> str:
        """Show a value as an HTML fragment; text is escaped. The default shows `to_text`."""
        import html

        return f"<pre>{html.escape(self.to_text(value))}</pre>"

    def to_text(self, value: T) -> str:
        """Show a value in one line or a few, at most about 1,000 characters."""
        return brief(value, 1_000)

    def describe(self) -> str:
        """Name the type for messages."""
        from .types import display

        return display(self.literal_type)

    def refuse(self, value: Any, reason: str = "") -> ValueConversionError:
        """Build the error for a value that is not of this type."""
        tail = f": {reason}" if reason else ""
        found = type(value).__qualname__ if value is not None else ""
        shown = f"{found} {brief(value, 120)}".strip()
        return ValueConversionError(f"expected {self.describe()}, found {shown}{tail}")


class TypeTransformer(ABC):
    """Makes converters for a family of Python types.

    Attributes:
        name: Unique name, shown by ``alula plugins list``.
        python_types: Classes that it handles together with their subclasses, as classes or as
            ``"package.module.Class"``, so that a heavy library is never imported for a program that does not use it.
        priority: Among transformers whose `matches` says yes, the highest wins; ties go to the one registered first.
    """

    name: str
    python_types: Sequence[type | str] = ()
    priority: int = 0

    def matches(self, request: TypeRequest) -> bool:
        """Tell whether it handles a type that no `python_types` covers. Called once per type; must be cheap."""
        return False

    @abstractmethod
    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Make the converter of a type.

        Raises:
            UnsupportedTypeError: The type is of the family, but cannot be converted; the message says why.
        """

    def python_type(self, literal_type: LiteralType) -> Any | None:
        """Return the Python type that best stands for a literal type, or None if it is not this family's."""
        return None


# --- task executors --------------------------------------------------------------------------------------------------

Handle = dict[str, Any]
"""What an executor needs to find a submitted attempt again: small, JSON, without secrets."""


class CodeReference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a worker finds the code of a run's tasks.

    Attributes:
        kind: ``here`` for source that lies on this machine, ``bundle`` for an archive of source files, ``pickle`` for
            pickled tasks, as of a notebook.
        uri: URI of the archive or pickle; empty for ``here``.
        digest: SHA-256 of it in hexadecimal; for ``here`` whatever tells two states of the source apart, or empty.
        search_path: Folders that come first on ``sys.path``: absolute for ``here``, else relative to the unpacked archive.
    """

    kind: str = "here"
    uri: str = ""
    digest: str = ""
    search_path: tuple[str, ...] = ()


def depth_of(action: str) -> int:
    """Return how deep in the tree of its run an action is, by its id, which begins with its parent's and a dot."""
    return action.count(".")


class Attempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One try of an action: all that an executor and a worker need.

    Attributes:
        id: Stable, and unique among the attempts of runs that are known. Once a run was forgotten another one may have its name
            and so the same ids: `identity` tells their attempts apart.
        run: Name of the run.
        action: Id of the action.
        number: 1 for the first attempt.
        task: The task, overrides applied.
        inputs: The inputs.
        timeout_seconds: How long it may run; None for no limit.
        interruptible: Whether it may run on capacity that can be taken away.
        output_prefix: URI prefix for what it writes: reports, checkpoints, outputs.
        previous_checkpoint: URI prefix of the last attempt's checkpoint; empty for none.
        project: Project of the run.
        domain: Domain of the run.
        labels: Labels of the run.
        environment: Environment variables of the run, under those of the task.
        context: The custom context, which every call hands on to its children.
        code: Where a worker finds the code; None where only this process can run it.
        run_started_at: When the run began, in seconds since the epoch.
    """

    id: str
    run: str
    action: str
    number: int
    task: TaskSpec
    inputs: dict[str, Literal]
    timeout_seconds: float | None = None
    interruptible: bool = False
    output_prefix: str = ""
    previous_checkpoint: str = ""
    project: str = "default"
    domain: str = "development"
    labels: dict[str, str] = {}
    environment: dict[str, str] = {}
    context: dict[str, str] = {}
    code: CodeReference | None = None
    run_started_at: float = 0.0

    @property
    def identity(self) -> str:
        """What is the same whenever this attempt is submitted, and different for every other one there ever was.

        Submitting the same identity twice runs it once.
        """
        return "\0".join((self.project, self.domain, self.id, repr(self.run_started_at)))


SUCCEEDED = "succeeded"
USER_FAILURE = "user_failure"
SYSTEM_FAILURE = "system_failure"
TIMED_OUT = "timed_out"
OUT_OF_MEMORY = "out_of_memory"
PREEMPTED = "preempted"
LOST = "lost"
CANCELLED = "cancelled"

OUTCOME_KINDS = frozenset(
    {SUCCEEDED, USER_FAILURE, SYSTEM_FAILURE, TIMED_OUT, OUT_OF_MEMORY, PREEMPTED, LOST, CANCELLED}
)


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What became of an attempt: facts, not policy.

    Attributes:
        kind: One of `OUTCOME_KINDS`.
        outputs: The outputs of a success.
        graph: For a dynamic task, the workflow to drive instead of using `outputs`.
        entities: Specs behind the graph that the engine may not know, since another process made them.
        error: Why it did not succeed.
        report: URI of the HTML report, if one was written.
        checkpoint: URI prefix of the checkpoint, if one was written.
        resources: What was used, as ``{"peak_memory_bytes": 1048576}``.
    """

    kind: str
    outputs: dict[str, Literal] = {}
    graph: WorkflowSpec | None = None
    entities: tuple[EntitySpec, ...] = ()
    error: ActionError | None = None
    report: str = ""
    checkpoint: str = ""
    resources: dict[str, float] = {}


class CallRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A call that a running task makes: it becomes a child action.

    Attributes:
        target: What is called.
        inputs: The inputs.
        overrides: Changes to the task's own settings.
        name: What people see; empty for the target's name.
        group: Name under which people see it together with others; it is no part of the child's identity.
        context: What the child's custom context has beside its parent's, or instead of it.
        entities: Specs behind the target that the engine may not know, since another process made them.
    """

    target: Target
    inputs: dict[str, Literal]
    overrides: Overrides | None = None
    name: str = ""
    group: str = ""
    context: dict[str, str] = {}
    entities: tuple[EntitySpec, ...] = ()


class TraceRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A step of a running task that is recorded without being a task itself.

    Attributes:
        name: Qualified name of the function.
        code: Hash of its code; with name and inputs it is the step's identity.
        inputs: The inputs.
        group: Name under which people see it together with others.
    """

    name: str
    code: str
    inputs: dict[str, Literal]
    group: str = ""


class Trace(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A step that was begun, or that an earlier attempt has ended already.

    Attributes:
        action: Id of its action; empty where nothing is recorded.
        outputs: What it gave before; None if it has to run.
        error: How it failed before; None if it has to run.
    """

    action: str = ""
    outputs: dict[str, Literal] | None = None
    error: ActionError | None = None


class CallFailedError(Exception):
    """A child action failed.

    Attributes:
        error: The failure as it was recorded.
        original: The exception object, where the child ran in this process.
    """

    def __init__(self, error: ActionError, original: BaseException | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.original = original


class CallEnd(NamedTuple):
    """How one of several calls ended."""

    key: int
    """What it was begun with."""
    outputs: dict[str, Literal] | None
    """Its outputs; None if it failed."""
    failure: CallFailedError | None
    """Why it failed; None if it succeeded."""


class Calls(ABC):
    """Several child actions of a thread that blocks; only that thread uses it."""

    @abstractmethod
    def begin(self, key: int, request: CallRequest) -> bool:
        """Begin a child action; `key` tells it from the others that are under way.

        Returns:
            Whether it has ended already, so that `next_end` will not have to wait.
        """

    @abstractmethod
    def next_end(self) -> CallEnd:
        """Block until one more of the calls has ended. There must be one that has not been returned yet."""

    @abstractmethod
    def close(self, reason: str) -> None:
        """Abort the children that are still under way and wait until they have gone. Idempotent."""


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


class ExecutorContext(msgspec.Struct, frozen=True):
    """What an executor may use; handed to `TaskExecutor.open`.

    Attributes:
        storage: Where attempts, outcomes and code are read and written.
        home: Folder of this machine for what outlives the process, as logs and sockets; made when it is needed.
        worker_environment: Environment variables that a worker needs to find the same storage and settings.
        interpreter: Returns the path of a Python in which the packages of a task's image are installed, building it if
            need be; of `sys.executable` for a task without an image. Blocks, and may be called from any thread.
    """

    storage: Storage
    home: str
    worker_environment: Mapping[str, str]
    interpreter: Callable[[TaskSpec], str]


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


# --- blob backends ---------------------------------------------------------------------------------------------------


class BlobInfo(msgspec.Struct, frozen=True):
    """One object in a listing.

    Attributes:
        uri: Its URI.
        size: Bytes, or None if the backend does not know.
    """

    uri: str
    size: int | None = None


class BlobBackend(ABC):
    """Reads and writes objects by URI. Methods block and may be called from any thread.

    Attributes:
        name: Unique name, as ``file``.
        schemes: URI schemes that it serves, in lower case; ``*`` for every scheme that no other backend serves.
    """

    name: str
    schemes: Sequence[str] = ()

    @abstractmethod
    def open_read(self, uri: str, **options: Any) -> BinaryIO:
        """Open an object for streaming reads; seekable where the protocol allows.

        Args:
            uri: The object.
            options: ``block_size``, ``cache_type`` and ``cache_options`` as fsspec takes them; others are ignored.

        Raises:
            StorageError: It does not exist or may not be read.
        """

    @abstractmethod
    def open_write(self, uri: str) -> BinaryIO:
        """Open a new object for streaming writes; parents are made.

        The object appears when the stream is closed. If the ``with`` block is left by an exception it does not appear.

        Raises:
            StorageError: It may not be written.
        """

    @abstractmethod
    def get(self, uri: str, local_path: str) -> None:
        """Copy an object to a local file; parents are made.

        Raises:
            StorageError: It does not exist or may not be read.
        """

    @abstractmethod
    def put(self, local_path: str, uri: str) -> None:
        """Copy a local file to an object, atomically; parents are made.

        Raises:
            StorageError: It may not be written.
        """

    def get_many(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Copy many ``(uri, local_path)``; at once where the protocol allows."""
        for uri, local_path in pairs:
            self.get(uri, local_path)

    def put_many(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Copy many ``(local_path, uri)``; at once where the protocol allows."""
        for local_path, uri in pairs:
            self.put(local_path, uri)

    @abstractmethod
    def list(self, uri: str) -> Iterator[BlobInfo]:
        """Yield every object under a prefix, at any depth, sorted by URI; nothing if there is none."""

    @abstractmethod
    def exists(self, uri: str) -> bool:
        """Tell whether an object, or any object under the prefix, exists."""

    @abstractmethod
    def size(self, uri: str) -> int | None:
        """Return the size of an object in bytes, or None if the protocol does not tell.

        Raises:
            StorageError: It does not exist or may not be read.
        """

    @abstractmethod
    def delete(self, uri: str) -> None:
        """Delete an object, or every object under a prefix. Idempotent."""

    def local_path(self, uri: str) -> str | None:
        """Return the path of an object that is a local file, so that it need not be copied; else None."""
        return None


# --- caches ----------------------------------------------------------------------------------------------------------


class CacheKey(msgspec.Struct, frozen=True, kw_only=True):
    """What must be equal for outputs to be reused.

    Attributes:
        digest: SHA-256 over all the rest, in hexadecimal; the lookup key.
        project: Project.
        domain: Domain.
        task: Name of the task.
        version: Cache version.
        interface: Fingerprint of the interface's types.
        inputs: Content hash of each input that counts.
    """

    digest: str
    project: str
    domain: str
    task: str
    version: str
    interface: str
    inputs: dict[str, str]


class CacheEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Outputs that were kept.

    Attributes:
        key: Their key.
        outputs: The outputs.
        run: Run that made them.
        action: Action that made them.
        created_at: Seconds since the epoch.
    """

    key: CacheKey
    outputs: dict[str, Literal]
    run: str = ""
    action: str = ""
    created_at: float = 0.0


class Cache(ABC):
    """Keeps outputs by key. Methods block, are quick, and may be called from any thread and process.

    Attributes:
        name: Unique name, as ``sqlite``.
    """

    name: str

    @abstractmethod
    def get(self, digest: str) -> CacheEntry | None:
        """Return the entry of a key, or None.

        A damaged entry counts as missing: it is removed and a warning is logged.
        """

    @abstractmethod
    def put(self, entry: CacheEntry) -> None:
        """Keep an entry; one of the same key is replaced."""

    @abstractmethod
    def delete(self, digest: str) -> bool:
        """Forget an entry and tell whether there was one."""

    @abstractmethod
    def entries(self, task: str = "") -> Iterator[CacheEntry]:
        """Yield entries, newest first, of one task or of all."""

    @abstractmethod
    def clear(self, task: str = "") -> int:
        """Forget the entries of one task or of all, and return how many there were."""

    @abstractmethod
    def reserve(self, digest: str, owner: str, ttl_seconds: float) -> str:
        """Become the one that computes a key, unless another owner is and has renewed in time.

        Calling it again as the same owner renews the reservation.

        Returns:
            The owner that now holds the reservation: `owner` if it was granted.
        """

    @abstractmethod
    def release(self, digest: str, owner: str) -> None:
        """Give a reservation back. Idempotent; one held by another owner is left alone."""

    def close(self) -> None:
        """Release what the cache holds. Idempotent."""


# --- task types ------------------------------------------------------------------------------------------------------


class TaskType(msgspec.Struct, frozen=True):
    """A kind of task that a plugin adds.

    Attributes:
        name: Value of `TaskSpec.type`, as ``duckdb``.
        config: The class of ``task_config`` or ``plugin_config`` objects that choose it, as ``"package.module.Class"``;
            empty if the type has a task class of its own.
        task_class: The authoring class that such a task becomes, as ``"package.module.Class"``.
        executor: Name of the executor that runs it; empty if it is Python code that any executor of ``python`` can run.
        description: One line for ``alula plugins list``.
    """

    name: str
    config: str = ""
    task_class: str = ""
    executor: str = ""
    description: str = ""


class Command(msgspec.Struct, frozen=True):
    """A command of the command line that a plugin adds.

    Attributes:
        name: What the user types after ``alula``.
        target: The `click.Command`, as ``"package.module:attribute"``; imported when it is used.
        summary: One line for ``alula --help``.
    """

    name: str
    target: str
    summary: str


# --- events ----------------------------------------------------------------------------------------------------------


class ActionEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A change of an action's state.

    Attributes:
        run: Name of the run.
        action: Id of the action; the root's is ``a0``.
        parent: Id of the parent; empty for the root.
        name: What people see.
        kind: ``task``, ``workflow``, ``launch_plan``, ``map``, ``branch``, ``gate``, ``trace``.
        phase: The new phase.
        attempt: Number of the attempt, 0 before the first.
        at: Seconds since the epoch.
        cache: ``hit``, ``miss``, ``populated``, ``disabled`` or empty.
        error: Why it failed.
        message: Free text, as the reason of an abort.
    """

    run: str
    action: str
    parent: str = ""
    name: str = ""
    kind: str = "task"
    phase: str
    attempt: int = 0
    at: float = 0.0
    cache: str = ""
    error: ActionError | None = None
    message: str = ""


EventListener = Callable[[ActionEvent], None]
LiteralInputs = Mapping[str, Literal]
