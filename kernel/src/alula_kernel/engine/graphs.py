"""The driver of graphs: workflows, what dynamic tasks return, and the branches of conditionals."""

from __future__ import annotations

import heapq
import logging
from typing import TYPE_CHECKING

from ..contracts import CallFailedError
from ..errors import ActionError
from ..literals import NONE, Literal, MapLiteral, Scalar
from ..specs import FAIL_IMMEDIATELY, BranchTarget, Node
from .actions import Action
from .bindings import BindingError, Scope, holds, resolve
from .children import Children
from .failures import final_failure, reason_for_others, stop_reason
from .phases import Phase
from .plans import NodePlan, WorkflowPlan, plan_nodes
from .stepping import Stepper

if TYPE_CHECKING:
    from .execution import Execution

logger = logging.getLogger("alula.engine")

Outputs = dict[str, Literal]


async def drive_graph(
    execution: Execution,
    action: Action,
    plan: WorkflowPlan,
    inputs: Outputs,
    stepper: Stepper,
    interruptible: bool | None,
) -> Outputs:
    """Run the nodes of a workflow as their inputs become ready.

    Raises:
        CallFailedError: A node failed; the workflow's failure handler has run.
    """
    spec = plan.spec
    if action.phase is Phase.QUEUED:
        execution.table.change_phase(action, Phase.RUNNING)
    if spec.interruptible is not None:
        interruptible = spec.interruptible
    scope: Scope = {"": inputs}
    try:
        run = GraphRun(execution, action, plan.nodes, scope, stepper, interruptible)
        await run.drive(fail_fast=spec.failure_policy == FAIL_IMMEDIATELY)
        return {name: resolve(binding, scope) for name, binding in spec.outputs.items()}
    except BindingError as problem:
        await _run_failure_handler(execution, action, plan.on_failure, inputs, problem.error, stepper)
        raise CallFailedError(problem.error) from None
    except CallFailedError as failure:
        await _run_failure_handler(execution, action, plan.on_failure, inputs, failure.error, stepper)
        raise
    except GeneratorExit:  # nobody is there any more who could drive a handler
        raise
    except BaseException as stop:  # an abort: the handler runs all the same, and changes nothing about it
        error = ActionError(code="Aborted", message=stop_reason(stop))
        try:
            await _run_failure_handler(execution, action, plan.on_failure, inputs, error, stepper)
        except CallFailedError as failure:
            logger.warning("the failure handler of %s failed: %s", action.name, failure)
        raise


class GraphRun:
    """Nodes that refer to each other, while they run.

    Args:
        execution: The run, as this thread drives it.
        parent: The action whose children they are.
        nodes: The nodes in topological order.
        scope: The outputs that are there already; those of the nodes are added.
        stepper: The stepper of the coroutine that drives them.
        interruptible: What the workflows around them say.
    """

    __slots__ = ("_children", "_ready", "_waits", "execution", "interruptible", "nodes", "parent", "scope", "stepper")

    def __init__(
        self,
        execution: Execution,
        parent: Action,
        nodes: list[NodePlan],
        scope: Scope,
        stepper: Stepper,
        interruptible: bool | None,
    ) -> None:
        self.execution = execution
        self.parent = parent
        self.nodes = nodes
        self.scope = scope
        self.stepper = stepper
        self.interruptible = interruptible
        self._children: Children[int, Outputs] = Children(stepper)
        self._waits = [node.waits_for for node in nodes]
        # A heap, so that nodes start in the order in which they were written; sorted, it is one already.
        self._ready = [index for index, count in enumerate(self._waits) if not count]

    async def drive(self, *, fail_fast: bool) -> None:
        """Run the nodes.

        Raises:
            CallFailedError: The first failure; with `fail_fast` the rest was cancelled, else whatever could run has run.
        """
        children, execution = self._children, self.execution
        first_failure: CallFailedError | None = None
        try:
            while True:
                while self._ready and not children.ended:
                    index = heapq.heappop(self._ready)
                    child = execution.run_node(
                        self.nodes[index], self.parent, self.scope, Stepper(), self.interruptible
                    )
                    if not children.start(index, child):
                        await children.adopt(index, child)
                while children.ended:
                    index, outputs, failure = children.ended.popleft()
                    if failure is None:
                        self._succeeded(index, outputs)  # type: ignore[arg-type]
                    elif fail_fast or not isinstance(failure, CallFailedError):
                        raise failure
                    else:
                        first_failure = first_failure or failure
                if self._ready:
                    continue
                if not children.running:
                    break
                await children.next_end()
        except BaseException as stop:
            await children.cancel(reason_for_others(stop))
            raise
        if first_failure is not None:
            self._skip_the_rest()
            raise first_failure

    def _succeeded(self, index: int, outputs: Outputs) -> None:
        plan = self.nodes[index]
        self.scope[plan.node.id] = outputs
        waits = self._waits
        for dependent in plan.dependents:
            waits[dependent] -= 1
            if not waits[dependent]:
                heapq.heappush(self._ready, dependent)

    def _skip_the_rest(self) -> None:
        for index, count in enumerate(self._waits):
            if count:
                self.execution.skip(self.nodes[index], self.parent, "something that it needs failed")


async def _run_failure_handler(
    execution: Execution, action: Action, plan: NodePlan | None, inputs: Outputs, error: ActionError, stepper: Stepper
) -> None:
    """Run the failure node with the workflow's inputs and the error.

    Raises:
        CallFailedError: It failed; that takes the place of the original failure.
    """
    if plan is None:
        return
    assert plan.spec is not None
    wanted = plan.spec.interface.inputs
    given = {name: value for name, value in inputs.items() if name in wanted}
    if "err" in wanted and "err" not in given:
        given["err"] = MapLiteral({"failed_node_id": Scalar(error.action), "message": Scalar(error.message)})
    defaults = {**dict.fromkeys(wanted, NONE), **plan.defaults, **given}
    await execution.run_node(plan, action, {"": inputs}, stepper, None, defaults)


async def drive_branch(
    execution: Execution, action: Action, node: Node, scope: Scope, stepper: Stepper, interruptible: bool | None
) -> Outputs:
    """Run the first case whose condition holds, and record the nodes of the others as skipped.

    Raises:
        CallFailedError: The case fails on purpose, none holds, or a node in it failed.
    """
    assert isinstance(node.target, BranchTarget)
    cases = node.target.cases
    execution.table.change_phase(action, Phase.RUNNING)
    resolver = execution.engine.entities
    try:
        chosen = next((case for case in cases if case.condition is None or holds(case.condition, scope)), None)
        for case in cases:
            if case is not chosen:
                for child in case.nodes:
                    execution.skip(NodePlan(child, resolver), action, "its case was not taken")
        if chosen is None:
            raise final_failure("BranchFailed", "no case of the conditional holds")
        if chosen.error is not None:
            raise final_failure("BranchFailed", chosen.error, "builtins:ValueError")
        inner: Scope = dict(scope)
        run = GraphRun(execution, action, plan_nodes(chosen.nodes, resolver), inner, stepper, interruptible)
        await run.drive(fail_fast=True)
        return {name: resolve(binding, inner) for name, binding in chosen.outputs.items()}
    except BindingError as problem:
        raise CallFailedError(problem.error) from None
