"""Tasks: the base class for every kind of task, function tasks, and the decorators ``task`` and ``dynamic``."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

import msgspec

from alula_kernel.contracts import SUCCEEDED, Attempt, Controller, Outcome
from alula_kernel.errors import CompileError, UnknownNameError, UsageError
from alula_kernel.specs import EntityId, Interface, Overrides, ResourceSpec, SecretSpec, TaskSpec, WorkflowSpec

from ._body import make_body
from ._cache import Cache, CacheRequest, as_cache, cache_spec, check_ignored_inputs
from ._compile import Compilation
from ._context import ctx
from ._entity import Entity
from ._interface import (
    CompiledInterface,
    PythonInterface,
    by_name,
    function_interface,
    local_names,
    module_name,
    source_location,
)
from ._locating import loader_of
from ._overrides import Duration, RetryStrategy, Timeout, image_name, override_fields, retry_policy, timeout_policy
from ._state import STATE, call_site

if TYPE_CHECKING:
    from alula_kernel.contracts import ConversionContext
    from alula_kernel.literals import Literal

    from ._app import App
    from ._context import TaskContext
    from ._docs import Documentation
    from ._report import DeckField
    from ._resources import Resources
    from ._reuse import ReusePolicy
    from ._settings_of import TaskMetadata

P = ParamSpec("P")
R = TypeVar("R")

InputReader = Callable[[Mapping[str, "Literal"], "ConversionContext"], dict[str, Any]]
"""Makes the Python values of an attempt's inputs."""


class TaskSettings(msgspec.Struct, frozen=True):
    """Everything about a task but its code, checked; see `task` for what each means."""

    cache: Cache | None = None
    retries: int | RetryStrategy = 0
    retry_on: tuple[type[BaseException], ...] | None = None
    timeout: Duration | Timeout | None = None
    interruptible: bool | None = None
    deprecated: str = ""
    container_image: Any = None
    environment: Mapping[str, str] = {}
    requests: Resources | None = None
    limits: Resources | None = None
    resources: Resources | None = None
    accelerator: Any = None
    shared_memory: bool | str | None = None
    secret_requests: tuple[Any, ...] = ()
    labels: Mapping[str, str] = {}
    annotations: Mapping[str, str] = {}
    pod_template: Any = None
    pod_template_name: str | None = None
    report: bool = False
    deck_fields: tuple[DeckField, ...] | None = None
    docs: Documentation | None = None
    max_inline_bytes: int | None = None
    queue: str = ""
    environment_name: str = ""
    short_name: str = ""
    reuse: ReusePolicy | None = None

    def __post_init__(self) -> None:
        retry_policy(self.retries)
        kinds: tuple[Any, ...] = self.retry_on or ()
        if not all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in kinds):
            raise UsageError(f"retry_on: expected classes of exceptions, found {self.retry_on!r}")
        timeout_policy(self.timeout)


class Task(Entity):
    """A unit of work with typed inputs and outputs. Plugins subclass it and say how it runs.

    Args:
        name: Qualified name.
        interface: Its inputs and outputs.
        settings: Everything about it but its code.
        config: Config of its plugin.
    """

    kind = "task"
    task_type = "python"
    """Value of `TaskSpec.type`: which executor runs it."""
    dynamic = False
    function: Callable[..., Any] | None = None
    """The function behind it, if there is one."""

    def __init__(
        self, name: str, interface: PythonInterface | None, settings: TaskSettings | None = None, config: Any = None
    ) -> None:
        super().__init__(name)
        self._interface = interface
        self.settings = settings or TaskSettings()
        self.config = config
        self._spec: tuple[App, TaskSpec] | None = None
        self._body: tuple[App, Any] | None = None

    # --- for subclasses ---

    def execute(self, **inputs: Any) -> Any:
        """Run it with Python values and return its output, or a tuple of them.

        Runs in the process of the attempt. Subclasses must define this or be run by an executor of their own.
        """
        raise UsageError(
            f"{self.title} has no code of its own", hint=f"An executor for {self.task_type!r} must run it."
        )

    def input_reader(self, compiled: CompiledInterface) -> InputReader:
        """Return what makes Python values of an attempt's inputs; for plugins whose attempts are several processes."""
        return compiled.inputs_to_python

    def gives_outputs(self) -> bool:
        """Return whether what it returns in this process counts; for plugins whose attempts are several processes."""
        return True

    def custom(self, app: App) -> dict[str, Any]:
        """Return what the plugin of its type needs, as plain data for `TaskSpec.custom`."""
        return {}

    def source(self) -> str:
        """Return what a task without a function runs, as its query; a cache whose version is "auto" looks at it."""
        return ""

    def included_paths(self) -> Sequence[str]:
        """Return the files that it needs and does not import, as a notebook: they go where its code goes."""
        return ()

    def validate(self, app: App) -> None:
        """Check it before it is compiled into anything.

        Raises:
            UsageError: It cannot run; the message says what to do.
        """

    def custom_for(self, config: Any, location: str) -> dict[str, Any]:
        """Return `custom` as it would be with another config of the same class."""
        if type(config) is not type(self.config):
            raise CompileError(
                f"task_config of {self.title} must be {type(self.config).__qualname__}, found "
                f"{type(config).__qualname__}",
                location=location,
            )
        other = self.__class__.__new__(self.__class__)
        other.__dict__.update(self.__dict__)
        other.config = config
        from ._app import current_app

        return other.custom(current_app())

    # --- entity ---

    @property
    def python_interface(self) -> PythonInterface:
        assert self._interface is not None
        return self._interface

    @property
    def shown_name(self) -> str:
        return self.settings.short_name

    @property
    def overridable(self) -> Task:
        """The task whose settings a call may change."""
        return self

    def executable(self) -> Callable[..., Any]:
        """Return what is called with the inputs."""
        return self.execute

    @functools.cached_property
    def metadata(self) -> TaskMetadata:
        """Some of its settings in one object; what it was given by `override` is not among them."""
        from ._settings_of import TaskMetadata

        return TaskMetadata.of(self.settings)

    @functools.cached_property
    def docs(self) -> Documentation:
        """Its documentation, or what its docstring says."""
        from ._docs import documentation_of

        return self.settings.docs or documentation_of(self.function)

    @property
    def description(self) -> str:
        """First line of its docs."""
        if self.settings.docs is not None and self.settings.docs.short_description:
            return self.settings.docs.short_description
        return (inspect.getdoc(self.function) or "").partition("\n")[0] if self.function is not None else ""

    def spec(self, app: App) -> TaskSpec:
        known = self._spec
        if known is not None and known[0] is app:
            return known[1]
        try:
            self.validate(app)
            spec = self._make_spec(app)
        except UsageError as problem:
            if problem.location:
                raise
            raise type(problem)(problem.message, hint=problem.hint, location=self.location) from None
        self._spec = (app, spec)
        app.entities.add(spec)
        return spec

    def _make_spec(self, app: App) -> TaskSpec:
        settings = self.settings
        compiled = self.compiled(app)
        check_ignored_inputs(settings.cache, compiled.inputs)
        docs = settings.docs
        asked = (settings.requests, settings.limits, settings.resources, settings.accelerator, settings.shared_memory)
        return TaskSpec(
            id=self.id(app),
            interface=compiled.interface,
            type=self.task_type,
            dynamic=self.dynamic,
            blocking=not self.is_async,
            retries=retry_policy(settings.retries),
            timeout=timeout_policy(settings.timeout),
            cache=cache_spec(
                self.function,
                settings.cache,
                where=self.title,
                image=settings.container_image,
                source=self.source(),
            ),
            interruptible=settings.interruptible,
            resources=_resource_spec(settings) if any(asked) else None,
            environment=dict(settings.environment),
            labels=dict(settings.labels),
            annotations=dict(settings.annotations),
            image=image_name(settings.container_image),
            secrets=_secret_specs(app, settings.secret_requests),
            report=settings.report,
            max_inline_bytes=settings.max_inline_bytes,
            queue=settings.queue,
            description=self.description,
            documentation=(docs.long_description or "") if docs is not None else "",
            deprecated=settings.deprecated,
            custom=self.custom(app),
            loader=loader_of(self),
            environment_name=settings.environment_name,
            reuse=None if settings.reuse is None else settings.reuse.spec(),
        )

    def body(self, app: App) -> Callable[[Attempt, Controller], Outcome | Awaitable[Outcome]]:
        """Return what runs one attempt in this process."""
        known = self._body
        if known is None or known[0] is not app:
            known = self._body = (app, make_body(self, app))
        return known[1]

    @contextlib.contextmanager
    def replaced_by(self, function: Callable[..., Any]) -> Iterator[None]:
        """Let a function answer instead, in this process and while the block runs, for tests: a mock, for example.

        Args:
            function: It is called with the inputs by name, and returns the outputs; plain, also for an async task.
        """

        async def answer(**inputs: Any) -> Any:
            return function(**inputs)

        before = self.__dict__.copy()
        self.__dict__.update(executable=lambda: answer if self.is_async else function, dynamic=False)
        self._spec = self._body = None
        try:
            yield
        finally:
            self.__dict__.clear()
            self.__dict__.update(before, _spec=None, _body=None)

    def compile_result(self, context: TaskContext, compiled: CompiledInterface, result: Any) -> Outcome:
        """Turn what a dynamic body returned into an outcome."""
        raise UsageError(f"{self.title} is not dynamic")

    @property
    def json_schema(self) -> dict[str, Any]:
        """JSON Schema of its inputs, for tools and forms."""
        from alula_kernel.types import json_schema

        from ._app import current_app

        inputs = self.compiled(current_app()).interface.inputs
        return {
            "title": self.short_name,
            "description": self.description,
            "type": "object",
            "properties": {name: json_schema(variable.type) for name, variable in inputs.items()},
            "required": [name for name, variable in inputs.items() if variable.required],
        }

    def override(self, **settings: Any) -> Task:
        """Return a copy of the task with other settings, for calls through it.

        Args:
            settings: ``short_name``, ``resources``, ``cache``, ``retries``, ``timeout``, ``env_vars``,
                ``max_inline_io_bytes``, ``queue``, ``interruptible``, ``plugin_config`` and the other settings of `task`. A
                falsy value sets: ``retries=0`` switches retries off.

        Raises:
            UsageError: A setting is unknown or cannot be changed.
        """
        return _Overridden(self, settings, call_site())


class _Overridden(Task):
    """A task with other settings for the calls that are made through it."""

    def __init__(self, task: Task, settings: Mapping[str, Any], location: str) -> None:
        super().__init__(task.name, task._interface, task.settings, task.config)
        settings = dict(settings)
        for name in ("name", "image", "docs", "interface"):
            if name in settings:
                raise UsageError(f"override cannot change {name}", hint="Make another task.", location=location)
        self._task: Task = task._task if isinstance(task, _Overridden) else task
        earlier = task._short_name if isinstance(task, _Overridden) else ""
        self._short_name: str = settings.pop("short_name", "") or earlier
        config = settings.pop("plugin_config", None)
        self.function = self._task.function
        before: Overrides | None = task._overrides if isinstance(task, _Overridden) else None
        self._overrides: Overrides = override_fields(self._task, before, settings, config, location)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._task, name)  # what only some kinds of tasks have, as `forward`

    @property
    def shown_name(self) -> str:
        return self._short_name or self._task.shown_name

    @property
    def python_interface(self) -> PythonInterface:
        return self._task.python_interface

    @property
    def is_async(self) -> bool:
        return self._task.is_async

    @property
    def location(self) -> str:
        return self._task.location

    def id(self, app: App) -> EntityId:
        return self._task.id(app)

    def spec(self, app: App) -> TaskSpec:
        return self._overrides.apply(self._task.spec(app))

    def _call_overrides(self) -> Overrides | None:
        return self._overrides

    def node_overrides(self) -> Overrides:
        """Return the overrides that a node made by calling it starts with."""
        return self._overrides


class FunctionTask(Task, Generic[P, R]):
    """A Python function as a task.

    Args:
        function: The function.
        name: Qualified name; ``module.function`` if not given.
        settings: Everything about it but its code.
        config: Config of its plugin.
        pickle_untyped: Whether parameters, and a result, without annotation are pickled.
    """

    output_class: Callable[[tuple[str, ...]], type] | None = None
    """Makes the class of several outputs without names, from ``o0`` and so on; None for a plain tuple."""

    def __init__(
        self,
        function: Callable[P, R],
        *,
        name: str = "",
        settings: TaskSettings | None = None,
        config: Any = None,
        pickle_untyped: bool = False,
    ) -> None:
        super().__init__(name or entity_name(function), None, settings, config)
        self.function = function
        self._pickle_untyped = pickle_untyped
        self._names = local_names(function)
        self._async = inspect.iscoroutinefunction(inspect.unwrap(function)) or inspect.iscoroutinefunction(function)
        functools.update_wrapper(self, function, updated=())
        _check_annotations(function, self.title, pickle_untyped)

    @property
    def python_interface(self) -> PythonInterface:
        if self._interface is None:
            assert self.function is not None
            found = function_interface(
                self.function, self.title, pickle_untyped=self._pickle_untyped, names=self._names
            )
            self._interface = found.with_output_class(self.output_class)
        return self._interface

    @property
    def is_async(self) -> bool:
        return self._async

    @property
    def location(self) -> str:
        assert self.function is not None
        return source_location(self.function)

    @property
    def task_function(self) -> Callable[P, R]:
        """The function behind it."""
        return self.function  # type: ignore[return-value]

    func = task_function
    """The name in Flyte 2."""

    def executable(self) -> Callable[..., Any]:
        if type(self).execute is FunctionTask.execute:
            assert self.function is not None
            return by_name(self.function)
        return self.execute

    def execute(self, /, **inputs: Any) -> Any:
        assert self.function is not None
        return by_name(self.function)(**inputs)

    def forward(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself, as plain Python."""
        return self.function(*args, **kwargs)  # type: ignore[misc,no-any-return]


class DynamicTask(FunctionTask[P, R]):
    """A function that calls entities to build a graph from native inputs while it runs; the graph is then driven."""

    dynamic = True

    def __init__(self, function: Callable[P, R], **kwargs: Any) -> None:
        super().__init__(function, **kwargs)
        if self.is_async:
            raise CompileError(
                f"{self.title} is async, and a dynamic task must be a plain function",
                hint="An async task may call tasks directly: use @env.task instead of @dynamic.",
                location=self.location,
            )

    def executable(self) -> Callable[..., Any]:
        return self._compile_body

    def _compile_body(self, /, **inputs: Any) -> Any:
        """Run the function with calls of entities making nodes."""
        context = STATE.get()
        assert context is not None
        compilation = Compilation(context.app, "dn", self.title, ctx())
        token = STATE.set(compilation)
        try:
            assert self.function is not None
            returned = by_name(self.function)(**inputs)
        finally:
            STATE.reset(token)
        compilation.finish()
        return compilation, returned

    def compile_result(self, context: TaskContext, compiled: CompiledInterface, result: Any) -> Outcome:
        from ._workflow import bind_outputs

        if not self.dynamic:  # replaced by a function of a test's
            return Outcome(kind=SUCCEEDED, outputs=compiled.outputs_to_literals(result, context.conversion))
        compilation, returned = result
        if not compilation.nodes:
            return Outcome(kind=SUCCEEDED, outputs=compiled.outputs_to_literals(returned, context.conversion))
        outputs = bind_outputs(compilation, compiled, returned, self.title, self.location)
        graph = WorkflowSpec(
            id=EntityId("workflow", self.name),
            interface=Interface(outputs=compiled.interface.outputs),
            nodes=compilation.build(self.location),
            outputs=compilation.bindings(outputs),
        )
        context.app.entities.keep(graph, compilation.entities)
        return Outcome(kind=SUCCEEDED, graph=graph)


def entity_name(function: Callable[..., Any]) -> str:
    """Return the qualified name of a function's entity: module and function, without ``<locals>``."""
    qualified = getattr(function, "__qualname__", type(function).__qualname__).replace("<locals>.", "")
    return f"{module_name(function)}.{qualified}"


def _check_annotations(function: Callable[..., Any], title: str, pickle_untyped: bool) -> None:
    """Refuse missing annotations where the task is defined; what they mean is looked up when it is first used."""
    if pickle_untyped:
        return
    code = getattr(inspect.unwrap(function), "__code__", None)
    if code is None:
        return
    annotations = getattr(inspect.unwrap(function), "__annotations__", {})
    for name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]:
        if name not in annotations:
            raise CompileError(
                f"parameter {name!r} of {title} has no type annotation",
                hint=f"Write `{name}: <type>`, or `{name}: Pickle` for anything, pickled.",
                location=source_location(function),
            )


def _secret_specs(app: App, requests: tuple[Any, ...]) -> tuple[SecretSpec, ...]:
    if not requests:
        return ()
    from ._secrets import secret_specs

    app.uses_secrets = True
    return secret_specs(requests)


def _resource_spec(settings: TaskSettings) -> ResourceSpec | None:
    from ._resources import resource_spec

    return resource_spec(
        requests=settings.requests,
        limits=settings.limits,
        resources=settings.resources,
        accelerator=settings.accelerator,
        shared_memory=settings.shared_memory,
    )


@overload
def task(_task_function: Callable[P, R], /) -> FunctionTask[P, R]: ...
@overload
def task(
    _task_function: None = None,
    task_config: Any = None,
    cache: CacheRequest = False,
    retries: int | RetryStrategy = 0,
    interruptible: bool | None = None,
    deprecated: str = "",
    timeout: Duration | Timeout | None = 0,
    **settings: Any,
) -> Callable[[Callable[P, R]], FunctionTask[P, R]]: ...
def task(
    _task_function: Callable[..., Any] | None = None,
    task_config: Any = None,
    cache: CacheRequest = False,
    retries: int | RetryStrategy = 0,
    interruptible: bool | None = None,
    deprecated: str = "",
    timeout: Duration | Timeout | None = 0,
    container_image: Any = None,
    environment: Mapping[str, str] | None = None,
    requests: Resources | None = None,
    limits: Resources | None = None,
    secret_requests: Iterable[Any] | None = None,
    execution_mode: str = "default",
    node_dependency_hints: Iterable[Any] | None = None,
    task_resolver: Any = None,
    docs: Documentation | None = None,
    disable_deck: bool | None = None,
    enable_deck: bool | None = None,
    deck_fields: tuple[DeckField, ...] | None = None,
    pod_template: Any = None,
    pod_template_name: str | None = None,
    accelerator: Any = None,
    pickle_untyped: bool = False,
    shared_memory: bool | str | None = None,
    resources: Resources | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    *,
    name: str = "",
    cache_version: str = "",
    cache_serialize: bool = False,
    cache_ignore_input_vars: Iterable[str] = (),
    retry_on: Iterable[type[BaseException]] | None = None,
    task_class: Callable[..., FunctionTask[Any, Any]] | None = None,
    **unknown: Any,
) -> Any:
    """Turn an annotated function into a task.

    Args:
        task_config: Config of a plugin, which decides what kind of task it becomes.
        cache: Whether outputs are kept and reused for equal inputs: True or ``"auto"`` (the version follows from the
            code), or a `Cache`.
        retries: Retries after any exception but `NonRecoverableError`, or a `RetryStrategy` with delays.
        interruptible: Whether it may run on capacity that can be taken away.
        deprecated: Why it should not be used any more.
        timeout: Limit of one attempt, as seconds or timedelta, or a `Timeout`; 0 is none.
        container_image: The image that it runs in.
        environment: Environment variables.
        requests: Resources that must be free.
        limits: Resources that it may use.
        secret_requests: Secrets that it is given.
        execution_mode: ``"default"`` or ``"dynamic"``.
        node_dependency_hints: Entities that a dynamic task calls, so that they are registered with it.
        task_resolver: How a worker finds the task.
        docs: Its documentation; the docstring is used if it is not given.
        disable_deck: The opposite of `enable_deck`.
        enable_deck: Whether it writes an HTML report.
        deck_fields: What the report shows by itself.
        pod_template: Pod that it runs in.
        pod_template_name: Name of a pod template of the cluster.
        accelerator: Kind of accelerator.
        pickle_untyped: Whether parameters, and a result, without annotation are pickled.
        shared_memory: True, or a size: memory shared between processes.
        resources: Requests and limits in one.
        labels: Labels of its pods.
        annotations: Annotations of its pods.
        name: Qualified name instead of ``module.function``.
        cache_version: The same as ``cache=Cache(version=...)``.
        cache_serialize: The same as ``cache=Cache(serialize=...)``.
        cache_ignore_input_vars: The same as ``cache=Cache(ignored_inputs=...)``.
        retry_on: The exceptions after which it is retried; any if not given.
        task_class: A subclass of `FunctionTask`, or a function that makes one and takes the same; without it,
            `task_config` chooses.
        unknown: Not accepted.

    Returns:
        The task, or a decorator that makes it.

    Raises:
        UsageError: A setting is unknown or wrong, or a parameter has no annotation.
    """
    location = call_site()
    if unknown:
        known = [*inspect.signature(task).parameters]
        raise UnknownNameError.among("task setting", next(iter(unknown)), known, location=location)
    if disable_deck is not None and enable_deck is not None:
        raise UsageError("disable_deck and enable_deck are both given", location=location)
    if deck_fields:
        from ._report import check_fields

        check_fields(deck_fields, location)
    mode = getattr(execution_mode, "value", execution_mode)
    if mode not in {"default", "dynamic", 1, 2}:
        raise UnknownNameError.among("execution_mode", str(mode), ["default", "dynamic"], location=location)

    def decorate(function: Callable[..., Any]) -> FunctionTask[Any, Any]:
        settings = TaskSettings(
            cache=as_cache(
                cache,
                version=cache_version,
                serialize=cache_serialize,
                ignored_inputs=tuple(cache_ignore_input_vars),
                where=function.__qualname__,
            ),
            retries=retries,
            retry_on=None if retry_on is None else tuple(retry_on),
            timeout=timeout,
            interruptible=interruptible,
            deprecated=deprecated,
            container_image=container_image,
            environment=dict(environment or {}),
            requests=requests,
            limits=limits,
            resources=resources,
            accelerator=accelerator,
            shared_memory=shared_memory,
            secret_requests=tuple(secret_requests or ()),
            labels=dict(labels or {}),
            annotations=dict(annotations or {}),
            pod_template=pod_template,
            pod_template_name=pod_template_name,
            report=bool(enable_deck) if enable_deck is not None else disable_deck is False,
            deck_fields=deck_fields,
            docs=docs,
        )
        made: Callable[..., FunctionTask[Any, Any]] = DynamicTask if mode in {"dynamic", 2} else FunctionTask
        if task_class is not None:
            made = task_class
        elif task_config is not None:
            from ._app import current_app

            made = current_app().task_class_for(task_config)
        return made(function, name=name, settings=settings, config=task_config, pickle_untyped=pickle_untyped)

    return decorate if _task_function is None else decorate(_task_function)


@overload
def dynamic(_task_function: Callable[P, R], /) -> DynamicTask[P, R]: ...
@overload
def dynamic(_task_function: None = None, **settings: Any) -> Callable[[Callable[P, R]], DynamicTask[P, R]]: ...
def dynamic(_task_function: Callable[..., Any] | None = None, **settings: Any) -> Any:
    """Turn a function into a dynamic task: it runs with native inputs, and its calls of entities make a graph.

    Args:
        settings: As `task` takes them.
    """
    decorate: Any = task
    return decorate(_task_function, execution_mode="dynamic", **settings)


__all__ = [
    "DynamicTask",
    "FunctionTask",
    "Task",
    "TaskSettings",
    "dynamic",
    "entity_name",
    "task",
]
