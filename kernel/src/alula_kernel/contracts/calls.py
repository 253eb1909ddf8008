"""Calls: what the code of an attempt asks of the engine while it runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import NamedTuple

import msgspec

from ..errors import ActionError
from ..literals import Literal
from ..specs import EntitySpec, Overrides, Target


class CallRequest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
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
