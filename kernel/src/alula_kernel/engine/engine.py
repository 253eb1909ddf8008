"""The engine: grows the tree of actions of a run."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping

import msgspec

from ..contracts import Cache, CallFailedError, EventListener, TaskExecutor
from ..errors import ActionError, UnknownNameError, UsageError
from ..literals import Blob, Dataset, ListLiteral, Literal, MapLiteral, unwrap
from ..specs import EntitySpec, LaunchPlanSpec, TaskSpec, WorkflowSpec
from .actions import ROOT_ACTION, Action, ActionTable, RunOptions
from .execution import Execution
from .gates import GateKeeper
from .limits import Limiter
from .plans import Resolver, WorkflowPlan, input_defaults
from .stepping import Stepper, run_blocking
from .store import Store

Outputs = dict[str, Literal]

_KEPT_PLANS = 256
_NAME_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended.

    Attributes:
        name: Name of the run.
        root: Its first action; the rest of the tree is in the store.
        outputs: Its outputs; empty unless it succeeded.
        error: Why it failed; None if it succeeded.
        original: The exception object behind the failure, where the task ran in this process.
    """

    name: str
    root: Action
    outputs: Outputs
    error: ActionError | None = None
    original: BaseException | None = None


class Engine:
    """Drives runs. One engine may drive many runs, also from several threads; each run belongs to one thread at a time.

    Args:
        executors: Executors by name.
        entities: Finds an entity's spec by id.
        store: Where actions are kept.
        open_cache: Opens the cache; called when the first cached task is met.
        gate_keeper: Answers gates.
        python_types: Task types whose body is Python code, so that any executor of ``python`` runs them.
        listeners: Told of every change of an action.
        blob_exists: Tells whether a URI still exists, so that a cached output whose data was deleted counts as missing.
        clock: Gives seconds since the epoch.
    """

    def __init__(
        self,
        *,
        executors: Mapping[str, TaskExecutor],
        entities: Resolver,
        store: Store,
        open_cache: Callable[[], Cache],
        gate_keeper: GateKeeper,
        python_types: frozenset[str] = frozenset(),
        listeners: tuple[EventListener, ...] = (),
        blob_exists: Callable[[str], bool] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.entities = entities
        self.store = store
        self.gate_keeper = gate_keeper
        self.listeners = listeners
        self.clock = clock
        self._executors = executors
        self._python_types = python_types
        self._open_cache = open_cache
        self._cache: Cache | None = None
        self._opening = threading.Lock()
        self._blob_exists = blob_exists
        # By identity, since a spec cannot be hashed; a plan holds its spec, so that the identity stays taken.
        self._plans: dict[int, WorkflowPlan] = {}
        self._executor_by_type: dict[str, TaskExecutor] = {}

    @property
    def cache(self) -> Cache:
        """The cache, opened at first use."""
        if self._cache is None:
            with self._opening:
                if self._cache is None:
                    self._cache = self._open_cache()
        return self._cache

    def executor(self, spec: TaskSpec, wanted: str = "") -> TaskExecutor:
        """Choose the executor of a task: the run's for Python code, else the one that serves the task's type.

        Raises:
            UnknownNameError: Nothing here runs such tasks.
        """
        if wanted and (spec.type == "python" or spec.type in self._python_types):
            return self._named(wanted)
        executor = self._executor_by_type.get(spec.type)
        if executor is None:
            executor = self._executor_by_type[spec.type] = self._serving(spec)
        return executor

    def _serving(self, spec: TaskSpec) -> TaskExecutor:
        task_type = "python" if spec.type in self._python_types else spec.type
        for executor in self._executors.values():
            if task_type in executor.task_types:
                return executor
        known = {task_type for executor in self._executors.values() for task_type in executor.task_types}
        raise UnknownNameError.among("task type", spec.type, known, location=f"task {spec.id.name}")

    def _named(self, name: str) -> TaskExecutor:
        if name not in self._executors:
            raise UnknownNameError.among("executor", name, self._executors)
        return self._executors[name]

    def plan(self, spec: WorkflowSpec) -> WorkflowPlan:
        """Return the plan of a workflow; the plans of specs that were met lately are kept."""
        plan = self._plans.get(id(spec))
        if plan is None or plan.spec is not spec:
            plan = WorkflowPlan(spec, self.entities)
            if len(self._plans) >= _KEPT_PLANS:
                self._plans.clear()
            self._plans[id(spec)] = plan
        return plan

    def forget_plans(self) -> None:
        """Drop plans, after an entity that they resolved was replaced."""
        self._plans.clear()

    def outputs_exist(self, outputs: Outputs) -> bool:
        """Tell whether the data behind outputs is still there."""
        if self._blob_exists is None:
            return True
        return all(self._blob_exists(uri) for value in outputs.values() for uri in _uris(value))

    async def run(
        self, spec: EntitySpec, inputs: Outputs, options: RunOptions | None = None, stepper: Stepper | None = None
    ) -> RunResult:
        """Run an entity to its end.

        Must be awaited inside an asyncio task; `run_blocking` is for callers without one.

        Args:
            spec: A task, workflow or launch plan.
            inputs: Its inputs; defaults are filled in.
            options: How to run it.
            stepper: For callers that step the coroutine themselves.

        Returns:
            How it ended. Cancelling the task that awaits it aborts the run; the message of the cancellation, if there is
            one, is recorded as the reason.

        Raises:
            UsageError: An input is missing, an entity cannot run here, or another run of that name is not over yet.
        """
        options = options or RunOptions()
        stepper = stepper or Stepper(in_task=True)
        name = self._free_name(options.name) if options.name else new_run_name()
        table = ActionTable(name, self.store, self.listeners, self.clock)
        if isinstance(spec, LaunchPlanSpec):
            inputs = {**spec.default_inputs, **inputs, **spec.fixed_inputs}
            spec = self.entities(spec.workflow)
        inputs = {**input_defaults(spec, inputs), **inputs}
        _check_complete(spec, inputs)
        limit = options.max_parallelism
        if limit is None and isinstance(spec, WorkflowSpec):
            limit = spec.max_parallelism
        execution = Execution(self, table, options, Limiter(limit))
        root = Action(
            id=ROOT_ACTION,
            name=spec.id.name.rpartition(".")[2],
            kind=spec.id.kind,
            entity=spec.id.name,
            inputs=inputs,
        )
        table.create(root)
        try:
            outputs = await execution.conclude(root, execution.drive(root, spec, inputs, stepper), stepper)
        except CallFailedError as failure:
            return RunResult(name=name, root=root, outputs={}, error=failure.error, original=failure.original)
        return RunResult(name=name, root=root, outputs=outputs)

    def _free_name(self, name: str) -> str:
        before = self.store.find(name, ROOT_ACTION)
        if before is not None and not before.final:
            raise UsageError(f"a run named {name!r} is not over yet", hint="Give another name.")
        return name

    def run_blocking(self, spec: EntitySpec, inputs: Outputs, options: RunOptions | None = None) -> RunResult:
        """Run an entity to its end in this thread, with an event loop only if something has to wait."""
        return run_blocking(self.run(spec, inputs, options, Stepper()))


def new_run_name() -> str:
    """Make a run name: ``a`` and nineteen random letters and digits, 95 random bits."""
    return "a" + "".join(_NAME_ALPHABET[byte & 31] for byte in os.urandom(19))


def _check_complete(spec: EntitySpec, inputs: Outputs) -> None:
    missing = [name for name, variable in spec.interface.inputs.items() if variable.required and name not in inputs]
    if missing:
        raise UsageError(f"{spec.id.kind} {spec.id.name} was not given {', '.join(missing)}")


def _uris(literal: Literal) -> Iterator[str]:
    literal = unwrap(literal)
    if isinstance(literal, (Blob, Dataset)):
        yield literal.uri
    elif isinstance(literal, ListLiteral):
        for item in literal.items:
            yield from _uris(item)
    elif isinstance(literal, MapLiteral):
        for item in literal.entries.values():
            yield from _uris(item)
