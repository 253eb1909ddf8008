"""The driver of graphs: workflows, what dynamic tasks return, and the branches of conditionals."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from ..contracts import CallFailedError
from ..errors import ActionError
from ..literals import NONE, Literal, MapLiteral, Scalar
from ..specs import FAIL_IMMEDIATELY, BranchTarget, Node
from .actions import Action
from .bindings import BindingError, Scope, holds, resolve
from .children import Children
from .phases import Phase
from .plans import NodePlan, WorkflowPlan, plan_nodes
from .stepping import Stepper

if TYPE_CHECKING:
    from .execution import Execution

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
    fail_fast = spec.failure_policy == FAIL_IMMEDIATELY
    try:
        await run_nodes(execution, action, plan.nodes, scope, stepper, interruptible, fail_fast)
        return {name: resolve(binding, scope) for name, binding in spec.outputs.items()}
    except BindingError as problem:
        failure = CallFailedError(problem.error)
        await _run_failure_handler(execution, action, spec.on_failure, inputs, problem.error, stepper)
        raise failure from None
    except CallFailedError as failure:
        await _run_failure_handler(execution, action, spec.on_failure, inputs, failure.error, stepper)
        raise
    except BaseException as stop:  # an abort: the handler runs all the same
        error = ActionError(code="Aborted", message=execution.abort_reason or f"aborted: {type(stop).__name__}")
        await _run_failure_handler(execution, action, spec.on_failure, inputs, error, stepper)
        raise


async def run_nodes(
    execution: Execution,
    parent: Action,
    nodes: list[NodePlan],
    scope: Scope,
    stepper: Stepper,
    interruptible: bool | None,
    fail_fast: bool,
) -> None:
    """Run planned nodes, adding their outputs to the scope.

    Raises:
        CallFailedError: The first failure; with `fail_fast` the rest was cancelled, else whatever could run has run.
    """
    waits = [node.waits_for for node in nodes]
    # A heap, so that nodes start in the order in which they were written; sorted, it is one already.
    ready = [index for index, count in enumerate(waits) if not count]
    children: Children[int, Outputs] = Children(stepper)
    first_failure: CallFailedError | None = None
    try:
        while True:
            while ready:
                index = heapq.heappop(ready)
                node_stepper = Stepper()
                await children.start(
                    index, execution.run_node(nodes[index], parent, scope, node_stepper, interruptible)
                )
                if children.ended:
                    break
            while children.ended:
                index, outputs, failure = children.ended.popleft()
                if failure is not None:
                    if fail_fast:
                        raise failure
                    first_failure = first_failure or failure
                    continue
                scope[nodes[index].node.id] = outputs  # type: ignore[assignment]
                for dependent in nodes[index].dependents:
                    waits[dependent] -= 1
                    if not waits[dependent]:
                        heapq.heappush(ready, dependent)
            if ready:
                continue
            if not children.running:
                break
            await children.next_end()
    except BaseException:
        await children.cancel()
        raise
    if first_failure is not None:
        for index, count in enumerate(waits):
            if count:
                execution.skip(nodes[index].node, parent, "something that it needs failed")
        raise first_failure


async def _run_failure_handler(
    execution: Execution, action: Action, node: Node | None, inputs: Outputs, error: ActionError, stepper: Stepper
) -> None:
    """Run the failure node with the workflow's inputs and the error; its own failure replaces the original."""
    if node is None:
        return
    plan = NodePlan(node, execution.engine.entities)
    assert plan.spec is not None
    wanted = plan.spec.interface.inputs
    given = {name: value for name, value in inputs.items() if name in wanted}
    if "err" in wanted and "err" not in given:
        given["err"] = MapLiteral({"failed_node_id": Scalar(error.action), "message": Scalar(error.message)})
    plan.defaults = {**dict.fromkeys(wanted, NONE), **plan.defaults, **given}
    await execution.run_node(plan, action, {}, stepper, None)


async def drive_branch(
    execution: Execution, action: Action, node: Node, scope: Scope, stepper: Stepper, interruptible: bool | None
) -> Outputs:
    """Run the first case whose condition holds, and record the nodes of the others as skipped.

    Raises:
        CallFailedError: The case fails on purpose, none holds, or a node in it failed.
    """
    target = node.target
    assert isinstance(target, BranchTarget)
    execution.table.change_phase(action, Phase.RUNNING)
    try:
        chosen = next((c for c in target.cases if c.condition is None or holds(c.condition, scope)), None)
    except BindingError as problem:
        raise CallFailedError(problem.error) from None
    for case in target.cases:
        if case is not chosen:
            for child in case.nodes:
                execution.skip(child, action, "its case was not taken")
    if chosen is None or chosen.error is not None:
        message = chosen.error if chosen is not None and chosen.error is not None else "no case of the conditional holds"
        raise CallFailedError(ActionError(code="BranchFailed", message=message, recoverable=False))
    inner: Scope = dict(scope)
    plans = plan_nodes(chosen.nodes, execution.engine.entities)
    await run_nodes(execution, action, plans, inner, stepper, interruptible, fail_fast=True)
    try:
        return {name: resolve(binding, inner) for name, binding in chosen.outputs.items()}
    except BindingError as problem:
        raise CallFailedError(problem.error) from None
