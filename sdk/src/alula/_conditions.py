"""Conditions: questions that a task asks people or other systems while it runs."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Generic, TypeVar

from alula_kernel.contracts import CallFailedError, CallRequest, Calls
from alula_kernel.errors import ConditionAlreadyExistsError, UsageError, exception_for
from alula_kernel.literals import Literal
from alula_kernel.specs import GateTarget

from ._aio import WithAio
from ._context import TaskContext, ctx
from ._groups import current_group
from ._overrides import Duration
from ._redaction import masked
from ._state import call_site

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")


class Condition(Generic[T]):
    """A question that was asked by `new_condition`.

    Attributes:
        name: Its name.
    """

    def __init__(self, name: str, data_type: type[T], context: TaskContext) -> None:
        self.name = name
        self._data_type = data_type
        self._context = context
        self._calls: Calls | None = None
        self._task: asyncio.Task[dict[str, Literal]] | None = None
        self._answer: list[T] = []

    def _wait(self) -> T:
        """Block until the answer is there, and return it. A second call returns the same.

        Raises:
            ConditionTimedoutError: No answer came in time.
            ActionAbortedError: The condition was aborted.
            UsageError: It was made by ``new_condition.aio``, and has to be awaited.
        """
        if not self._answer:
            if self._calls is None:
                raise UsageError(
                    f"the condition {self.name!r} was made in an event loop and cannot block it",
                    hint="Write `await condition.wait.aio()`.",
                    location=call_site(),
                )
            try:
                _key, outputs, failure = self._calls.next_end()
            finally:
                self._close()
            self._take(outputs, failure)
        return self._answer[0]

    async def _wait_async(self) -> T:
        if self._task is None:
            import asyncio

            return await asyncio.to_thread(self._wait)
        if not self._answer:
            outputs = failure = None
            try:
                outputs = await self._task
            except CallFailedError as problem:
                failure = problem
            finally:
                self._close()
            self._take(outputs, failure)
        return self._answer[0]

    wait = WithAio(_wait, _wait_async)

    def _take(self, outputs: dict[str, Literal] | None, failure: CallFailedError | None) -> None:
        if outputs is None:
            assert failure is not None
            raise exception_for(failure.error, failure.original) from failure.original
        app = self._context.app
        self._answer.append(app.registry.converter(self._data_type).to_python(outputs["o0"], app.conversion))

    def _begin(self, request: CallRequest) -> Condition[T]:
        self._calls = self._context.controller.calls()
        self._calls.begin(0, request)
        return self

    async def _begin_async(self, request: CallRequest) -> Condition[T]:
        import asyncio

        self._task = asyncio.ensure_future(self._context.controller.call(request))
        await asyncio.sleep(0)  # so that the question is asked when this returns
        return self

    def _close(self) -> None:
        self._context.open_conditions.discard(self.name)
        if self._calls is not None:
            self._calls.close("the condition was left")

    def __repr__(self) -> str:
        return f"<condition {self.name!r}>"


def _new_condition(
    name: str,
    /,
    prompt: str = "Approve?",
    data_type: type[T] = bool,  # type: ignore[assignment]
    description: str = "",
    timeout: Duration | None = None,
) -> Condition[T]:
    """Ask a person or another system a question; ``condition.wait()`` gives the answer.

    The question becomes a child action of the running task, in phase ``paused``. It is answered at the terminal, by ``alula run
    --answer NAME=VALUE``, or by another process: ``alula signal RUN NAME VALUE`` or `alula.signal`. A task that runs again
    finds the answer that was given before. In a coroutine, write ``await new_condition.aio(...)``.

    Args:
        name: Name by which it is answered.
        prompt: The question.
        data_type: Python type of the answer.
        description: What a person should know to answer.
        timeout: Longest wait, as seconds or timedelta; None for ever.

    Raises:
        ConditionAlreadyExistsError: The task waits for the answer to another question of that name.
        UsageError: There is no running task, or the name or the timeout cannot be one.
    """
    condition, request = _prepared(name, prompt, data_type, description, timeout)
    return condition._begin(request)


async def _new_condition_async(
    name: str,
    /,
    prompt: str = "Approve?",
    data_type: type[T] = bool,  # type: ignore[assignment]
    description: str = "",
    timeout: Duration | None = None,
) -> Condition[T]:
    condition, request = _prepared(name, prompt, data_type, description, timeout)
    return await condition._begin_async(request)


new_condition = WithAio(_new_condition, _new_condition_async)


def _prepared(
    name: str, prompt: str, data_type: type[T], description: str, timeout: Duration | None
) -> tuple[Condition[T], CallRequest]:
    location = call_site()
    context = ctx()
    if context is None:
        raise UsageError(
            f"the condition {name!r} is made outside of a running task",
            hint="In a workflow, use approve or wait_for_input.",
            location=location,
        )
    if not name:
        raise UsageError("a condition needs a name", location=location)
    seconds = timeout.total_seconds() if isinstance(timeout, dt.timedelta) else timeout
    if seconds is not None and seconds <= 0:
        raise UsageError(f"the timeout of condition {name!r} must be above 0, found {timeout}", location=location)
    if name in context.open_conditions:
        raise ConditionAlreadyExistsError(
            f"this task waits for an answer to {name!r} already",
            hint="Give each question its own name.",
            location=location,
        )
    target = GateTarget(
        "condition",
        name,
        context.app.registry.converter(data_type).literal_type,
        seconds,
        prompt=masked(prompt),
        description=masked(description),
    )
    condition = Condition(name, data_type, context)
    context.open_conditions.add(name)
    return condition, CallRequest(target=target, inputs={}, group=current_group(context))


__all__ = ["Condition", "new_condition"]
