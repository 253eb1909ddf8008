"""One run as one thread drives it: creates actions, chooses their drivers, records how they end."""

from __future__ import annotations

import logging
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from ..contracts import CallFailedError, CallRequest
from ..errors import ActionError
from ..literals import Literal
from ..specs import EntityId, EntitySpec, LaunchPlanSpec, TaskSpec
from .actions import ROOT_ACTION, Action, ActionTable, RunOptions
from .attempts import TaskPlan
from .bindings import BindingError, Scope, resolve
from .failures import EndedError, aborted, stop_reason
from .gates import drive_gate
from .graphs import drive_branch, drive_graph
from .limits import Limiter
from .maps import drive_map
from .phases import Phase
from .plans import NodePlan, input_defaults
from .stepping import Stepper, become_task
from .tasks import drive_task

if TYPE_CHECKING:
    from .engine import Engine
    from .leftovers import Leftovers

logger = logging.getLogger("alula.engine")

Outputs = dict[str, Literal]

_KEPT_PLANS = 256


class Execution:
    """What the drivers of one run share, in one thread.

    Args:
        engine: The engine, for executors, cache and entities.
        table: The run's actions.
        options: How the run is to be run.
        limiter: Slots for attempts.
        standing_still: Owners of cache reservations that cannot go on while this one runs.

    Attributes:
        left: What a dead engine left of the run; None if it began here.
        reserving: Owners of cache reservations among its actions.
    """

    __slots__ = ("_task_plans", "engine", "left", "limiter", "options", "reserving", "standing_still", "table")

    def __init__(
        self,
        engine: Engine,
        table: ActionTable,
        options: RunOptions,
        limiter: Limiter,
        standing_still: frozenset[str] = frozenset(),
    ) -> None:
        self.engine = engine
        self.table = table
        self.options = options
        self.limiter = limiter
        self.standing_still = standing_still
        self.left: Leftovers | None = None
        self.reserving: set[str] = set()
        # By identity, since a spec cannot be hashed; a plan holds its spec, so that the identity stays taken.
        self._task_plans: dict[int, TaskPlan] = {}

    def nested(self, has_slot: bool) -> Execution:
        """Return an execution of the same run for a call that blocks this thread.

        While it runs, nothing else of this thread moves. It gets slots of its own, as many as are free here and that of
        the attempt that calls: whoever waits for one here could not give it back.

        Args:
            has_slot: Whether the attempt that calls holds a slot.
        """
        limit = self.limiter.limit
        limiter = Limiter(None if limit is None else max(1, self.limiter.free + has_slot))
        nested = Execution(self.engine, self.table, self.options, limiter, self.standing_still | self.reserving)
        nested.left = self.left
        nested._task_plans = self._task_plans
        return nested

    def with_context(self, added: Mapping[str, str]) -> Execution:
        """Return an execution of the same run for a child whose custom context has more in it."""
        options = msgspec.structs.replace(self.options, context={**self.options.context, **added})
        derived = Execution(self.engine, self.table, options, self.limiter, self.standing_still)
        derived.left = self.left
        derived.reserving = self.reserving
        return derived

    def task_plan(self, spec: TaskSpec) -> TaskPlan:
        """Return the plan of a task; the plans of specs that were met lately are kept.

        Raises:
            UnknownNameError: Nothing here runs such tasks.
        """
        plans = self._task_plans
        plan = plans.get(id(spec))
        if plan is None or plan.spec is not spec:
            root = self.table.store.find(self.table.run, ROOT_ACTION)
            started_at = root.created_at if root is not None else 0.0
            executor = self.engine.executor(spec, self.options.executor)
            plan = TaskPlan(spec, executor, self.table.run, self.options, started_at)
            if len(plans) >= _KEPT_PLANS:
                plans.clear()
            plans[id(spec)] = plan
        return plan

    def seconds_left(self, action: Action, spec: TaskSpec) -> float | None:
        """Return how long it is until an action's deadline, below zero after it; None if it has none."""
        deadline = spec.timeout.deadline_seconds
        return action.created_at + deadline - self.table.clock() if deadline else None

    async def committed(self, stepper: Stepper) -> None:
        """Wait until everything recorded so far is durable."""
        store = self.table.store
        if not store.durable:
            return
        if not stepper.in_task:
            if store.commit_now():
                return
            await become_task(stepper)
        pending = store.commit()
        if pending is not None:
            await pending

    def begin(self, action: Action) -> Action:
        """Record a new action, or return the one that a dead engine left under its id.

        Raises:
            UsageError: What was left is something else.
        """
        if self.left is not None and (earlier := self.left.claim(action)) is not None:
            return earlier
        return self.table.create(action)

    async def conclude(self, action: Action, driver: Coroutine[Any, Any, Outputs], stepper: Stepper) -> Outputs:
        """Drive an action and record how it ended. One that a dead engine left, and that has ended, is not driven.

        Raises:
            CallFailedError: It failed; that is recorded.
        """
        table = self.table
        if self.left is not None:
            if action.final:
                driver.close()
                return self.left.answer(action)
            driver = self._clearing(action, driver, stepper)
        try:
            outputs = await driver
        except CallFailedError as failure:
            if not failure.error.action:
                failure.error = _with_place(failure.error, action)
            ended = isinstance(failure, EndedError) and failure.error.action == action.id
            phase = failure.phase if ended else Phase.FAILED  # type: ignore[attr-defined]
            table.change_phase(action, phase, error=failure.error)
            await self.committed(stepper)
            raise
        except BaseException as stop:
            table.change_phase(action, Phase.ABORTED, message=stop_reason(stop))
            await self._commit_abort(stop, stepper)
            raise
        if not table.change_phase(action, Phase.SUCCEEDED, outputs=outputs):
            # It was ended from outside meanwhile, and that is what the others have seen.
            late = aborted(action.message or "it was ended from outside")
            raise CallFailedError(action.error or _with_place(late.error, action))
        if table.store.durable:
            await self.committed(stepper)
        return outputs

    async def _clearing(self, action: Action, driver: Coroutine[Any, Any, Outputs], stepper: Stepper) -> Outputs:
        """Drive an action, and see to it that nothing that a dead engine left goes on below it."""
        assert self.left is not None
        try:
            outputs = await driver
        except GeneratorExit:  # nobody is there any more who could wait
            raise
        except BaseException:
            await self.left.abandon(self, action, stepper)
            raise
        await self.left.abandon(self, action, stepper)
        return outputs

    async def _commit_abort(self, stop: BaseException, stepper: Stepper) -> None:
        """Make an abort durable if that is possible; its cause is raised in any case."""
        if isinstance(stop, GeneratorExit) or not self.table.store.durable:
            return
        try:
            await self.committed(stepper)
        except Exception:
            logger.debug("an abort could not be committed", exc_info=True)

    def run_node(
        self,
        plan: NodePlan,
        parent: Action,
        scope: Scope,
        stepper: Stepper,
        interruptible: bool | None,
        defaults: Outputs | None = None,
    ) -> Coroutine[Any, Any, Outputs]:
        """Run one node of a graph whose inputs can be resolved.

        Args:
            plan: The node.
            parent: The action whose child it becomes.
            scope: The outputs that its bindings may refer to.
            stepper: The stepper of the coroutine that is returned.
            interruptible: What the workflows around it say.
            defaults: Values of inputs that it does not bind, instead of the plan's.
        """
        node = plan.node
        action = Action(
            id=f"{parent.id}.{plan.action}",
            parent=parent.id,
            name=plan.name,
            kind=plan.kind,
            entity=plan.entity,
            location=node.location,
            group=plan.group,
        )
        try:
            inputs = {name: resolve(binding, scope) for name, binding in node.inputs.items()}
        except BindingError as problem:
            action = self.begin(action)
            return self.conclude(action, _fail(CallFailedError(problem.error)), stepper)
        if defaults is None:
            defaults = plan.defaults
        if defaults:
            inputs = {**defaults, **inputs}
        action.inputs = inputs
        action = self.begin(action)
        inputs = action.inputs
        driver: Coroutine[Any, Any, Outputs]
        if plan.kind == "branch":
            driver = drive_branch(self, action, node, scope, stepper, interruptible)
        elif plan.kind == "gate":
            driver = drive_gate(self, action, node, inputs, stepper)
        elif plan.kind == "map":
            driver = drive_map(self, action, node.target, plan.spec, inputs, stepper, interruptible)  # type: ignore[arg-type]
        else:
            driver = self.drive(action, plan.spec, inputs, stepper, interruptible)  # type: ignore[arg-type]
        return self.conclude(action, driver, stepper)

    def run_entity(
        self, parent: Action, child: str, request: CallRequest, entity: EntityId, stepper: Stepper
    ) -> Coroutine[Any, Any, Outputs]:
        """Run the task, workflow or launch plan that a task calls: what `run_node` does with a node of no graph.

        Args:
            parent: The action that calls.
            child: Id of the child below its parent's.
            request: The call.
            entity: What is called.
            stepper: The stepper of the coroutine that is returned.
        """
        spec = self.engine.entities(entity)
        if request.overrides is not None and isinstance(spec, TaskSpec):
            spec = request.overrides.apply(spec)
        inputs = request.inputs
        if len(inputs) < len(spec.interface.inputs):
            inputs = {**input_defaults(spec, inputs), **inputs}
        action = Action(
            id=f"{parent.id}.{child}",
            parent=parent.id,
            name=request.name or entity.name.rpartition(".")[2],
            kind=entity.kind,
            entity=spec.id.name,
            inputs=inputs,
            group=request.group,
        )
        action = self.begin(action)
        return self.conclude(action, self.drive(action, spec, action.inputs, stepper), stepper)

    def drive(
        self, action: Action, spec: EntitySpec, inputs: Outputs, stepper: Stepper, interruptible: bool | None = None
    ) -> Coroutine[Any, Any, Outputs]:
        """Choose the driver of an entity. What is wrong with the entity is raised by what is returned."""
        try:
            if isinstance(spec, TaskSpec):
                return drive_task(self, action, self.task_plan(spec), inputs, stepper, interruptible)
            if isinstance(spec, LaunchPlanSpec):
                inputs = {**spec.default_inputs, **inputs, **spec.fixed_inputs}
                return self.drive(action, self.engine.entities(spec.workflow), inputs, stepper, interruptible)
            return drive_graph(self, action, self.engine.plan(spec), inputs, stepper, interruptible)
        except Exception as problem:  # noqa: BLE001 - raised again where the action is concluded
            return _fail(problem)

    def skip(self, plan: NodePlan, parent: Action, message: str) -> None:
        """Record that a node will not run."""
        action = Action(
            id=f"{parent.id}.{plan.action}",
            parent=parent.id,
            name=plan.name,
            kind=plan.kind,
            entity=plan.entity,
            location=plan.node.location,
        )
        action = self.begin(action)
        self.table.change_phase(action, Phase.SKIPPED, message=message)


async def _fail(problem: Exception) -> Outputs:
    raise problem


def _with_place(error: ActionError, action: Action) -> ActionError:
    return msgspec.structs.replace(error, action=action.id, name=error.name or action.entity or action.name)
