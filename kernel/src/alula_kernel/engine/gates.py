"""The driver of gates: approvals, inputs and sleeps."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import msgspec

from ..literals import Literal
from ..specs import GateTarget, Node
from ..types import LiteralType
from .actions import Action
from .failures import final_failure
from .phases import Phase
from .stepping import Stepper, become_task, within

if TYPE_CHECKING:
    from .execution import Execution


class GateRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A question to a person.

    Attributes:
        run: Name of the run.
        action: Id of the gate's action.
        gate: ``approve``, ``input`` or ``condition``.
        signal: Name by which the answer is given.
        type: Type of the answer.
        value: What is to be approved; None for an input.
        timeout_seconds: How long an answer is waited for; None for ever.
        prompt: The question; empty for one made from the name.
        description: What a person should know to answer.
    """

    run: str
    action: str
    gate: str
    signal: str
    type: LiteralType | None
    value: Literal | None
    timeout_seconds: float | None
    prompt: str = ""
    description: str = ""


class GateKeeper(ABC):
    """Asks people and gives their answers."""

    def opened(self, request: GateRequest) -> None:
        """Take note that a gate waits, before its answer is asked for; must be quick. The default does nothing."""

    def closed(self, request: GateRequest) -> None:
        """Take note that a gate waits no more, whatever the reason. The default does nothing."""

    @abstractmethod
    async def approved(self, request: GateRequest) -> bool:
        """Return whether the value was approved.

        Raises:
            TimeoutError: No answer came in time.
        """

    @abstractmethod
    async def value(self, request: GateRequest) -> Literal:
        """Return the value that was given.

        Raises:
            TimeoutError: No answer came in time.
        """


async def drive_gate(
    execution: Execution, action: Action, node: Node, inputs: dict[str, Literal], stepper: Stepper
) -> dict[str, Literal]:
    """Wait for a person or for time.

    Raises:
        CallFailedError: The value was rejected, or no answer came in time.
    """
    target = node.target
    assert isinstance(target, GateTarget)
    table = execution.table
    # Where it was left by an engine that died, it has waited already.
    waited = 0.0 if execution.left is None else max(table.clock() - action.created_at, 0.0)
    if target.gate == "sleep":
        table.change_phase(action, Phase.PAUSED)
        await execution.committed(stepper)
        await become_task(stepper)
        import asyncio

        await asyncio.sleep(target.duration_seconds - waited)
        return {}
    request = GateRequest(
        run=table.run,
        action=action.id,
        gate=target.gate,
        signal=target.signal,
        type=target.type,
        value=inputs.get("value"),
        timeout_seconds=target.timeout_seconds,
        prompt=target.prompt,
        description=target.description,
    )
    keeper = execution.engine.gate_keeper
    keeper.opened(request)
    try:
        table.change_phase(action, Phase.PAUSED)
        await execution.committed(stepper)
        await become_task(stepper)
        return await _answer(keeper, request, inputs, waited)
    finally:
        keeper.closed(request)


async def _answer(
    keeper: GateKeeper, request: GateRequest, inputs: dict[str, Literal], waited_seconds: float
) -> dict[str, Literal]:
    import asyncio

    limit_seconds = request.timeout_seconds
    longest = None if limit_seconds is None else max(limit_seconds - waited_seconds, 0.0)
    try:
        if request.gate != "approve":
            return {"o0": await within(longest, keeper.value(request))}
        approved = await within(longest, keeper.approved(request))
    except (TimeoutError, asyncio.TimeoutError):
        limit = "" if limit_seconds is None else f" within {limit_seconds:g} s"
        code = "ConditionTimedout" if request.gate == "condition" else "GateTimeout"
        raise final_failure(code, f"no answer to {request.signal!r}{limit}") from None
    if not approved:
        raise final_failure("GateRejected", f"{request.signal!r} was rejected")
    return {"o0": inputs["value"]}
