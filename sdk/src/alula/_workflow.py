"""Workflows: functions that are compiled into graphs, and graphs put together by hand."""

from __future__ import annotations

import contextlib
import contextvars
import enum
import functools
import inspect
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

import msgspec

from alula_kernel.errors import CompileError, UsageError
from alula_kernel.specs import (
    FAIL_AFTER_EXECUTABLE_NODES_COMPLETE,
    FAIL_IMMEDIATELY,
    Binding,
    EntityTarget,
    Node,
    WorkflowSpec,
)
from alula_kernel.types import UnionOf, display, mismatch

from ._compile import Compilation, NodeBuilder
from ._entity import Entity
from ._interface import (
    CompiledInterface,
    PythonInterface,
    by_name,
    function_interface,
    local_names,
    source_location,
)
from ._promise import Promise, VoidPromise
from ._reference import StandIn
from ._state import STATE, call_site
from ._task import _check_annotations, entity_name

if TYPE_CHECKING:
    from ._app import App
    from ._conditional import ConditionalSection
    from ._docs import Documentation
    from ._options import Options

P = ParamSpec("P")
R = TypeVar("R")


class WorkflowFailurePolicy(enum.Enum):
    """What happens to the other nodes when one fails."""

    FAIL_IMMEDIATELY = FAIL_IMMEDIATELY
    FAIL_AFTER_EXECUTABLE_NODES_COMPLETE = FAIL_AFTER_EXECUTABLE_NODES_COMPLETE


class WorkflowError(msgspec.Struct, frozen=True):
    """What a failure handler is told, in its input ``err``.

    Attributes:
        message: Why the workflow failed.
        failed_node_id: Id of the action that failed.
    """

    message: str
    failed_node_id: str


_COMPILING: contextvars.ContextVar[tuple[WorkflowBase, ...]] = contextvars.ContextVar("alula_compiling", default=())
"""The workflows that are being compiled, the innermost last."""


class WorkflowBase(Entity):
    """What workflows have in common."""

    kind = "workflow"

    def __init__(
        self,
        name: str,
        *,
        failure_policy: WorkflowFailurePolicy | None = None,
        interruptible: bool | None = None,
        on_failure: Entity | None = None,
        docs: Documentation | None = None,
        default_options: Options | None = None,
    ) -> None:
        super().__init__(name)
        self.failure_policy = failure_policy or WorkflowFailurePolicy.FAIL_IMMEDIATELY
        self.interruptible = interruptible
        self.on_failure = on_failure
        self.docs = docs
        self.default_options = default_options
        self._spec: tuple[App, WorkflowSpec] | None = None
        self._stand_in: StandIn | None = None

    @property
    def description(self) -> str:
        """First line of its docs."""
        return (self.docs.short_description or "") if self.docs is not None else ""

    def spec(self, app: App) -> WorkflowSpec:
        known = self._spec
        if known is not None and known[0] is app:
            return known[1]
        compilation, outputs = self._compile_once(app)
        options = self.default_options
        spec = WorkflowSpec(
            id=self.id(app),
            interface=self.compiled(app).interface,
            nodes=compilation.build(self.location),
            outputs=compilation.bindings(outputs),
            failure_policy=self.failure_policy.value,
            on_failure=self._failure_node(app),
            interruptible=self.interruptible,
            description=self.description,
            documentation=(self.docs.long_description or "") if self.docs is not None else "",
            labels=dict(options.labels or {}) if options is not None else {},
            annotations=dict(options.annotations or {}) if options is not None else {},
            max_parallelism=options.max_parallelism if options is not None else None,
        )
        self._spec = (app, spec)
        app.entities.add(spec)
        app.entities.keep(spec, compilation.entities)
        return spec

    def compile(self) -> None:
        """Compile now, rather than when it is first used. Calling it again does nothing.

        Raises:
            CompileError: It cannot be compiled.
        """
        from ._app import current_app

        self.spec(current_app())

    def _compile_once(self, app: App) -> tuple[Compilation, dict[str, Binding]]:
        """Compile, but refuse to do so while doing so: a workflow that contained itself would have no end."""
        outer = _COMPILING.get()
        if self in outer:
            through = [w.title for w in outer[outer.index(self) + 1 :]]
            raise CompileError(
                f"{self.title} calls itself" + (f", through {', '.join(through)}" if through else ""),
                hint="Call it from a @dynamic task, which decides when to stop.",
                location=call_site(),
            )
        token = _COMPILING.set((*outer, self))
        try:
            return self._compile(app) if self._stand_in is None else self._compile_call(app, self._stand_in)
        finally:
            _COMPILING.reset(token)

    @abstractmethod
    def _compile(self, app: App) -> tuple[Compilation, dict[str, Binding]]:
        """Return the nodes, and a binding for each output."""

    def _compile_call(self, app: App, call: Callable[..., Any]) -> tuple[Compilation, dict[str, Binding]]:
        """Call with a promise for each input, by name, and return the nodes that this made, and a binding for each output."""
        compiled = self.compiled(app)
        compilation = Compilation(app, "n", self.title)
        variables = compiled.interface.inputs
        inputs = {name: Promise(None, name, variable.type, home=compilation) for name, variable in variables.items()}
        token = STATE.set(compilation)
        try:
            returned = call(**inputs)
        finally:
            STATE.reset(token)
        compilation.finish()
        return compilation, bind_outputs(compilation, compiled, returned, self.title, self.location)

    @contextlib.contextmanager
    def replaced_by(self, function: Callable[..., Any]) -> Iterator[None]:
        """Let a function answer instead, in this process and while the block runs, for tests: a mock, for example.

        Args:
            function: It is called with the inputs by name, and returns the outputs.
        """
        before = self._stand_in
        self._answer_by(StandIn(self.name, self.python_interface, function))
        try:
            yield
        finally:
            self._answer_by(before)

    def _answer_by(self, stand_in: StandIn | None) -> None:
        from ._app import current_app

        app = current_app()
        self._stand_in = stand_in
        app.engine.forget_plans()  # of workflows that call it
        if self._spec is not None:
            self._spec = None
            self.spec(app)

    def _failure_node(self, app: App) -> Node | None:
        """Return the node of the failure handler, checked against the workflow's inputs."""
        handler = self.on_failure
        if handler is None:
            return None
        if not isinstance(handler, Entity):
            raise CompileError(
                f"on_failure of {self.title} must be a task or workflow, found {type(handler).__qualname__}",
                hint="Decorate the function with @task.",
                location=self.location,
            )
        handler.spec(app)
        wanted = handler.compiled(app).interface.inputs
        have = self.compiled(app).interface.inputs
        for name, variable in have.items():
            if name not in wanted:
                raise CompileError(
                    f"{handler.title}, which handles failures of {self.title}, does not take its input {name!r}",
                    hint="It must take every input of the workflow; others must be optional.",
                    location=handler.location,
                )
            if (reason := mismatch(variable.type, wanted[name].type)) is not None:
                raise CompileError(f"input {name!r} of {handler.title}: {reason}", location=handler.location)
        told = app.registry.converter(WorkflowError).literal_type
        for name, variable in wanted.items():
            if name == "err" and name not in have:
                if (reason := mismatch(told, variable.type)) is not None:
                    raise CompileError(
                        f"input 'err' of {handler.title}: {reason}",
                        hint="Annotate it as Optional[WorkflowError].",
                        location=handler.location,
                    )
                continue
            if name not in have and variable.required and not isinstance(variable.type, UnionOf):
                raise CompileError(
                    f"{handler.title} has an input {name!r} that {self.title} does not have",
                    hint="Make it Optional.",
                    location=handler.location,
                )
        return Node(id="fn0", target=EntityTarget(handler.id(app)), location=self.location)


def bind_outputs(
    compilation: Compilation, compiled: CompiledInterface, returned: Any, title: str, location: str
) -> dict[str, Binding]:
    """Turn what a workflow's function returned into bindings of its outputs.

    Raises:
        CompileError: It returned another number of values than it declares, or one of the wrong type.
    """
    outputs = compiled.interface.outputs
    if not outputs:
        if returned is not None and not isinstance(returned, VoidPromise):
            raise CompileError(
                f"{title} returns a value and declares none", hint="Annotate the result: -> type.", location=location
            )
        return {}
    if returned is None or isinstance(returned, VoidPromise):
        allowed = all(compiled.outputs[n].accepts(None) or isinstance(v.type, UnionOf) for n, v in outputs.items())
        if not allowed:
            wanted = ", ".join(display(v.type) for v in outputs.values())
            raise CompileError(f"{title} declares {wanted} and returns nothing", location=location)
    if compiled.python.output_tuple is None:
        name = next(iter(outputs))
        if isinstance(returned, tuple) and len(returned) == 1 and isinstance(returned[0], Promise):
            returned = returned[0]
        values: Mapping[str, Any] = {name: returned}
    else:
        if not isinstance(returned, (tuple, list)) or len(returned) != len(outputs):
            found = f"{len(returned)} values" if isinstance(returned, (tuple, list)) else "one value"
            raise CompileError(f"{title} declares {len(outputs)} outputs and returns {found}", location=location)
        values = dict(zip(outputs, returned, strict=True))
    return {
        name: compilation.bind(
            value, compiled.outputs[name], outputs[name].type, [], f"output {name!r} of {title}", location
        )
        for name, value in values.items()
    }


class FunctionWorkflow(WorkflowBase, Generic[P, R]):
    """A workflow written as a function: its body runs once, with promises, when it is compiled.

    Args:
        function: The function.
        settings: As `WorkflowBase` takes them.
    """

    output_class: Callable[[tuple[str, ...]], type] | None = None
    """Makes the class of several outputs without names, from ``o0`` and so on; None for a plain tuple."""

    def __init__(self, function: Callable[P, R], *, pickle_untyped: bool = False, **settings: Any) -> None:
        super().__init__(entity_name(function), **settings)
        self.function = function
        self._pickle_untyped = pickle_untyped
        self._names = local_names(function)
        self._interface: PythonInterface | None = None
        functools.update_wrapper(self, function, updated=())
        if inspect.iscoroutinefunction(inspect.unwrap(function)):
            raise CompileError(
                f"{self.title} is async, and a workflow must be a plain function",
                hint="An async function may be a task, and may call others: use @env.task or @task.",
                location=self.location,
            )
        _check_annotations(function, self.title, pickle_untyped)

    @property
    def python_interface(self) -> PythonInterface:
        if self._interface is None:
            found = function_interface(
                self.function, self.title, pickle_untyped=self._pickle_untyped, names=self._names
            )
            self._interface = found.with_output_class(self.output_class)
        return self._interface

    @property
    def location(self) -> str:
        return source_location(self.function)

    @property
    def description(self) -> str:
        return super().description or (inspect.getdoc(self.function) or "").partition("\n")[0]

    def _compile(self, app: App) -> tuple[Compilation, dict[str, Binding]]:
        return self._compile_call(app, by_name(self.function))


@overload
def workflow(_workflow_function: Callable[P, R], /) -> FunctionWorkflow[P, R]: ...
@overload
def workflow(
    _workflow_function: None = None,
    failure_policy: WorkflowFailurePolicy | None = None,
    interruptible: bool = False,
    on_failure: Entity | None = None,
    docs: Documentation | None = None,
    pickle_untyped: bool = False,
    default_options: Options | None = None,
) -> Callable[[Callable[P, R]], FunctionWorkflow[P, R]]: ...
def workflow(
    _workflow_function: Callable[..., Any] | None = None,
    failure_policy: WorkflowFailurePolicy | None = None,
    interruptible: bool = False,
    on_failure: Entity | None = None,
    docs: Documentation | None = None,
    pickle_untyped: bool = False,
    default_options: Options | None = None,
) -> Any:
    """Turn an annotated function into a workflow: a static graph of the entities that it calls.

    Args:
        failure_policy: What happens to the other nodes when one fails.
        interruptible: Default for its tasks.
        on_failure: Task or workflow that runs after a failure, with the workflow's inputs and ``err``.
        docs: Its documentation; the docstring is used if it is not given.
        pickle_untyped: Whether parameters, and a result, without annotation are pickled.
        default_options: Options of its default launch plan.

    Returns:
        The workflow, or a decorator that makes it.

    Raises:
        CompileError: A parameter has no annotation.
    """

    def decorate(function: Callable[..., Any]) -> FunctionWorkflow[Any, Any]:
        return FunctionWorkflow(
            function,
            failure_policy=failure_policy,
            interruptible=interruptible or None,
            on_failure=on_failure,
            docs=docs,
            pickle_untyped=pickle_untyped,
            default_options=default_options,
        )

    return decorate if _workflow_function is None else decorate(_workflow_function)


class ImperativeWorkflow(WorkflowBase):
    """A workflow put together call by call.

    Args:
        name: Its name.
        failure_policy: What happens to the other nodes when one fails.
        interruptible: Default for its tasks.
    """

    def __init__(
        self, name: str, failure_policy: WorkflowFailurePolicy | None = None, interruptible: bool = False
    ) -> None:
        super().__init__(name, failure_policy=failure_policy, interruptible=interruptible or None)
        self._location = call_site()
        self._inputs: dict[str, Any] = {}
        self._outputs: dict[str, tuple[Any, Any]] = {}
        self._unused: set[str] = set()
        from ._app import current_app

        self._app = current_app()
        self._compilation = Compilation(self._app, "n", self.title)
        self.inputs: dict[str, Promise] = {}

    @property
    def location(self) -> str:
        return self._location

    @property
    def python_interface(self) -> PythonInterface:
        outputs = {name: python_type for name, (python_type, _promise) in self._outputs.items()}
        return PythonInterface(dict(self._inputs), {}, outputs, None if len(outputs) < 2 else _named_outputs(outputs))

    def add_workflow_input(self, input_name: str, python_type: Any) -> Promise:
        """Declare an input and return a promise for it.

        Raises:
            CompileError: There is one of that name.
        """
        if input_name in self._inputs:
            raise CompileError(f"{self.title} has an input {input_name!r} already", location=call_site())
        self._inputs[input_name] = python_type
        self._unused.add(input_name)
        literal_type = self._app.registry.converter(python_type).literal_type
        promise = self.inputs[input_name] = Promise(None, input_name, literal_type, home=self._compilation)
        self._changed()
        return promise

    def add_entity(self, entity: Entity, **kwargs: Any) -> NodeBuilder:
        """Add a node that runs an entity.

        Args:
            entity: A task, workflow or launch plan.
            kwargs: Its inputs: values, workflow inputs, or outputs of nodes that were added before.

        Returns:
            The node; its outputs are promises.
        """
        if not isinstance(entity, Entity):
            raise CompileError(
                f"add_entity takes a task, workflow or launch plan, found {type(entity).__qualname__}",
                location=call_site(),
            )
        token = STATE.set(self._compilation)
        try:
            node, _compiled = self._compilation.node_for(entity, (), kwargs)
        finally:
            STATE.reset(token)
        for promise in node.sources:
            if promise._node is None:
                self._unused.discard(promise._output)
        self._changed()
        return node

    add_task = add_launch_plan = add_subwf = add_entity

    def add_workflow_output(self, output_name: str, p: Any, python_type: Any = None) -> None:
        """Declare an output.

        Args:
            output_name: Its name.
            p: A promise, or a list or dict of promises.
            python_type: Its type; needed for a list or dict.

        Raises:
            CompileError: There is one of that name, or the type of a list or dict is not given.
        """
        if output_name in self._outputs:
            raise CompileError(f"{self.title} has an output {output_name!r} already", location=call_site())
        if python_type is None:
            if not isinstance(p, Promise):
                raise CompileError(
                    f"output {output_name!r} of {self.title} is a {type(p).__qualname__}, so its type must be said",
                    hint="Pass python_type=List[...] or Dict[str, ...].",
                    location=call_site(),
                )
            python_type = _python_type_of(p, self._app)
        for promise in _promises_in(p):
            if promise._node is None:
                self._unused.discard(promise._output)
        self._outputs[output_name] = (python_type, p)
        self._changed()

    def add_on_failure_handler(self, entity: Entity) -> None:
        """Set what runs after a failure."""
        self.on_failure = entity
        self._changed()

    def create_conditional(self, name: str) -> ConditionalSection:
        """Begin a conditional; call entities in its cases as in a workflow function."""
        from ._conditional import ConditionalSection

        return ConditionalSection(name, self._compilation)

    def ready(self) -> bool:
        """Tell whether it has a node and every input is used."""
        return bool(self._compilation.nodes) and not self._unused

    def _changed(self) -> None:
        self._spec = self._compiled = None

    def _compile(self, app: App) -> tuple[Compilation, dict[str, Binding]]:
        if app is not self._app:
            raise UsageError(f"{self.title} was put together for another application")
        if not self.ready():
            unused = ", ".join(repr(name) for name in sorted(self._unused))
            what = f"its inputs {unused} are not used" if unused else "it has no node"
            raise CompileError(f"{self.title} is not ready: {what}", location=self.location)
        compiled = self.compiled(app)
        outputs = compiled.interface.outputs
        bindings = {
            name: self._compilation.bind(
                promise,
                compiled.outputs[name],
                outputs[name].type,
                [],
                f"output {name!r} of {self.title}",
                self.location,
            )
            for name, (_python_type, promise) in self._outputs.items()
        }
        return self._compilation, bindings


def _promises_in(value: Any) -> list[Promise]:
    if isinstance(value, Promise):
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    return [p for item in value for p in _promises_in(item)] if isinstance(value, (list, tuple)) else []


def _python_type_of(promise: Promise, app: App) -> Any:
    node = promise._node
    if node is not None and node.entity is not None and not promise._path:
        outputs = node.entity.python_interface.outputs
        if promise._output in outputs:
            return outputs[promise._output]
    return app.registry.python_type(promise._type)


def _named_outputs(outputs: Mapping[str, Any]) -> type:
    import typing

    return typing.NamedTuple("Outputs", list(outputs.items()))  # type: ignore[return-value]


Workflow = ImperativeWorkflow
