"""One run as one thread drives it: creates actions, chooses their drivers, records how they end."""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine
from typing import TYPE_CHECKING, Any

from ..contracts import CallFailedError
from ..errors import ActionError
from ..literals import Literal
from ..specs import EntitySpec, LaunchPlanSpec, MapTarget, Node, TaskSpec, WorkflowSpec
from .actions import Action, ActionTable, RunOptions
from .graphs import drive_branch, drive_graph
from .gates import drive_gate
from .limits import Limiter
from .maps import drive_map
from .phases import Phase
from .plans import NodePlan
from .stepping import Stepper, become_task
from .tasks import drive_task

if TYPE_CHECKING:
    from .bindings import Scope
    from .engine import Engine

Outputs = dict[str, Literal]


class Execution:
    """What the drivers of one run share, in one thread.

    Args:
        engine: The engine, for executors, cache and entities.
        table: The run's actions.
        options: How the run is to be run.
        limiter: Slots for attempts.
    """

    __slots__ = ("abort_reason", "engine", "limiter", "options", "table")

    def __init__(self, engine: Engine, table: ActionTable, options: RunOptions, limiter: Limiter) -> None:
        self.engine = engine
        self.table = table
        self.options = options
        self.limiter = limiter
        self.abort_reason = ""

    def nested(self) -> Execution:
        """Return an execution of the same run for a call that blocks this thread.

        While it runs, nothing else of this thread moves, so it gets slots of its own: whoever waits for one here could
        not give it back.
        """
        limit = self.limiter.limit
        return Execution(self.engine, self.table, self.options, Limiter(None if limit is None else max(1, limit)))

    async def committed(self, stepper: Stepper) -> None:
        """Wait until everything recorded so far is durable."""
        pending: Awaitable[None] | None = self.table.store.commit()
        if pending is not None:
            await become_task(stepper)
            await pending

    async def conclude(self, action: Action, driver: Coroutine[Any, Any, Outputs], stepper: Stepper) -> Outputs:
        """Drive an action and record how it ended.

        Raises:
            CallFailedError: It failed; that is recorded.
        """
        try:
            outputs = await driver
        except CallFailedError as failure:
            error = failure.error
            if not error.action:
                error = failure.error = _with_place(error, action)
            phase = Phase.TIMED_OUT if error.code == "Timeout" and error.action == action.id else Phase.FAILED
            self.table.change_phase(action, phase, error=error)
            await self.committed(stepper)
            raise
        except BaseException as stop:
            self.table.change_phase(action, Phase.ABORTED, message=self.abort_reason or _stop_reason(stop))
            raise
        self.table.change_phase(action, Phase.SUCCEEDED, outputs=outputs)
        if self.table.store.durable:
            await self.committed(stepper)
        return outputs

    async def run_node(
        self, plan: NodePlan, parent: Action, scope: Scope, stepper: Stepper, interruptible: bool | None
    ) -> Outputs:
        """Run one node of a graph whose inputs can be resolved."""
        from .bindings import BindingError, resolve

        node = plan.node
        action = Action(
            id=f"{parent.id}.{node.id}", parent=parent.id, name=plan.name, kind=plan.kind, location=node.location
        )
        if plan.spec is not None:
            action.entity = plan.spec.id.name
        try:
            inputs = {name: resolve(binding, scope) for name, binding in node.inputs.items()}
        except BindingError as problem:
            self.table.create(action)
            return await self.conclude(action, _fail(problem.error), stepper)
        if plan.defaults:
            inputs = {**plan.defaults, **inputs}
        action.inputs = inputs
        self.table.create(action)
        if plan.kind == "task":
            driver = drive_task(self, action, plan.spec, inputs, stepper, interruptible)  # type: ignore[arg-type]
        elif plan.kind == "branch":
            driver = drive_branch(self, action, node, scope, stepper, interruptible)
        elif plan.kind == "gate":
            driver = drive_gate(self, action, node, inputs, stepper)
        elif plan.kind == "map":
            driver = drive_map(self, action, node.target, plan.spec, inputs, stepper, interruptible)  # type: ignore[arg-type]
        else:
            driver = self.drive(action, plan.spec, inputs, stepper, interruptible)  # type: ignore[arg-type]
        return await self.conclude(action, driver, stepper)

    def drive(
        self, action: Action, spec: EntitySpec, inputs: Outputs, stepper: Stepper, interruptible: bool | None = None
    ) -> Coroutine[Any, Any, Outputs]:
        """Choose the driver of an entity."""
        if isinstance(spec, TaskSpec):
            return drive_task(self, action, spec, inputs, stepper, interruptible)
        if isinstance(spec, LaunchPlanSpec):
            workflow = self.engine.entities(spec.workflow)
            assert isinstance(workflow, WorkflowSpec)
            bound = {**spec.default_inputs, **inputs, **spec.fixed_inputs}
            return drive_graph(self, action, self.engine.plan(workflow), bound, stepper, interruptible)
        return drive_graph(self, action, self.engine.plan(spec), inputs, stepper, interruptible)

    def skip(self, node: Node, parent: Action, message: str) -> None:
        """Record that a node will not run."""
        plan = NodePlan(node, self.engine.entities)
        action = Action(
            id=f"{parent.id}.{node.id}",
            parent=parent.id,
            name=plan.name,
            kind=plan.kind,
            entity=plan.spec.id.name if plan.spec is not None else "",
            location=node.location,
        )
        self.table.create(action)
        self.table.change_phase(action, Phase.SKIPPED, message=message)


def target_kind(target: object, spec: EntitySpec | None) -> str:
    """Return the kind of the action that runs a target."""
    if isinstance(target, MapTarget):
        return "map"
    return spec.id.kind if spec is not None else "gate"


async def _fail(error: ActionError) -> Outputs:
    raise CallFailedError(error)


def _with_place(error: ActionError, action: Action) -> ActionError:
    from msgspec.structs import replace

    return replace(error, action=action.id, name=error.name or action.entity or action.name)


def _stop_reason(stop: BaseException) -> str:
    if isinstance(stop, KeyboardInterrupt):
        return "interrupted"
    return "cancelled" if type(stop).__name__ == "CancelledError" else f"{type(stop).__name__}: {stop}"
