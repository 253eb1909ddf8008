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
        gate: ``approve`` or ``input``.
        signal: Name by which the answer is given.
        type: Type of the answer.
        value: What is to be approved; None for an input.
        timeout_seconds: How long an answer is waited for; None for ever.
    """

    run: str
    action: str
    gate: str
    signal: str
    type: LiteralType | None
    value: Literal | None
    timeout_seconds: float | None


class GateKeeper(ABC):
    """Asks people and gives their answers."""

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
    execution.table.change_phase(action, Phase.PAUSED)
    await execution.committed(stepper)
    await become_task(stepper)
    import asyncio

    if target.gate == "sleep":
        await asyncio.sleep(target.duration_seconds)
        return {}
    request = GateRequest(
        run=execution.table.run,
        action=action.id,
        gate=target.gate,
        signal=target.signal,
        type=target.type,
        value=inputs.get("value"),
        timeout_seconds=target.timeout_seconds,
    )
    keeper = execution.engine.gate_keeper
    try:
        if target.gate == "input":
            return {"o0": await within(target.timeout_seconds, keeper.value(request))}
        approved = await within(target.timeout_seconds, keeper.approved(request))
    except (TimeoutError, asyncio.TimeoutError):
        limit = "" if target.timeout_seconds is None else f" within {target.timeout_seconds:g} s"
        raise final_failure("GateTimeout", f"no answer to {target.signal!r}{limit}") from None
    if not approved:
        raise final_failure("GateRejected", f"{target.signal!r} was rejected")
    return {"o0": inputs["value"]}
