"""A small world for the engine: tasks are plain Python functions of plain values, and everything that happens is noted.

`make_world` makes one. It has no SDK in it: specs are made by hand, bodies run on the real `InlineExecutor`, and two fakes
stand for what comes from elsewhere: `Remote`, an executor whose attempts live on their own and are known by handles, and
`Journal`, a durable store that takes its time, can fail, and can say what was on disk when.
"""

from __future__ import annotations

import asyncio
import inspect
import itertools
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any

import pytest

from alula_kernel.builtin.inline import Body, InlineExecutor
from alula_kernel.builtin.sqlite_cache import MemoryCache
from alula_kernel.contracts import (
    CANCELLED,
    LOST,
    SUCCEEDED,
    USER_FAILURE,
    ActionEvent,
    Attempt,
    CallRequest,
    Controller,
    Handle,
    Outcome,
    TaskExecutor,
)
from alula_kernel.engine import (
    Action,
    Engine,
    GateKeeper,
    GateRequest,
    MemoryStore,
    Phase,
    RunOptions,
    RunRecord,
    RunResult,
    Store,
)
from alula_kernel.errors import ActionError, NonRecoverableError
from alula_kernel.literals import ListLiteral, Literal, MapLiteral, Scalar, unwrap
from alula_kernel.specs import (
    Binding,
    BranchCase,
    BranchTarget,
    Comparison,
    EntityId,
    EntitySpec,
    EntityTarget,
    GateTarget,
    Interface,
    LaunchPlanSpec,
    ListBinding,
    LiteralBinding,
    MapBinding,
    MapTarget,
    Node,
    Reference,
    Target,
    TaskSpec,
    Variable,
    WorkflowSpec,
)
from alula_kernel.types import INT

_NAMES = itertools.count()


def to_literal(value: Any) -> Literal:
    if isinstance(value, (list, tuple)):
        return ListLiteral([to_literal(item) for item in value])
    if isinstance(value, dict):
        return MapLiteral({name: to_literal(item) for name, item in value.items()})
    if value is None or isinstance(value, (bool, int, float, str)):
        return Scalar(value)
    return value  # type: ignore[no-any-return]


def to_plain(literal: Literal) -> Any:
    literal = unwrap(literal)
    if isinstance(literal, Scalar):
        return literal.value
    if isinstance(literal, ListLiteral):
        return [to_plain(item) for item in literal.items]
    if isinstance(literal, MapLiteral):
        return {name: to_plain(item) for name, item in literal.entries.items()}
    return literal


def to_binding(value: Any) -> Binding:
    if isinstance(value, (LiteralBinding, Reference, ListBinding, MapBinding)):
        return value
    return LiteralBinding(to_literal(value))


def ref(node: str, output: str = "o0", *path: str | int) -> Reference:
    """Refer to an output; with an empty node, to an input of the workflow."""
    return Reference(node, output, path)


def failure(exception: BaseException) -> Outcome:
    error = ActionError(
        code=type(exception).__name__,
        message=str(exception),
        recoverable=not isinstance(exception, NonRecoverableError),
    )
    return Outcome(kind=USER_FAILURE, error=error)


class Call:
    """What a task's function gets as its argument `call`, if it has one.

    Attributes:
        attempt: The attempt.
        controller: Its controller.
    """

    def __init__(self, attempt: Attempt, controller: Controller) -> None:
        self.attempt = attempt
        self.controller = controller

    def request(self, spec: EntitySpec | Target, inputs: Mapping[str, Any]) -> CallRequest:
        target = EntityTarget(spec.id) if isinstance(spec, (TaskSpec, WorkflowSpec, LaunchPlanSpec)) else spec
        return CallRequest(target=target, inputs={name: to_literal(value) for name, value in inputs.items()})

    def __call__(self, spec: Any, **inputs: Any) -> Any:
        """Call a task and block."""
        return self._result(self.controller.call_blocking(self.request(spec, inputs)))

    async def aio(self, spec: Any, **inputs: Any) -> Any:
        """Call a task and await it."""
        return self._result(await self.controller.call(self.request(spec, inputs)))

    @staticmethod
    def _result(outputs: dict[str, Literal]) -> Any:
        return to_plain(outputs["o0"]) if outputs.keys() == {"o0"} else {k: to_plain(v) for k, v in outputs.items()}


class Answers(GateKeeper):
    """Answers gates from a dictionary; a value that can be awaited is, and an exception is raised."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[GateRequest] = []

    async def approved(self, request: GateRequest) -> bool:
        return bool(await self._answer(request))

    async def value(self, request: GateRequest) -> Literal:
        return to_literal(await self._answer(request))

    async def _answer(self, request: GateRequest) -> Any:
        self.asked.append(request)
        answer = self.answers[request.signal]
        if callable(answer):
            answer = answer()
        if inspect.isawaitable(answer):
            return await answer
        if isinstance(answer, Exception):
            raise answer
        return answer


class Result:
    """A run that has ended, in plain values."""

    def __init__(self, world: World, result: RunResult) -> None:
        self.result = result
        self.name = result.name
        self.error = result.error
        self.original = result.original
        self.outputs = {name: to_plain(value) for name, value in result.outputs.items()}
        self.actions: dict[str, Action] = {action.id: action for action in world.store.actions(result.name)}

    @property
    def value(self) -> Any:
        assert self.error is None, self.error
        return self.outputs["o0"]

    @property
    def phases(self) -> dict[str, str]:
        """Phase by action, without the root."""
        return {action.id: action.phase.value for action in self.actions.values() if action.parent}

    @property
    def root(self) -> Action:
        return self.result.root


class World:
    """Entities, an engine, and notes of what happened.

    Attributes:
        log: Names of the functions that ran, in order, and whatever else a test notes.
        events: What the listeners were told.
    """

    to_literal = staticmethod(to_literal)
    to_plain = staticmethod(to_plain)
    ref = staticmethod(ref)

    def __init__(
        self,
        *,
        store: Store | None = None,
        listeners: Sequence[Callable[[ActionEvent], None]] = (),
        executors: Sequence[TaskExecutor] = (),
        clock: Callable[[], float] | None = None,
        **engine: Any,
    ) -> None:
        self.log: list[Any] = []
        self.events: list[ActionEvent] = []
        self.specs: dict[EntityId, EntitySpec] = {}
        self.bodies: dict[EntityId, Body] = {}
        self.store = store if store is not None else MemoryStore()
        self.cache = MemoryCache()
        self.gates = Answers()
        self.inline = InlineExecutor(lambda spec: self.bodies[spec.id])
        self.remote = Remote(self)
        if clock is not None:
            engine["clock"] = clock
        engine.setdefault("open_cache", lambda: self.cache)
        self.engine = Engine(
            executors={executor.name: executor for executor in (self.inline, self.remote, *executors)},
            entities=lambda entity_id: self.specs[entity_id],
            store=self.store,
            gate_keeper=self.gates,
            listeners=(*listeners, self.events.append),
            **engine,
        )

    # --- entities ----------------------------------------------------------------------------------------------------

    def task(
        self, function: Callable[..., Any], name: str = "", *, outputs: Sequence[str] = ("o0",), **spec: Any
    ) -> TaskSpec:
        """Make a task of a function of plain values; what it raises fails its attempt."""
        name = name or function.__name__.strip("<>")
        parameters = [parameter for parameter in inspect.signature(function).parameters if parameter != "call"]
        interface = Interface({p: Variable(INT) for p in parameters}, {o: Variable(INT) for o in outputs})
        spec.setdefault("interface", interface)
        spec.setdefault("blocking", not inspect.iscoroutinefunction(function))
        task = TaskSpec(id=EntityId("task", f"{name}-{next(_NAMES)}.{name}"), **spec)
        self.add(task)
        self.bodies[task.id] = self._body(function, name, tuple(outputs))
        return task

    def add(self, spec: EntitySpec) -> EntitySpec:
        self.specs[spec.id] = spec
        return spec

    def _body(self, function: Callable[..., Any], name: str, outputs: tuple[str, ...]) -> Body:
        wants_call = "call" in inspect.signature(function).parameters

        def arguments(attempt: Attempt, controller: Controller) -> dict[str, Any]:
            self.log.append(name)
            values = {key: to_plain(value) for key, value in attempt.inputs.items()}
            return {**values, "call": Call(attempt, controller)} if wants_call else values

        def success(result: Any) -> Outcome:
            if isinstance(result, Outcome):
                return result
            if isinstance(result, WorkflowSpec):
                return Outcome(kind=SUCCEEDED, graph=result)
            if len(outputs) == 1:
                return Outcome(kind=SUCCEEDED, outputs={outputs[0]: to_literal(result)})
            return Outcome(
                kind=SUCCEEDED, outputs={k: to_literal(v) for k, v in zip(outputs, result or (), strict=False)}
            )

        def run(attempt: Attempt, controller: Controller) -> Outcome:
            try:
                return success(function(**arguments(attempt, controller)))
            except Exception as exception:
                controller.note_exception(exception)
                return failure(exception)

        async def run_async(attempt: Attempt, controller: Controller) -> Outcome:
            try:
                return success(await function(**arguments(attempt, controller)))
            except Exception as exception:
                controller.note_exception(exception)
                return failure(exception)

        return run_async if inspect.iscoroutinefunction(function) else run

    def remote_task(self, script: Callable[[Attempt], Awaitable[Any]], name: str = "", **spec: Any) -> TaskSpec:
        """Make a task that runs elsewhere, as a coroutine function of the attempt says."""
        inputs = spec.pop("inputs", ())
        outputs = spec.pop("outputs", ("o0",))
        name = name or script.__name__.strip("<>")
        interface = Interface({i: Variable(INT) for i in inputs}, {o: Variable(INT) for o in outputs})
        task = TaskSpec(
            id=EntityId("task", f"{name}-{next(_NAMES)}.{name}"), type="remote", interface=interface, **spec
        )
        self.specs[task.id] = task
        self.remote.scripts[task.id] = script
        return task

    def node(
        self, id: str, spec: Any, *, upstream: Sequence[str] = (), overrides: Any = None, name: str = "", **inputs: Any
    ) -> Node:
        target = EntityTarget(spec.id) if isinstance(spec, (TaskSpec, WorkflowSpec, LaunchPlanSpec)) else spec
        return Node(
            id=id,
            target=target,
            name=name,
            inputs={name: to_binding(value) for name, value in inputs.items()},
            upstream=tuple(upstream),
            overrides=overrides,
        )

    def workflow(self, *nodes: Node, inputs: Sequence[str] = (), outputs: Any = None, **spec: Any) -> WorkflowSpec:
        """Make a workflow; `outputs` is a binding for ``o0``, or bindings by name."""
        bindings = outputs if isinstance(outputs, dict) else {} if outputs is None else {"o0": outputs}
        interface = Interface({i: Variable(INT) for i in inputs}, {o: Variable(INT) for o in bindings})
        spec.setdefault("interface", interface)
        workflow = WorkflowSpec(
            id=EntityId("workflow", f"flow-{next(_NAMES)}.flow"),
            nodes=nodes,
            outputs={name: to_binding(value) for name, value in bindings.items()},
            **spec,
        )
        self.specs[workflow.id] = workflow
        return workflow

    def launch_plan(self, workflow: WorkflowSpec, **spec: Any) -> LaunchPlanSpec:
        plan = LaunchPlanSpec(
            id=EntityId("launch_plan", f"plan-{next(_NAMES)}.plan"),
            workflow=workflow.id,
            interface=workflow.interface,
            **spec,
        )
        self.specs[plan.id] = plan
        return plan

    def map(self, spec: EntitySpec, *mapped: str, results: Sequence[str] = ("o0",), **settings: Any) -> MapTarget:
        return MapTarget(spec.id, mapped=mapped or ("x",), results=tuple(results), **settings)

    def map_workflow(self, spec: EntitySpec, items: Any, *, shared: Any = None, **settings: Any) -> WorkflowSpec:
        """Make a workflow of one node that maps a task over items of its input ``x``."""
        outputs = None if settings.get("results") == () else ref("m")
        return self.workflow(self.node("m", self.map(spec, **settings), x=items, **(shared or {})), outputs=outputs)

    def branch(self, *cases: BranchCase) -> BranchTarget:
        return BranchTarget(cases)

    def case(self, condition: Any, *nodes: Node, outputs: Any = None, error: str | None = None) -> BranchCase:
        bindings = {} if outputs is None else {"o0": to_binding(outputs)}
        return BranchCase(condition, nodes, bindings, error)

    def compare(self, left: Any, operator: str, right: Any) -> Comparison:
        return Comparison(operator, to_binding(left), to_binding(right))

    def gate(self, kind: str, signal: str = "", **settings: Any) -> GateTarget:
        return GateTarget(kind, signal, **settings)

    # --- running -----------------------------------------------------------------------------------------------------

    def run(self, spec: EntitySpec, inputs: Mapping[str, Any] | None = None, **options: Any) -> Result:
        """Run to the end in this thread."""
        literals = {name: to_literal(value) for name, value in (inputs or {}).items()}
        return Result(self, self.engine.run_blocking(spec, literals, RunOptions(**options)))

    async def run_async(self, spec: EntitySpec, inputs: Mapping[str, Any] | None = None, **options: Any) -> Result:
        """Run to the end in the event loop of the caller."""
        literals = {name: to_literal(value) for name, value in (inputs or {}).items()}
        return Result(self, await self.engine.run(spec, literals, RunOptions(**options)))

    def actions(self, run: str) -> dict[str, Action]:
        return {action.id: action for action in self.store.actions(run)}


class Remote(TaskExecutor):
    """Runs attempts as if elsewhere: they go on by themselves, and only a handle leads to them.

    Attributes:
        scripts: What each task does. A script that returns no `Outcome` returns the value of ``o0``.
        calls: ``("submit" | "wait" | "cancel" | "ended", attempt id)`` in order.
        jobs: The attempts by job.
        before_submit: Called with the attempt before it is accepted; may raise.
        ignores_cancel: Whether attempts go on when they are cancelled.
    """

    name = "remote"
    task_types = ("remote",)

    def __init__(self, world: World | None = None) -> None:
        self.world = world
        self.scripts: dict[EntityId, Callable[[Attempt], Awaitable[Any]]] = {}
        self.calls: list[tuple[str, str]] = []
        self.jobs: dict[str, asyncio.Task[Outcome]] = {}
        self.before_submit: Callable[[Attempt], Any] | None = None
        self.submit_seconds = 0.0

    async def submit(self, attempt: Attempt, controller: Controller) -> Handle:
        if self.before_submit is not None:
            self.before_submit(attempt)
        self.calls.append(("submit", attempt.id))
        if attempt.id not in self.jobs:
            self.jobs[attempt.id] = asyncio.ensure_future(self._run(attempt))
        await asyncio.sleep(self.submit_seconds)
        return {"job": attempt.id}

    async def _run(self, attempt: Attempt) -> Outcome:
        try:
            result = await self.scripts[attempt.task.id](attempt)
        except asyncio.CancelledError:
            return Outcome(kind=CANCELLED, error=ActionError(code="Aborted", message="stopped", recoverable=False))
        except Exception as exception:
            return failure(exception)
        finally:
            self.calls.append(("ended", attempt.id))
        if isinstance(result, Outcome):
            return result
        return Outcome(kind=SUCCEEDED, outputs={"o0": to_literal(result)})

    async def wait(self, handle: Handle) -> Outcome:
        self.calls.append(("wait", handle["job"]))
        job = self.jobs.get(handle["job"])
        if job is None:
            return Outcome(kind=LOST, error=ActionError(code="Lost", message="no such job", kind="system"))
        await asyncio.wait([job])
        return job.result()

    async def cancel(self, handle: Handle) -> None:
        self.calls.append(("cancel", handle["job"]))
        self.jobs[handle["job"]].cancel()

    def called(self, what: str) -> list[str]:
        """Return the actions for which something was called, in order."""
        return [attempt.split("/", 1)[1] for kind, attempt in self.calls if kind == what]


class Journal(Store):
    """A durable store: what was recorded is on disk only after a commit, and a commit takes a moment.

    Attributes:
        disk: Phase and number of attempts of each action, as they would be found after a crash now.
        handles: The handle of each attempt that is on disk.
        commits: How many writes to disk there were.
        fails_at: Number of the commit that fails, counted from 1, and all after it.
    """

    durable = True

    def __init__(self, seconds: float = 0.0) -> None:
        self.memory = MemoryStore()
        self.seconds = seconds
        self.disk: dict[str, tuple[Phase, int]] = {}
        self.handles: dict[str, Handle] = {}
        self.commits = 0
        self.fails_at: int | None = None
        self.on_record: Callable[[Action], None] | None = None
        self._changed: dict[str, Action] = {}
        self._recorded = 0
        self._committed = 0

    def record(self, run: str, action: Action) -> None:
        if self.on_record is not None:
            self.on_record(action)
        self.memory.record(run, action)
        self._changed[action.id] = action
        self._recorded += 1

    def commit(self) -> Awaitable[None] | None:
        return None if self._committed == self._recorded else self._commit(self._recorded)

    async def _commit(self, wanted: int) -> None:
        await asyncio.sleep(self.seconds)
        if self._committed >= wanted:  # somebody else's commit took it along
            return
        if self.fails_at is not None and self.commits + 1 >= self.fails_at:
            raise OSError("the disk is full")
        self.commits += 1
        self._committed = self._recorded
        for action in self._changed.values():
            self.disk[action.id] = (action.phase, len(action.attempts))
            for attempt in action.attempts:
                if attempt.handle is not None:
                    self.handles[f"{action.id}/{attempt.number}"] = attempt.handle
        self._changed.clear()

    def begin_run(self, record: RunRecord) -> None:
        self.memory.begin_run(record)

    def change_run(self, record: RunRecord) -> None:
        self.memory.change_run(record)

    def claim_run(self, name: str, owner: str, before: str) -> bool:
        return self.memory.claim_run(name, owner, before)

    def find_run(self, name: str) -> RunRecord | None:
        return self.memory.find_run(name)

    def runs(self, *, status: str = "", entity: str = "") -> Sequence[RunRecord]:
        return self.memory.runs(status=status, entity=entity)

    def find(self, run: str, action: str) -> Action | None:
        return self.memory.find(run, action)

    def actions(self, run: str) -> Sequence[Action]:
        return self.memory.actions(run)

    def forget(self, run: str) -> None:
        self.memory.forget(run)


def run_loop(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine in a fresh event loop, and give up on it after a time that means that it hangs."""

    async def limited() -> Any:
        return await asyncio.wait_for(coroutine, 60)

    return asyncio.run(limited())


@pytest.fixture(scope="session")
def make_world() -> Callable[..., World]:
    return World


@pytest.fixture
def world() -> World:
    return World()


@pytest.fixture(scope="session")
def make_journal() -> Callable[..., Journal]:
    return Journal


@pytest.fixture(scope="session")
def in_loop() -> Callable[[Coroutine[Any, Any, Any]], Any]:
    return run_loop
