"""What a running task may ask of the engine: calls that become child actions, with ids that are the same every time."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any

from ..contracts import CallFailedError, CallRequest, Calls, Controller, Trace, TraceRequest
from ..errors import ActionError
from ..literals import Literal, MapLiteral, identity_bytes
from ..specs import EntityTarget, GateTarget, MapTarget, Node
from .actions import Action
from .blocking import BlockingCalls
from .failures import aborted
from .limits import RETURNING
from .phases import Phase
from .plans import NodePlan
from .stepping import Stepper, become_task, run_blocking
from .traces import Traces

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
        waiting: The tasks that wait for a child.
        exception: The exception object that ended the attempt, where it ran in this process.
    """

    # Attributes of the class until they change: most attempts are short, and few make calls.
    exception: BaseException | None = None
    _traces: Traces | None = None
    _slot = True
    _regaining: asyncio.Task[None] | None = None
    _idle: asyncio.Future[None] | None = None
    _ended = False

    def __init__(self, execution: Execution, action: Action, stepper: Stepper) -> None:
        self.execution = execution
        self.action = action
        self.stepper = stepper
        self.waiting: set[asyncio.Task[object]] = set()
        self._seen: dict[str, Iterator[int]] = {}
        self._blocking: list[BlockingCalls] = []

    def note_exception(self, exception: BaseException) -> None:
        self.exception = exception

    async def enter_event_loop(self) -> None:
        if not self.stepper.in_task:
            await become_task(self.stepper)

    # --- the end of the attempt --------------------------------------------------------------------------------------

    def close(self) -> None:
        """Give the slot back for good: the attempt has ended."""
        self._ended = True
        while self._blocking:
            self._blocking[-1].close("the attempt that called it has ended")
        if self._traces is not None:
            self._traces.close()
        if self._regaining is not None:
            self._regaining.cancel()
        if self._slot:
            self._slot = False
            limiter = self.execution.limiter
            if limiter.limit is not None:
                limiter.release()

    async def cancel_calls(self) -> None:
        """End the children that the attempt left behind, as ``asyncio.gather`` does when one of them fails."""
        import asyncio

        self._ended = True
        self._idle = asyncio.get_running_loop().create_future()
        for task in list(self.waiting):
            task.cancel("the attempt that called it has ended")
        await self._idle

    # --- calls -------------------------------------------------------------------------------------------------------

    async def call(self, request: CallRequest) -> dict[str, Literal]:
        import asyncio

        if self._ended:
            raise aborted("the attempt that makes this call has ended")
        task = asyncio.current_task()
        assert task is not None
        self.waiting.add(task)
        if self._slot:
            self._slot = False
            self.execution.limiter.release()
        try:
            outputs = await self._run_child(self.execution, request, Stepper(in_task=True))
        except CallFailedError:
            if (regaining := self._leave(task)) is not None:
                await asyncio.shield(regaining)
            raise
        except BaseException:  # a cancellation does not wait for a slot
            self._leave(task)
            raise
        if (regaining := self._leave(task)) is not None:
            await asyncio.shield(regaining)
        return outputs

    def _leave(self, task: asyncio.Task[object]) -> asyncio.Task[None] | None:
        """End a call; if it was the last one, take the slot back or return the task that waits for it."""
        self.waiting.discard(task)
        if self.waiting or self._slot:
            return None
        if self._ended:
            if self._idle is not None and not self._idle.done():
                self._idle.set_result(None)
            return None
        if self._regaining is None:
            if self.execution.limiter.try_acquire():
                self._slot = True
                return None
            self._regaining = task.get_loop().create_task(self._regain())
        return self._regaining

    async def _regain(self) -> None:
        limiter = self.execution.limiter
        await limiter.acquire(Stepper(in_task=True), depth=RETURNING)
        self._regaining = None
        if self.waiting:  # made meanwhile by another coroutine of the body: it needs the slot, and gives it back itself
            limiter.release()
        else:
            self._slot = True

    def call_blocking(self, request: CallRequest) -> dict[str, Literal]:
        return run_blocking(self._run_child(self._nested(), request, Stepper()))

    def calls(self) -> Calls:
        execution = self._nested()
        calls = BlockingCalls(
            lambda request, stepper: self._run_child(execution, request, stepper), self._blocking.remove
        )
        self._blocking.append(calls)
        return calls

    def _nested(self) -> Execution:
        if self._ended:
            raise aborted("the attempt that makes this call has ended")
        return self.execution.nested(self._slot)

    def _run_child(
        self, execution: Execution, request: CallRequest, stepper: Stepper
    ) -> Coroutine[Any, Any, dict[str, Literal]]:
        if request.entities:  # also if nothing is to be run: they do not come again with the next call
            execution.engine.learn(request.entities)
        child, earlier = self._child(request)
        if earlier is not None and earlier.phase is Phase.SUCCEEDED:
            return _answer(earlier)
        if request.context:
            execution = execution.with_context(request.context)
        target = request.target
        if isinstance(target, EntityTarget):
            return execution.run_entity(self.action, child, request, target.entity, stepper)
        node = Node(id=child, target=target, name=request.name, overrides=request.overrides)
        plan = NodePlan(node, execution.engine.entities)
        plan.defaults = {**plan.defaults, **request.inputs}
        plan.group = request.group
        return execution.run_node(plan, self.action, {}, stepper, None)

    def _child(self, request: CallRequest) -> tuple[str, Action | None]:
        """Identify a child by what is called, its inputs, and how often that was called before in this attempt.

        Returns:
            Its id below its parent's, and the action that is there already, if there is one.

        A child of an earlier attempt that has not succeeded keeps its id and record; the repeated call counts on.
        """
        target = request.target
        if isinstance(target, (EntityTarget, MapTarget)):
            name = target.entity.name
            called = f"{type(target).__name__} {target.entity}"
        else:
            name = called = f"{target.gate}:{target.signal}" if isinstance(target, GateTarget) else "branch"
        return self._identified(name, called, request.inputs, self._is_answer)

    def _is_answer(self, earlier: Action) -> bool:
        """Tell whether a child that is there is the one of a repeated call: it has succeeded, or its engine died."""
        left = self.execution.left
        return earlier.phase is Phase.SUCCEEDED or (left is not None and left.is_open(earlier.id))

    def _identified(
        self, name: str, called: str, inputs: dict[str, Literal], is_answer: Callable[[Action], bool]
    ) -> tuple[str, Action | None]:
        import hashlib

        identity = hashlib.sha256(called.encode() + b"\0" + identity_bytes(MapLiteral(inputs))).hexdigest()[:16]
        short = name.rpartition(".")[2]
        store, run = self.execution.table.store, self.execution.table.run
        # Threads of one attempt may call at the same time: `setdefault` and `next` are atomic, reading and adding is not.
        occurrences = self._seen.setdefault(identity, itertools.count())
        while True:
            occurrence = next(occurrences)
            child = f"{short}-{identity}-{occurrence}" if occurrence else f"{short}-{identity}"
            earlier = store.find(run, f"{self.action.id}.{child}")
            if earlier is None or is_answer(earlier):
                return child, earlier

    # --- recorded steps ----------------------------------------------------------------------------------------------

    def begin_trace(self, request: TraceRequest) -> Trace:
        if self._ended:
            raise aborted("the attempt that makes this step has ended")
        traces = self._traces
        if traces is None:
            traces = self._traces = Traces(self.execution, self.action)
        called = f"trace {request.name} {request.code}"
        step, _ = self._identified(request.name, called, request.inputs, traces.is_answer)
        return traces.begin(f"{self.action.id}.{step}", request)

    def end_trace(self, trace: Trace, outputs: dict[str, Literal] | None, error: ActionError | None) -> None:
        if self._traces is not None:
            self._traces.end(trace, outputs, error)


async def _answer(earlier: Action) -> dict[str, Literal]:
    return earlier.outputs
