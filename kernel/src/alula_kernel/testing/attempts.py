"""Attempts to try an executor with, and a body for each kind of them, without any SDK."""

from __future__ import annotations

import itertools
import os
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Any

from ..contracts import SUCCEEDED, USER_FAILURE, Attempt, CallRequest, CodeReference, Controller, Outcome
from ..errors import ActionError, EngineError, NonRecoverableError
from ..literals import Literal, Scalar
from ..specs import EntityId, Interface, TaskSpec, Variable
from ..types import FLOAT, INT, NONE, STR, LiteralType

_count = itertools.count(1)

_INTERFACES: dict[str, tuple[dict[str, LiteralType], LiteralType]] = {
    "echo": ({"value": STR}, STR),
    "add": ({"a": INT, "b": INT}, INT),
    "fail": ({"message": STR}, NONE),
    "give_up": ({"message": STR}, NONE),
    "sleep": ({"seconds": FLOAT}, NONE),
    "exit": ({"status": INT}, NONE),
    "die": ({"status": INT}, NONE),
    "print": ({"text": STR}, NONE),
    "append": ({"path": STR, "text": STR}, NONE),
    "environment": ({"name": STR}, STR),
}


class NoCalls(Controller):
    """A controller for attempts that call no other entity; the event loop is running already.

    Attributes:
        exception: The last exception that was handed over.
    """

    def __init__(self) -> None:
        self.exception: BaseException | None = None

    async def call(self, request: CallRequest) -> dict[str, Literal]:
        """Refuse the call.

        Raises:
            EngineError: Always.
        """
        raise EngineError(f"an attempt that calls nothing called {request.name or request.target!r}")

    def call_blocking(self, request: CallRequest) -> dict[str, Literal]:
        """Refuse the call.

        Raises:
            EngineError: Always.
        """
        raise EngineError(f"an attempt that calls nothing called {request.name or request.target!r}")

    async def enter_event_loop(self) -> None:
        """Do nothing: the suites run inside an event loop."""

    def note_exception(self, exception: BaseException) -> None:
        """Keep the exception in `exception`."""
        self.exception = exception


def sample_attempt(kind: str, inputs: Mapping[str, Any] | None = None, **fields: Any) -> Attempt:
    """Make an attempt of a task whose body `run_sample` knows.

    Args:
        kind: What the task does: ``echo`` returns its `value`; ``add`` the sum of `a` and `b`; ``fail`` raises
            ``ValueError(message)``; ``give_up`` raises ``NonRecoverableError(message)``; ``sleep`` waits; ``exit`` raises
            ``SystemExit(status)``; ``die`` ends its process at once; ``print`` prints `text`; ``append`` appends `text` to
            the file `path`; ``environment`` returns the environment variable `name`. Results are called ``o0``.
        inputs: The inputs as plain values.
        fields: Other fields of the `Attempt`; ``task_type`` and ``task_environment`` are set on its task.

    Returns:
        An attempt with an id of its own, unless `fields` gives it one.
    """
    types, result = _INTERFACES[kind]
    outputs = {} if result == NONE else {"o0": Variable(result)}
    task = TaskSpec(
        id=EntityId("task", f"alula_kernel.testing.{kind}"),
        interface=Interface({name: Variable(literal_type) for name, literal_type in types.items()}, outputs),
        type=fields.pop("task_type", "python"),
        environment=fields.pop("task_environment", {}),
        loader={"module": "alula_kernel.testing.attempts", "attribute": kind},
    )
    number = next(_count)
    fields.setdefault("code", CodeReference())
    fields.setdefault("id", f"run-{os.getpid()}-{number}/a0/1")
    literals: dict[str, Literal] = {name: Scalar(value) for name, value in (inputs or {}).items()}
    return Attempt(run=f"run-{os.getpid()}-{number}", action="a0", number=1, task=task, inputs=literals, **fields)


def run_sample(attempt: Attempt) -> Outcome:
    """Run the body of an attempt of `sample_attempt` in this process, and turn what it does into an outcome."""
    kind = attempt.task.id.name.rpartition(".")[2]
    plain = {name: literal.value for name, literal in attempt.inputs.items() if isinstance(literal, Scalar)}
    try:
        result = _BODIES[kind](**plain)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever a task raises is its outcome
        return Outcome(kind=USER_FAILURE, error=failure_of(error))
    return Outcome(kind=SUCCEEDED, outputs={"o0": Scalar(result)} if attempt.task.interface.outputs else {})


def failure_of(error: BaseException) -> ActionError:
    """Record an exception of a task's body."""
    return ActionError(
        code=type(error).__name__,
        message=str(error),
        recoverable=not isinstance(error, NonRecoverableError),
        traceback="".join(traceback.format_exception(error)),
    )


def _echo(value: str) -> str:
    return value


def _add(a: int, b: int) -> int:
    return a + b


def _fail(message: str) -> None:
    raise ValueError(message)


def _give_up(message: str) -> None:
    raise NonRecoverableError(message)


def _exit(status: int) -> None:
    raise SystemExit(status)


def _die(status: int) -> None:
    os._exit(status)


def _environment(name: str) -> str:
    return os.environ.get(name, "")


def _sleep(seconds: float) -> None:
    time.sleep(seconds)


def _append(path: str, text: str) -> None:
    with open(path, "a", encoding="utf-8") as file:
        file.write(text)


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - this is what the task is for


_BODIES: dict[str, Callable[..., Any]] = {
    "echo": _echo,
    "add": _add,
    "fail": _fail,
    "give_up": _give_up,
    "sleep": _sleep,
    "exit": _exit,
    "die": _die,
    "print": _print,
    "append": _append,
    "environment": _environment,
}
