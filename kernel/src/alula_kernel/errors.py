"""Errors of every Alula distribution.

The tree, by what the caller can do about it::

    AlulaError
    ├── UsageError                     the call, file or option is wrong; exit code 2
    │   ├── UnknownNameError           a name that does not exist; near matches are listed
    │   │   └── ConditionNotFoundError a question that nobody asks
    │   ├── ConditionAlreadyExistsError a question that is asked already
    │   ├── ArgumentError              an argument has a value that it cannot have
    │   ├── CompileError               a workflow that cannot be compiled
    │   │   ├── TypeMismatchError      two ends of a binding do not fit
    │   │   └── PromiseUseError        a promise used as if it were a value
    │   ├── UnsupportedTypeError       no transformer handles a Python type
    │   ├── ValueConversionError       a value does not fit its declared type
    │   ├── MissingDependencyError     an optional package is not installed
    │   ├── StorageError               a URI cannot be read or written
    │   └── PluginError                a plugin is broken, duplicate or misbehaves
    ├── TaskError                      a task, or something it awaited, failed; exit code 1
    │   ├── RuntimeUserError           raised by the user's code
    │   │   ├── OOMError, TaskTimeoutError, TaskInterruptedError, RetriesExhaustedError
    │   │   ├── ActionAbortedError, InlineIOMaxBytesBreached
    │   │   ├── GateRejectedError, GateTimeoutError, ConditionTimedoutError, ConditionFailedError
    │   │   └── one class for each original exception class (see ``exception_for``)
    │   ├── RuntimeSystemError         the platform's fault: executor, storage, preemption
    │   └── RuntimeUnknownError        nobody can tell
    └── EngineError                    a bug or a broken contract in an engine, store or executor

    NonRecoverableError                raised by the user: do not retry
    RecoverableError                   raised by the user: retry (any exception is retried; kept for readers)
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any, ClassVar, NoReturn

import msgspec

MAX_MESSAGE_CHARS = 4_000
"""Longest message kept in an error that is stored or sent, in characters."""


_SUBSTITUTES: dict[type[AlulaError], type[AlulaError]] = {}


class AlulaError(Exception):
    """Base of every error that Alula raises on purpose."""

    exit_code = 1


def substitute(kind: type[AlulaError], subclass: type[AlulaError]) -> None:
    """Let every error of a class that is made from now on, in this process, be one of a subclass.

    For adapters of other libraries, whose programs catch other classes. What derives from the class is not changed. Calling
    it again replaces the subclass.

    Args:
        kind: The class.
        subclass: Has the bases by which programs catch the error, and the constructor of the class.

    Raises:
        TypeError: It is no subclass.
    """
    if not issubclass(subclass, kind):
        raise TypeError(f"{subclass.__qualname__} must derive from {kind.__qualname__} to be raised in its place")
    _SUBSTITUTES[kind] = subclass
    kind.__new__ = staticmethod(_new)  # type: ignore[method-assign]


def _new(cls: Any, *args: Any, **_named: Any) -> Any:
    made = builtin = _SUBSTITUTES.get(cls, cls)
    while builtin.__flags__ & _HEAP_TYPE:  # Python lets none make it but the built-in class whose layout it has
        builtin = builtin.__base__
    return builtin.__new__(made, *args)


_HEAP_TYPE = 1 << 9
"""Set in the ``__flags__`` of classes that are not built in (``Py_TPFLAGS_HEAPTYPE``)."""


class UsageError(AlulaError):
    """The user's call, option, file or workflow is wrong; nothing has run.

    Args:
        message: What is wrong, what was expected and what was found.
        hint: The next step, as a sentence; appended to the message.
        location: Where, as ``file:line`` or the name of an option; put in front of the message.
    """

    exit_code = 2

    def __init__(self, message: str, *, hint: str = "", location: str = "") -> None:
        self.message = message
        self.hint = hint
        self.location = location
        text = f"{location}: {message}" if location else message
        # Not by super(): next in line may be a class of an adapter's, whose constructor wants other arguments.
        Exception.__init__(self, f"{text}\n  {hint}" if hint else text)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_usage_error, (type(self), self.message, self.hint, self.location)


def _rebuild_usage_error(cls: type[UsageError], message: str, hint: str, location: str) -> UsageError:
    return cls(message, hint=hint, location=location)


class UnknownNameError(UsageError):
    """A name was given that does not exist."""

    @classmethod
    def among(cls, kind: str, name: str, known: Iterable[str], *, location: str = "") -> UnknownNameError:
        """Build the error with the nearest of the known names as the hint.

        Args:
            kind: What the name is of, as "task" or "option".
            name: The unknown name.
            known: Every valid name.
            location: Where the name was used.
        """
        import difflib

        names = sorted(known)
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
        if near:
            hint = f"Did you mean {' or '.join(repr(n) for n in near)}?"
        elif names:
            shown = ", ".join(names[:20]) + (", ..." if len(names) > 20 else "")
            hint = f"Known: {shown}."
        else:
            hint = f"There is no {kind} at all."
        return cls(f"unknown {kind} {name!r}", hint=hint, location=location)


class ConditionNotFoundError(UnknownNameError):
    """An answer was given to a question that no run asks."""


class ConditionAlreadyExistsError(UsageError):
    """A task asked a question while it waits for the answer to another one of the same name."""


class ArgumentError(UsageError, ValueError):
    """An argument has a value that it cannot have, or names something, as a secret, that is not there."""


class CompileError(UsageError):
    """A workflow cannot be compiled."""


class TypeMismatchError(CompileError):
    """A value or promise was bound to an input of another type."""


class PromiseUseError(CompileError, TypeError):
    """A promise was used as if it were the value that it stands for."""


class UnsupportedTypeError(UsageError, TypeError):
    """No type transformer handles a Python type."""


class ValueConversionError(UsageError, TypeError, ValueError):
    """A value does not fit the type that was declared for it."""

    def within(self, step: str) -> ValueConversionError:
        """Return the same error, one container further out.

        Args:
            step: A field or input by name, as ``epochs``, or an item, as ``[3]``. Steps join to a location such as
                ``config.layers[3].size``, which is cut at its inner end when it gets long.
        """
        rest = self.location if len(self.location) <= 100 else f"{self.location[:97]}..."
        path = f"{step}{rest}" if not rest or rest.startswith("[") else f"{step}.{rest}"
        return type(self)(self.message, hint=self.hint, location=path)


class MissingDependencyError(UsageError, ImportError):
    """An optional package is needed and not installed."""


class StorageError(UsageError, OSError):
    """A URI could not be read or written."""

    def __str__(self) -> str:
        # OSError.__str__ shows only errno and strerror when two arguments are given.
        return str(self.args[0]) if self.args else ""


class PluginError(UsageError):
    """A plugin is broken, is a duplicate, or broke its contract."""


class EngineError(AlulaError):
    """An engine, store or executor broke its own rules; please report it."""


class NonRecoverableError(AlulaError):
    """Raised by a task to say that trying again is of no use."""


class RecoverableError(AlulaError):
    """Raised by a task to say that trying again may help.

    Any exception but `NonRecoverableError` is retried, so raising this one only documents the intention.
    """


class ActionError(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Why an action failed: the wire form of a failure.

    Attributes:
        code: The class name of the user's exception, or the name of a condition such as ``Timeout``.
        message: The message, at most `MAX_MESSAGE_CHARS` characters.
        kind: Whose fault it is: ``user``, ``system`` or ``unknown``.
        recoverable: Whether a retry makes sense.
        traceback: The user's own traceback as text, without frames of Alula; empty if there is none.
        action: Id of the action that failed first.
        name: Name of the entity or node that failed first.
        worker: Where the attempt ran, if that is known.
        exception: The user's exception class as ``module:qualified.name``, so that callers elsewhere can catch it.
    """

    code: str
    message: str
    kind: str = "user"
    recoverable: bool = True
    traceback: str = ""
    action: str = ""
    name: str = ""
    worker: str = ""
    exception: str = ""


class TaskError(AlulaError):
    """A task, or something that it awaited, failed. A task may raise one itself: ``raise OOMError("OOM", "too many rows")``.

    Calculating with one that a map gave as a value raises it, so that ``sum(results)`` tells what failed.

    Args:
        error: The failure as it was recorded; or its code, a short name.
        message: The message, where a code is given.
        worker: Where it happened, where a code is given.

    Attributes:
        made_by_user: Whether it was made with a code, so that nothing is recorded of it yet.
    """

    def __init__(self, error: ActionError | str, message: str = "", worker: str | None = None) -> None:
        self.made_by_user = isinstance(error, str)
        if isinstance(error, str):
            error = ActionError(code=error, message=message, kind=self._own_kind, worker=worker or "")
        # Not by super(): next in line may be the user's own class, whose constructor wants other arguments.
        Exception.__init__(self, error.message)
        self.error = error

    _own_kind: ClassVar[str] = "unknown"

    def _raise(self, _other: object) -> NoReturn:
        raise self

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _raise
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = _raise

    @property
    def code(self) -> str:
        """The class name of the original exception, or the name of a condition."""
        return self.error.code

    @property
    def kind(self) -> str:
        """Whose fault it is: ``user``, ``system`` or ``unknown``."""
        return self.error.kind

    @property
    def worker(self) -> str:
        """Where the attempt ran, if that is known."""
        return self.error.worker

    def __str__(self) -> str:
        return self.error.message

    def __reduce__(self) -> tuple[Any, ...]:
        return exception_for, (self.error,)


class RuntimeUserError(TaskError):
    """The user's code raised."""

    _own_kind = "user"


class OOMError(RuntimeUserError):
    """The attempt used more memory than it was given."""


class TaskTimeoutError(RuntimeUserError, TimeoutError):
    """The attempt ran, or the action waited, longer than it may."""


class TaskInterruptedError(RuntimeUserError):
    """The attempt was preempted and may not be tried again."""


class RetriesExhaustedError(RuntimeUserError):
    """Every attempt failed."""


class ActionAbortedError(RuntimeUserError):
    """The action was aborted from outside."""


class InlineIOMaxBytesBreached(RuntimeUserError):
    """The inputs or outputs of an action are larger than may travel inline."""


class GateRejectedError(RuntimeUserError):
    """A person rejected what an approval gate asked."""


class GateTimeoutError(RuntimeUserError, TimeoutError):
    """No answer came to a gate in time."""


class ConditionTimedoutError(GateTimeoutError):
    """Nobody answered a condition in time."""


class ConditionFailedError(RuntimeUserError):
    """The answer to a condition cannot be had, or does not fit its type."""


class RuntimeSystemError(TaskError):
    """The platform failed: executor, storage or preemption."""

    _own_kind = "system"


class RuntimeUnknownError(TaskError):
    """Something failed, and nobody can tell whose fault it is."""


_CLASS_BY_CODE: dict[str, type[TaskError]] = {
    "OutOfMemory": OOMError,
    "Timeout": TaskTimeoutError,
    "Interrupted": TaskInterruptedError,
    "RetriesExhausted": RetriesExhaustedError,
    "Aborted": ActionAbortedError,
    "InlineIOMaxBytesBreached": InlineIOMaxBytesBreached,
    "GateRejected": GateRejectedError,
    "GateTimeout": GateTimeoutError,
    "ConditionTimedout": ConditionTimedoutError,
    "ConditionFailed": ConditionFailedError,
}
_CLASS_BY_KIND: dict[str, type[TaskError]] = {
    "user": RuntimeUserError,
    "system": RuntimeSystemError,
    "unknown": RuntimeUnknownError,
}


@functools.lru_cache(maxsize=256)
def _error_class(original: type[BaseException]) -> type[RuntimeUserError]:
    """Make a class that is both `RuntimeUserError` and the original exception class."""
    if issubclass(original, RuntimeUserError):
        return original

    def __init__(self: Any, error: ActionError) -> None:  # noqa: N807
        TaskError.__init__(self, error)

    base = _SUBSTITUTES.get(RuntimeUserError, RuntimeUserError)
    try:
        return type(original.__name__, (base, original), {"__init__": __init__, "__module__": original.__module__})
    except TypeError:  # bases whose memory layouts exclude each other
        return RuntimeUserError


def _as_loaded_class(error: ActionError) -> RuntimeUserError:
    """Make an exception that is also of the user's class, if that is at hand.

    Whoever can catch it has imported its module, so that nothing is imported here.
    """
    import sys

    module, _, path = error.exception.partition(":")
    found: Any = sys.modules.get(module)
    for attribute in path.split("."):
        found = getattr(found, attribute, None)
    try:
        if issubclass(found, Exception):
            return _error_class(found)(error)
    except Exception:  # noqa: BLE001 - not a class, or the user's, whose __new__ may want other arguments
        pass
    return RuntimeUserError(error)


def exception_for(error: ActionError, original: BaseException | None = None) -> TaskError:
    """Turn a recorded failure into the exception that a caller catches.

    Args:
        error: The failure as it was recorded.
        original: The exception object, where the task ran in this process.

    Returns:
        An exception whose class tells the condition. If the user's own class is known here, it is also a subclass of
        that, so that both ``except RuntimeUserError`` and ``except ValueError`` catch it; with `original`, it carries the
        original's attributes and is caused by it.
    """
    if isinstance(original, TaskError):
        return original
    if not isinstance(original, Exception) or error.kind != "user":
        made_class = _CLASS_BY_CODE.get(error.code) or _CLASS_BY_KIND.get(error.kind, RuntimeUnknownError)
        return _as_loaded_class(error) if made_class is RuntimeUserError else made_class(error)
    original_class: Any = type(original)
    try:
        made = _error_class(original_class)(error)
        made.__dict__.update({k: v for k, v in vars(original).items() if k != "error"})
    except Exception:  # noqa: BLE001 - the user's class; its __new__ may want other arguments and raise anything
        made = RuntimeUserError(error)
    made.__cause__ = original
    return made
