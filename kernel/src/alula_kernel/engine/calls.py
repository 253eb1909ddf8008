"""What a running task may ask of the engine: calls that become child actions, with ids that are the same every time."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..contracts import CallFailedError, CallRequest, Controller
from ..literals import Literal, map_hash
from ..specs import EntityTarget, GateTarget, MapTarget, Node
from .actions import Action
from .failures import aborted
from .phases import Phase
from .plans import NodePlan
from .stepping import Stepper, become_task, run_blocking

if TYPE_CHECKING:
    import asyncio

    from .execution import Execution


class ActionController(Controller):
    """The controller of one attempt of an action.

    It holds the attempt's slot. While the attempt waits for children it has given the slot back, so that nesting cannot
    use up every slot and stand still.

    Args:
        execution: The run, as this thread drives it.
        action: The action whose attempt it is.
        stepper: The stepper of the coroutine that waits for the attempt.

    Attributes:
        calls: The tasks that wait for a child.
        exception: The exception object that ended the attempt, where it ran in this process.
    """

    __slots__ = (
        "_calls",
        "_ended",
        "_idle",
        "_regaining",
        "_seen",
        "_slot",
        "action",
        "exception",
        "execution",
        "stepper",
    )

    def __init__(self, execution: Execution, action: Action, stepper: Stepper) -> None:
        self.execution = execution
        self.action = action
        self.stepper = stepper
        self.exception: BaseException | None = None
        self._seen: dict[str, Iterator[int]] = {}
        self.calls: set[asyncio.Task[object]] = set()
        self._slot = True
        self._regaining: asyncio.Task[None] | None = None
        self._idle: asyncio.Future[None] | None = None
        self._ended = False

    def note_exception(self, exception: BaseException) -> None:
        self.exception = exception

    async def enter_event_loop(self) -> None:
        await become_task(self.stepper)

    # --- the end of the attempt --------------------------------------------------------------------------------------

    def close(self) -> None:
        """Give the slot back for good: the attempt has ended."""
        self._ended = True
        if self._regaining is not None:
            self._regaining.cancel()
        if self._slot:
            self._slot = False
            self.execution.limiter.release()

    async def cancel_calls(self) -> None:
        """End the children that the attempt left behind, as ``asyncio.gather`` does when one of them fails."""
        import asyncio

        self._ended = True
        self._idle = asyncio.get_running_loop().create_future()
        for task in list(self.calls):
            task.cancel("the attempt that called it has ended")
        await self._idle

    # --- calls -------------------------------------------------------------------------------------------------------

    async def call(self, request: CallRequest) -> dict[str, Literal]:
        import asyncio

        if self._ended:
            raise aborted("the attempt that makes this call has ended")
        task = asyncio.current_task()
        assert task is not None
        self.calls.add(task)
        if self._slot:
            self._slot = False
            self.execution.limiter.release()
        try:
            outputs = await self._run_child(self.execution, request, Stepper(in_task=True))
        except CallFailedError:
            await self._come_back(task)
            raise
        except BaseException:  # a cancellation does not wait for a slot
            self._leave(task)
            raise
        await self._come_back(task)
        return outputs

    async def _come_back(self, task: asyncio.Task[object]) -> None:
        """Go on with the body, once it has its slot again."""
        import asyncio

        regaining = self._leave(task)
        if regaining is not None:
            await asyncio.shield(regaining)

    def _leave(self, task: asyncio.Task[object]) -> asyncio.Task[None] | None:
        """End a call; if it was the last one, take the slot back or return the task that waits for it."""
        import asyncio

        self.calls.discard(task)
        if self.calls or self._slot:
            return None
        if self._ended:
            if self._idle is not None and not self._idle.done():
                self._idle.set_result(None)
            return None
        if self._regaining is None:
            if self.execution.limiter.try_acquire():
                self._slot = True
                return None
            self._regaining = asyncio.get_running_loop().create_task(self._regain())
        return self._regaining

    async def _regain(self) -> None:
        limiter = self.execution.limiter
        await limiter.acquire(Stepper(in_task=True))
        self._regaining = None
        if self.calls:  # made meanwhile by another coroutine of the body: it needs the slot, and gives it back itself
            limiter.release()
        else:
            self._slot = True

    def call_blocking(self, request: CallRequest) -> dict[str, Literal]:
        if self._ended:
            raise aborted("the attempt that makes this call has ended")
        nested = self.execution.nested(self._slot)
        return run_blocking(self._run_child(nested, request, Stepper()))

    async def _run_child(self, execution: Execution, request: CallRequest, stepper: Stepper) -> dict[str, Literal]:
        child = self._child_id(request)
        earlier = execution.table.store.find(execution.table.run, f"{self.action.id}.{child}")
        if earlier is not None and earlier.phase is Phase.SUCCEEDED:
            return earlier.outputs
        node = Node(id=child, target=request.target, name=request.name, overrides=request.overrides)
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
            called = f"{type(target).__name__} {target.entity}"
        else:
            name = called = f"{target.gate}:{target.signal}" if isinstance(target, GateTarget) else "branch"
        identity = hashlib.sha256(f"{called}\0{map_hash(request.inputs)}".encode()).hexdigest()[:16]
        short = name.rpartition(".")[2]
        store, run = self.execution.table.store, self.execution.table.run
        # Threads of one attempt may call at the same time: `setdefault` and `next` are atomic, reading and adding is not.
        occurrences = self._seen.setdefault(identity, itertools.count())
        while True:
            occurrence = next(occurrences)
            child = f"{short}-{identity}-{occurrence}" if occurrence else f"{short}-{identity}"
            earlier = store.find(run, f"{self.action.id}.{child}")
            if earlier is None or earlier.phase is Phase.SUCCEEDED:
                return child
