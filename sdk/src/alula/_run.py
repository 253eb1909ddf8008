"""Running entities at top level: what a plain call does, and ``run``, which gives the whole tree."""

from __future__ import annotations

import inspect
import sys
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec.structs import replace

from alula_kernel.engine import Action, Phase, RunOptions, RunResult
from alula_kernel.errors import ActionError, UnknownNameError, UsageError, exception_for
from alula_kernel.literals import Literal
from alula_kernel.specs import LaunchPlanSpec, WorkflowSpec

from ._aio import WithAio
from ._app import App, current_app
from ._custom_context import added_context
from ._entity import Entity
from ._state import STATE
from ._tracebacks import recorded, trim

RUN_NAME_PATTERN = r"[a-z][a-z0-9-]{0,62}"
"""What a run's name must look like."""


class _Failure:
    """How a run failed. If the program never asks for it, it is told on stderr when the run goes, or at the end."""

    def __init__(self, run: str, entity: Entity, error: ActionError, original: BaseException | None) -> None:
        self._error = error
        self._original = original
        told = f"run {run} of {entity.title} failed, and the program did not look: {error.code}: {error.message}"
        self._unseen = weakref.finalize(
            self, _tell, f"{told}\n  Use run.result, which raises it, or look at run.error."
        )

    def look(self) -> tuple[ActionError, BaseException | None]:
        """Return its record, and the exception where it is at hand."""
        self._unseen.detach()
        return self._error, self._original


def _tell(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201 - there is nobody left to raise it to


class Run(msgspec.Struct, frozen=True):
    """A run that has ended.

    Attributes:
        name: Its name.
        entity: What was run.
        actions: Its tree, parents before children.
    """

    name: str
    entity: Entity
    actions: tuple[Action, ...]
    _failure: _Failure | None
    _outputs: Mapping[str, Literal]
    _app: App

    @property
    def error(self) -> ActionError | None:
        """Why it failed; None if it succeeded."""
        return self._look()[0]

    @property
    def phase(self) -> Phase:
        """How it ended."""
        self._look()
        return self.actions[0].phase

    @property
    def output_literals(self) -> Mapping[str, Literal]:
        """Its outputs as literals."""
        return self._outputs

    @property
    def url(self) -> str:
        """Where its report can be looked at; empty if the task at its root wrote none."""
        return self.actions[0].report

    @property
    def result(self) -> Any:
        """What a call would have returned.

        Raises:
            Exception: The run failed; what the task raised.
        """
        self.raise_for_error()
        return self.entity.compiled(self._app).outputs_to_python(self._outputs)

    def _all_outputs(self) -> RunOutputs:
        """Return its outputs as a tuple, also if there is only one.

        Raises:
            Exception: The run failed; what the task raised.
        """
        self.raise_for_error()
        return RunOutputs({name: self.output(name) for name in self._outputs})

    def _wait(self) -> None:
        """Return at once: a run that is at hand has ended, successfully or not."""

    outputs = WithAio(_all_outputs)
    wait = WithAio(_wait)

    def raise_for_error(self) -> None:
        """Raise what made the run fail; do nothing if it succeeded.

        Raises:
            Exception: What the task raised, with the user's own frames in its traceback.
        """
        error, original = self._look()
        if error is None:
            return
        if original is None:
            raise exception_for(error) from recorded(error.traceback)
        raise original.with_traceback(trim(original.__traceback__))

    def output(self, name: str, as_type: Any = None) -> Any:
        """Return one output by name, as its declared type or as another one that fits.

        Raises:
            UnknownNameError: There is no such output.
            ValueConversionError: It does not fit the type.
        """
        self.raise_for_error()
        if name not in self._outputs:
            raise UnknownNameError.among("output", name, self._outputs)
        compiled = self.entity.compiled(self._app)
        converter = compiled.outputs[name] if as_type is None else self._app.registry.converter(as_type)
        return converter.to_python(self._outputs[name], self._app.conversion)

    def __repr__(self) -> str:
        return f"<run {self.name} of {self.entity.title}: {self.phase.value}>"

    def tree(self) -> str:
        """Show the actions as an indented list with phases, attempts and times."""
        from ._tree import tree_text

        self._look()
        return tree_text(self.actions)

    def _look(self) -> tuple[ActionError | None, BaseException | None]:
        return (None, None) if self._failure is None else self._failure.look()


class RunOutputs(tuple[Any, ...]):
    """The outputs of a run, in order; by name in `named_outputs` and as attributes."""

    named_outputs: dict[str, Any]

    def __new__(cls, named_outputs: dict[str, Any]) -> RunOutputs:
        made = super().__new__(cls, named_outputs.values())
        made.named_outputs = named_outputs
        return made

    def __getattr__(self, name: str) -> Any:
        named: dict[str, Any] = self.__dict__.get("named_outputs", {})
        if name in named:
            return named[name]
        raise AttributeError(f"there is no output {name!r}; there are {', '.join(named) or 'none'}")


async def run_async(
    entity: Entity | Callable[..., Any],
    /,
    *args: Any,
    options: RunOptions | None = None,
    app: App | None = None,
    **inputs: Any,
) -> Run:
    """Run an entity in the event loop of the caller; otherwise as `run`."""
    entity = _checked(entity)
    app = app or current_app()
    spec, literals, options = _prepared(app, entity, args, inputs, options)
    return _finished(app, entity, await app.engine.run(spec, literals, options))


def _run(
    entity: Entity | Callable[..., Any],
    /,
    *args: Any,
    options: RunOptions | None = None,
    app: App | None = None,
    **inputs: Any,
) -> Run:
    """Run a task, workflow or launch plan here and now, and return the run.

    Args:
        entity: What to run.
        args: Inputs by position.
        options: Name, project, labels, environment, cache behaviour and limits of the run.
        app: The application; the process's own if not given.
        inputs: Inputs by name.

    Returns:
        The run, failed or not; `Run.result` raises what made it fail.

    Raises:
        UsageError: The entity or an input is wrong; nothing has run.
    """
    entity = _checked(entity)
    app = app or current_app()
    spec, literals, options = _prepared(app, entity, args, inputs, options)
    return _finished(app, entity, app.engine.run_blocking(spec, literals, options))


run = WithAio(_run, run_async)


class Runner:
    """Runs entities with options; made by `with_runcontext`.

    Args:
        options: The options.
        debug: Whether the debugger is entered where a task failed.
        copy_style: How code gets to workers; empty for what the executor needs.
        root_dir: The source root; empty for that of the entity's module.
    """

    def __init__(self, options: RunOptions, debug: bool = False, copy_style: str = "", root_dir: str = "") -> None:
        self.options = options
        self._debug = debug
        self._copy_style = copy_style
        self._root_dir = root_dir

    def _run(self, entity: Entity | Callable[..., Any], /, *args: Any, **inputs: Any) -> Run:
        """Run an entity with the options; otherwise as `alula.run`."""
        entity = _checked(entity)
        return self._debugged(run_values(entity, args, inputs, options=self._options_for(entity)))

    async def _run_async(self, entity: Entity | Callable[..., Any], /, *args: Any, **inputs: Any) -> Run:
        entity = _checked(entity)
        return self._debugged(await run_values_async(entity, args, inputs, options=self._options_for(entity)))

    run = WithAio(_run, _run_async)

    def _options_for(self, entity: Entity) -> RunOptions:
        if not self._copy_style:
            return self.options
        from ._bundle import code_for

        return replace(self.options, code=code_for(entity, self._copy_style, root=self._root_dir or None))

    def _debugged(self, run: Run) -> Run:
        original = run._look()[1] if self._debug else None
        if original is not None:
            import pdb  # noqa: T100 - asked for

            pdb.post_mortem(trim(original.__traceback__))
        return run


def with_runcontext(
    mode: str = "local",
    *,
    name: str = "",
    project: str | None = None,
    domain: str | None = None,
    labels: Mapping[str, str] | None = None,
    env_vars: Mapping[str, str] | None = None,
    overwrite_cache: bool = False,
    disable_run_cache: bool = False,
    interruptible: bool | None = None,
    max_action_concurrency: int | None = None,
    run_base_dir: str | None = None,
    executor: str = "",
    custom_context: Mapping[str, str] | None = None,
    cache_lookup_scope: str = "project-domain",
    log_level: int | str | None = None,
    debug: bool = False,
    copy_style: str = "",
    root_dir: str = "",
    **unknown: Any,
) -> Runner:
    """Prepare runs with options: ``with_runcontext(overwrite_cache=True).run(task, x=1)``.

    Args:
        mode: ``"local"``, here and now.
        name: Name of the run.
        project: Project; that of the settings if it is not given.
        domain: Domain; that of the settings if it is not given.
        labels: Labels.
        env_vars: Environment variables of every attempt.
        overwrite_cache: Compute although there is a cached output, and replace it.
        disable_run_cache: Neither read nor write the cache.
        interruptible: Whether attempts may run on capacity that can be taken away.
        max_action_concurrency: Most attempts at once; None or 0 for no limit.
        run_base_dir: Folder or URI prefix for reports, checkpoints and named files.
        executor: Where Python tasks run: ``"inline"``, in this process, as if it is not given; ``"process"``, each attempt in a
            process of its own; or one that a plugin brings.
        custom_context: Text by name that every task hands on to those that it calls; see `alula.custom_context`.
        cache_lookup_scope: ``"project-domain"``, or ``"global"`` to share cached outputs with the runs of other projects that
            say so.
        log_level: Level of Alula's own loggers and that of tasks, from now on.
        debug: Enter the debugger where a task failed.
        copy_style: How code gets to workers, if the executor's own choice will not do: ``"here"``, ``"loaded_modules"``,
            ``"all"``, ``"pickle"`` or ``"none"``; see "Workers: the contract of executors".
        root_dir: Source root for `copy_style`; that of the entity's module if it is not given.
        unknown: Not accepted.

    Raises:
        UsageError: The mode, the name, the scope or the copy style cannot be one, or an option is unknown or means nothing here.
    """
    if mode != "local":
        raise UnknownNameError.among("mode of a run", mode, ["local"])
    for option in unknown:
        if option in _MEANINGLESS:
            raise UsageError(f"with_runcontext cannot take {option!r}: {_MEANINGLESS[option]}")
        raise UnknownNameError.among("option of a run", option, list(inspect.signature(with_runcontext).parameters))
    if cache_lookup_scope not in {"project-domain", "global"}:
        raise UnknownNameError.among("scope of the cache", cache_lookup_scope, ["project-domain", "global"])
    if copy_style:
        from ._bundle import check_style

        check_style(copy_style)
    if log_level is not None:
        from ._init import set_log_level

        set_log_level(log_level)
    settings = current_app().settings
    if name:
        check_run_name(name)
    return Runner(
        RunOptions(
            name=name,
            project=project or settings.project,
            domain=domain or settings.domain,
            labels=dict(labels or {}),
            environment=dict(env_vars or {}),
            overwrite_cache=overwrite_cache,
            disable_cache=disable_run_cache,
            interruptible=interruptible,
            max_parallelism=max_action_concurrency or None,
            output_prefix=run_base_dir or "",
            executor=executor,
            context=dict(custom_context or {}),
            cache_scope="global" if cache_lookup_scope == "global" else "project",
        ),
        debug,
        copy_style,
        root_dir,
    )


_ON_A_SERVER = "it is of use on a server only, and runs are driven on this machine"
_MEANINGLESS = {
    "service_account": _ON_A_SERVER,
    "version": "what is registered has a version, and a run of local code has none",
    "dry_run": "nothing is sent anywhere; look at the graph with `alula inspect`",
    "copy_bundle_to": _ON_A_SERVER,
    "interactive_mode": "it is found out",
    "raw_data_path": "data is stored where ALULA_DATA, or `alula.init(data=...)`, says",
    "run_start_time": "a run starts when it is started",
    "annotations": _ON_A_SERVER,
    "log_format": "the program says how its logs look, with `logging`",
    "user_log_level": "use log_level, or `alula.logger.setLevel`",
    "reset_root_logger": "the program's own loggers are left alone",
    "queue": "a queue is chosen by the task",
    "notifications": "nobody is notified of local runs",
    "preserve_original_types": "results have the declared types",
    "tracked": _ON_A_SERVER,
    "tracked_strict": _ON_A_SERVER,
}
"""Options that users of other systems know, and why there is no such thing here."""


def _checked(entity: Any) -> Entity:
    if not isinstance(entity, Entity):
        raise UsageError(
            f"expected a task, workflow or launch plan, found {type(entity).__qualname__}",
            hint="Decorate the function with @task, @workflow or @env.task.",
        )
    return entity


def _prepared(
    app: App, entity: Entity, args: tuple[Any, ...], inputs: dict[str, Any], options: RunOptions | None
) -> tuple[Any, dict[str, Literal], RunOptions]:
    spec = entity.spec(app)
    compiled = entity.compiled(app)
    entity.check_given(inputs)
    values = compiled.bind_arguments(args, inputs)
    compiled.check_complete(values)
    if options is None:
        options = RunOptions(project=app.settings.project, domain=app.settings.domain)
    if options.name:
        check_run_name(options.name)
    if isinstance(spec, (LaunchPlanSpec, WorkflowSpec)):
        options = _with_defaults(app, options, spec)
    if app.uses_secrets:
        from ._secrets import check_secrets

        check_secrets(app, spec, options.executor)
    options = completed_options(app, options)
    if options.code is None and (options.executor or app.has_other_executors):
        from ._bundle import code_of_run

        options = replace(options, code=code_of_run(app, entity, options.executor))
    return spec, compiled.inputs_to_literals(values), options


options_completed_by: list[Callable[[RunOptions], RunOptions]] = []
"""What changes the options of each run of this process; see `alula.adapting.complete_options_by`."""


def completed_options(app: App, options: RunOptions) -> RunOptions:
    """Fill in where files go, the custom context around the call, and what adapters say."""
    for complete in options_completed_by:
        options = complete(options)
    if not options.output_prefix:
        options = replace(options, output_prefix=app.settings.path("runs"))
    added = added_context(STATE.get())
    return replace(options, context={**added, **options.context}) if added else options


def _with_defaults(app: App, options: RunOptions, spec: LaunchPlanSpec | WorkflowSpec) -> RunOptions:
    """Fill in what a launch plan, or a workflow by its ``default_options``, says; what the caller says goes before."""
    if isinstance(spec, WorkflowSpec):
        most = spec.max_parallelism if options.max_parallelism is None else options.max_parallelism
        return replace(options, labels={**spec.labels, **options.labels}, max_parallelism=most)
    options = _from_plan(options, spec)
    workflow = app.entities.spec(spec.workflow)
    assert isinstance(workflow, WorkflowSpec)
    return _with_defaults(app, options, workflow)


def _from_plan(options: RunOptions, plan: LaunchPlanSpec) -> RunOptions:
    return replace(
        options,
        launch_plan=plan.id.name,
        labels={**plan.labels, **options.labels},
        overwrite_cache=options.overwrite_cache or plan.overwrite_cache,
        max_parallelism=plan.max_parallelism if options.max_parallelism is None else options.max_parallelism,
        output_prefix=options.output_prefix or plan.raw_output_prefix,
    )


def check_run_name(name: str) -> None:
    """Refuse a name that cannot be a run's.

    Raises:
        UsageError: It has other characters, or is too long.
    """
    import re

    if not re.fullmatch(RUN_NAME_PATTERN, name):
        raise UsageError(
            f"{name!r} cannot be the name of a run",
            hint="Begin with a letter; use lower-case letters, digits and dashes; at most 63.",
        )


def _finished(app: App, entity: Entity, result: RunResult) -> Run:
    actions = tuple(app.engine.store.actions(result.name))
    app.engine.store.forget(result.name)
    failure = None if result.error is None else _Failure(result.name, entity, result.error, result.original)
    return Run(result.name, entity, actions, failure, result.outputs, app)


def run_and_return(entity: Entity, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Do what a plain call at top level does: run, and return outputs or raise."""
    return run_values(entity, args, kwargs).result


async def run_and_return_async(entity: Entity, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Do the same in the caller's event loop."""
    return (await run_values_async(entity, args, kwargs)).result


def run_values(
    entity: Entity,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    app: App | None = None,
    options: RunOptions | None = None,
) -> Run:
    """Run with inputs whose names may be any, also those of `run`'s own parameters."""
    app = app or current_app()
    spec, literals, options = _prepared(app, entity, args, kwargs, options)
    return _finished(app, entity, app.engine.run_blocking(spec, literals, options))


async def run_values_async(
    entity: Entity,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    app: App | None = None,
    options: RunOptions | None = None,
) -> Run:
    """Do the same in the caller's event loop."""
    app = app or current_app()
    spec, literals, options = _prepared(app, entity, args, kwargs, options)
    return _finished(app, entity, await app.engine.run(spec, literals, options))
