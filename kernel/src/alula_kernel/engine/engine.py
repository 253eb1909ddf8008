"""The engine: grows the tree of actions of a run."""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping

import msgspec

from ..contracts import Cache, CallFailedError, EventListener, TaskExecutor
from ..errors import MAX_MESSAGE_CHARS, ActionError, UnknownNameError, UsageError
from ..literals import Blob, Dataset, ListLiteral, Literal, MapLiteral, unwrap
from ..specs import EntityId, EntitySpec, LaunchPlanSpec, TaskSpec, WorkflowSpec
from .actions import ROOT_ACTION, Action, ActionTable, RunOptions
from .calls import ActionController
from .execution import Execution
from .gates import GateKeeper
from .limits import Limiter
from .phases import Phase
from .plans import Resolver, WorkflowPlan, input_defaults
from .runs import RUNNING, RunRecord, process_lives, this_process
from .stepping import Stepper, run_blocking
from .store import Store, StoreError

logger = logging.getLogger("alula.engine")

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
        learn: Makes specs known to `entities` that came with a call or a graph from another process.
        owner: Names the process that drives the runs, for a durable store; by default this one, as `this_process` does.
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
        learn: Callable[[EntitySpec], None] | None = None,
        owner: str = "",
    ) -> None:
        self.entities = entities
        self._learn = learn
        self._owner = owner
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
            return self.executor_named(wanted)
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

    def executor_named(self, name: str) -> TaskExecutor:
        """Return an executor.

        Raises:
            UnknownNameError: There is none of that name here.
        """
        if name not in self._executors:
            raise UnknownNameError.among("executor", name, self._executors)
        return self._executors[name]

    def learn(self, specs: Iterable[EntitySpec]) -> None:
        """Take specs that another process made, so that `entities` finds them.

        Raises:
            UsageError: One of them has the id of another entity.
        """
        for spec in specs:
            if self._learn is not None:
                self._learn(spec)

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
        given = spec
        if isinstance(spec, LaunchPlanSpec):
            inputs = {**spec.default_inputs, **inputs, **spec.fixed_inputs}
            spec = self.entities(spec.workflow)
        inputs = {**input_defaults(spec, inputs), **inputs}
        _check_complete(spec, inputs)
        record = None
        if self.store.durable:
            name = options.name or new_run_name()
            record = RunRecord(
                name=name,
                entity=given.id,
                interface=given.interface,
                inputs=inputs,
                options=msgspec.structs.replace(options, name=name),
                owner=self.owner,
                started_at=self.clock(),
            )
            self.store.begin_run(record)
        else:
            name = self._free_name(options.name) if options.name else new_run_name()
        execution = self._execution(name, spec, options)
        root = execution.table.create(_root(spec, inputs))
        return await self._driven(execution, root, spec, record, stepper)

    async def resume(self, name: str, stepper: Stepper | None = None) -> RunResult:
        """Go on with a run whose engine died: what has ended stays, what still runs is waited for, the rest is done.

        Must be awaited inside an asyncio task; `resume_blocking` is for callers without one.

        Args:
            name: Name of the run.
            stepper: For callers that step the coroutine themselves.

        Returns:
            How it ended, as `run` does.

        Raises:
            UnknownNameError: The store has no run of that name, or the entity is not known here.
            UsageError: The run is over, somebody drives it, or the entity has another interface by now.
            StoreError: What is known of the run cannot be read.
        """
        stepper = stepper or Stepper(in_task=True)
        record = self.resumable(name)
        spec = self.entities(record.entity)
        check_interface(record, spec)
        if not self.store.claim_run(name, self.owner, record.owner):
            raise UsageError(f"the run {name!r} has just been resumed, or forgotten, by another process")
        record.owner = self.owner
        if isinstance(spec, LaunchPlanSpec):
            spec = self.entities(spec.workflow)
        execution = self._execution(name, spec, record.options)
        from .leftovers import Leftovers

        execution.left = Leftovers(self.store, name)
        root = execution.begin(_root(spec, record.inputs))
        return await self._driven(execution, root, spec, record, stepper)

    def resumable(self, name: str) -> RunRecord:
        """Return a run that `resume` may go on with.

        Raises:
            UnknownNameError: The store has no run of that name.
            UsageError: The run is over, or somebody drives it.
            StoreError: What is known of it cannot be read.
        """
        record = self.store.find_run(name)
        if record is None:
            raise UnknownNameError.among("run", name, [known.name for known in self.store.runs()])
        if record.status != RUNNING:
            how = record.status.replace("_", " ")
            raise UsageError(f"the run {name!r} has ended: {how}", hint="Only a run whose engine died can be resumed.")
        if process_lives(record.owner):
            raise UsageError(
                f"the run {name!r} is under way in the process {record.owner.rpartition(':')[0]}",
                hint="Only a run whose engine died can be resumed.",
            )
        return record

    def _execution(self, name: str, spec: EntitySpec, options: RunOptions) -> Execution:
        limit = options.max_parallelism
        if limit is None and isinstance(spec, WorkflowSpec):
            limit = spec.max_parallelism
        return Execution(self, ActionTable(name, self.store, self.listeners, self.clock), options, Limiter(limit))

    async def _driven(
        self, execution: Execution, root: Action, spec: EntitySpec, record: RunRecord | None, stepper: Stepper
    ) -> RunResult:
        """Drive a run from its root, and record how it ended."""
        name = execution.table.run
        outputs: Outputs = {}
        failure: CallFailedError | None = None
        try:
            outputs = await execution.conclude(root, execution.drive(root, spec, root.inputs, stepper), stepper)
        except CallFailedError as failed:
            failure = failed
        except BaseException as stop:
            if record is not None and not isinstance(stop, GeneratorExit):
                self._end_stopped(record, root, stop)
            raise
        error = None if failure is None else failure.error
        if record is not None:
            record.outputs, record.error = outputs, error
            self._end(record, root)
        original = None if failure is None else failure.original
        return RunResult(name=name, root=root, outputs=outputs, error=error, original=original)

    def _end(self, record: RunRecord, root: Action) -> None:
        record.status, record.message = root.phase.value, root.message
        record.ended_at = self.clock() if root.ended_at is None else root.ended_at
        self.store.change_run(record)

    def _end_stopped(self, record: RunRecord, root: Action, stop: BaseException) -> None:
        """Record that something other than a failure ended a run. If the store fails, the run counts as interrupted."""
        if isinstance(stop, Exception) and type(stop).__name__ != "CancelledError":
            record.error = ActionError(code=type(stop).__name__, message=str(stop)[:MAX_MESSAGE_CHARS])
        try:
            self._end(record, root)
        except StoreError:
            logger.debug("the end of run %s could not be recorded", record.name, exc_info=True)

    def open_run(self, name: str, entity: EntityId, options: RunOptions) -> OpenRun:
        """Begin a run whose root is code of the caller's, which stays outside of the engine; it cannot be resumed.

        Args:
            name: What people see.
            entity: What it is about, which the store keeps; its kind is that of the root.
            options: How to run what it calls.

        Raises:
            UsageError: There is a run of that name.
        """
        run = options.name or new_run_name()
        record = None
        if self.store.durable:
            options = msgspec.structs.replace(options, name=run)
            record = RunRecord(name=run, entity=entity, options=options, owner=self.owner, started_at=self.clock())
            self.store.begin_run(record)
        elif options.name:
            self._free_name(run)
        table = ActionTable(run, self.store, self.listeners, self.clock)
        root = table.create(Action(id=ROOT_ACTION, name=name, kind=entity.kind, entity=entity.name))

        def end(error: ActionError | None) -> None:
            if record is not None:
                record.error = error
                self._end(record, root)

        return OpenRun(Execution(self, table, options, Limiter(options.max_parallelism)), root, end)

    def _free_name(self, name: str) -> str:
        before = self.store.find(name, ROOT_ACTION)
        if before is not None and not before.final:
            raise UsageError(f"a run named {name!r} is not over yet", hint="Give another name.")
        return name

    def run_blocking(self, spec: EntitySpec, inputs: Outputs, options: RunOptions | None = None) -> RunResult:
        """Run an entity to its end in this thread, with an event loop only if something has to wait."""
        return run_blocking(self.run(spec, inputs, options, Stepper()))

    def resume_blocking(self, name: str) -> RunResult:
        """Go on with a run in this thread, with an event loop only if something has to wait."""
        return run_blocking(self.resume(name, Stepper()))

    @property
    def owner(self) -> str:
        """The name of the process that drives the runs."""
        if not self._owner:
            self._owner = this_process()
        return self._owner


class OpenRun:
    """A run that ends when its caller says so; `controller` makes its children.

    Args:
        execution: The run, as this thread drives it.
        root: Its first action.
        ended: Told, once, that it has ended, and by what error.

    Attributes:
        name: Name of the run.
        controller: What makes the children of its root.
    """

    def __init__(self, execution: Execution, root: Action, ended: Callable[[ActionError | None], None]) -> None:
        execution.limiter.try_acquire()  # what the controller gives back while the caller waits
        execution.table.change_phase(root, Phase.RUNNING)
        self.name = execution.table.run
        self.controller = ActionController(execution, root, Stepper(in_task=True))
        self._table = execution.table
        self._root = root
        self._ended = ended

    def end(self, error: ActionError | None = None, stopped: str = "") -> None:
        """Record how it ended: by success, by an error, or because it was stopped for a reason. Idempotent."""
        self.controller.close()
        phase = Phase.ABORTED if stopped else Phase.FAILED if error is not None else Phase.SUCCEEDED
        if self._table.change_phase(self._root, phase, error=error, message=stopped):
            self._ended(error)


def new_run_name() -> str:
    """Make a run name: ``a`` and nineteen random letters and digits, 95 random bits."""
    return "a" + "".join(_NAME_ALPHABET[byte & 31] for byte in os.urandom(19))


def _root(spec: EntitySpec, inputs: Outputs) -> Action:
    return Action(
        id=ROOT_ACTION,
        name=spec.id.name.rpartition(".")[2],
        kind=spec.id.kind,
        entity=spec.id.name,
        inputs=inputs,
    )


def check_interface(record: RunRecord, spec: EntitySpec) -> None:
    """Refuse to go on with a run whose entity has another interface by now.

    Raises:
        UsageError: It has.
    """
    before, now = str(record.interface), str(spec.interface)
    if before != now:
        raise UsageError(
            f"{spec.id.kind} {spec.id.name} has changed since the run {record.name!r} began: its interface was {before}, "
            f"and is {now}",
            hint="Restore the code, or start a new run.",
        )


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
