"""What a running task may ask of the engine: calls that become child actions, with ids that are the same every time."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from ..contracts import CallRequest, Controller
from ..literals import Literal, map_hash
from ..specs import EntityTarget, GateTarget, MapTarget, Node
from .actions import Action
from .phases import Phase
from .plans import NodePlan
from .stepping import Stepper, become_task, run_blocking

if TYPE_CHECKING:
    from .execution import Execution


class ActionController(Controller):
    """The controller of one attempt of an action.

    It holds the attempt's slot. While the attempt waits for children it has given the slot back, so that nesting cannot
    use up every slot and stand still.

    Args:
        execution: The run, as this thread drives it.
        action: The action whose attempt it is.
        stepper: The stepper of the coroutine that waits for the attempt.
    """

    __slots__ = ("_children", "_seen", "_slot", "action", "exception", "execution", "stepper")

    def __init__(self, execution: Execution, action: Action, stepper: Stepper) -> None:
        self.execution = execution
        self.action = action
        self.stepper = stepper
        self.exception: BaseException | None = None
        self._seen: dict[str, int] | None = None
        self._children = 0
        self._slot = True

    def close(self) -> None:
        """Give the slot back for good."""
        if self._slot:
            self._slot = False
            self.execution.limiter.release()

    def note_exception(self, exception: BaseException) -> None:
        self.exception = exception

    async def enter_event_loop(self) -> None:
        await become_task(self.stepper)

    async def call(self, request: CallRequest) -> dict[str, Literal]:
        self._children += 1
        if self._children == 1 and self._slot:
            self._slot = False
            self.execution.limiter.release()
        stepper = Stepper(in_task=True)
        try:
            return await self._run_child(self.execution, request, stepper)
        finally:
            self._children -= 1
            if self._children == 0 and not self._slot:
                await self.execution.limiter.acquire(stepper)
                self._slot = True

    def call_blocking(self, request: CallRequest) -> dict[str, Literal]:
        return run_blocking(self._run_child(self.execution.nested(), request, Stepper()))

    async def _run_child(self, execution: Execution, request: CallRequest, stepper: Stepper) -> dict[str, Literal]:
        node = Node(
            id=self._child_id(request),
            target=request.target,
            name=request.name,
            overrides=request.overrides,
        )
        earlier = execution.table.store.find(execution.table.run, f"{self.action.id}.{node.id}")
        if earlier is not None and earlier.phase is Phase.SUCCEEDED:
            return earlier.outputs
        plan = NodePlan(node, execution.engine.entities)
        plan.defaults = {**plan.defaults, **request.inputs}
        return await execution.run_node(plan, self.action, {}, stepper, None)

    def _child_id(self, request: CallRequest) -> str:
        """Identify a child by what is called, its inputs, and how often that was called before in this attempt.

        A child of an earlier attempt that has not succeeded keeps its id and record; the repeated call counts on.
        """
        target = request.target
        if isinstance(target, (EntityTarget, MapTarget)):
            name = target.entity.name
        else:
            name = f"{target.gate}:{target.signal}" if isinstance(target, GateTarget) else "branch"
        identity = hashlib.sha256(f"{name}\0{map_hash(request.inputs)}".encode()).hexdigest()[:10]
        if self._seen is None:
            self._seen = {}
        short = name.rpartition(".")[2]
        store, run = self.execution.table.store, self.execution.table.run
        while True:
            occurrence = self._seen.get(identity, 0)
            self._seen[identity] = occurrence + 1
            child = f"{short}-{identity}-{occurrence}" if occurrence else f"{short}-{identity}"
            earlier = store.find(run, f"{self.action.id}.{child}")
            if earlier is None or earlier.phase is Phase.SUCCEEDED:
                return child
