"""Running entities at top level: what a plain call does, and ``run``, which gives the whole tree."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from alula_kernel.engine import Action, Phase, RunOptions, RunResult
from alula_kernel.errors import ActionError, UnknownNameError, UsageError, exception_for
from alula_kernel.literals import Literal

from ._app import App, current_app
from ._tracebacks import trim

if TYPE_CHECKING:
    from ._entity import Entity

RUN_NAME_PATTERN = r"[a-z][a-z0-9-]{0,62}"
"""What a run's name must look like."""


@dataclasses.dataclass(frozen=True)
class Run:
    """A run that has ended.

    Attributes:
        name: Its name.
        entity: What was run.
        actions: Its tree, parents before children.
        error: Why it failed; None if it succeeded.
    """

    name: str
    entity: Entity
    actions: tuple[Action, ...]
    error: ActionError | None
    _outputs: Mapping[str, Literal]
    _original: BaseException | None
    _app: App

    @property
    def phase(self) -> Phase:
        """How it ended."""
        return self.actions[0].phase

    @property
    def output_literals(self) -> Mapping[str, Literal]:
        """Its outputs as literals."""
        return self._outputs

    @property
    def outputs(self) -> Any:
        """What a call would have returned.

        Raises:
            Exception: The run failed; what the task raised.
        """
        self.raise_for_error()
        return self.entity.compiled(self._app).outputs_to_python(self._outputs)

    def raise_for_error(self) -> None:
        """Raise what made the run fail; do nothing if it succeeded.

        Raises:
            Exception: What the task raised, with the user's own frames in its traceback.
        """
        if self.error is None:
            return
        original = self._original
        if original is None:
            raise exception_for(self.error)
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

    def tree(self) -> str:
        """Show the actions as an indented list with phases, attempts and times."""
        from ._tree import tree_text

        return tree_text(self.actions)


def run(
    entity: Entity | Callable[..., Any], *args: Any, options: RunOptions | None = None, app: App | None = None, **inputs: Any
) -> Run:
    """Run a task, workflow or launch plan here and now, and return the run.

    Args:
        entity: What to run.
        args: Inputs by position.
        options: Name, project, labels, environment, cache behaviour and limits of the run.
        app: The application; the process's own if not given.
        inputs: Inputs by name.

    Returns:
        The run, failed or not; `Run.outputs` raises what made it fail.

    Raises:
        UsageError: The entity or an input is wrong; nothing has run.
    """
    entity = _checked(entity)
    app = app or current_app()
    spec, literals, options = _prepared(app, entity, args, inputs, options)
    return _finished(app, entity, app.engine.run_blocking(spec, literals, options))


async def run_async(
    entity: Entity | Callable[..., Any], *args: Any, options: RunOptions | None = None, app: App | None = None, **inputs: Any
) -> Run:
    """Run an entity in the event loop of the caller; otherwise as `run`."""
    entity = _checked(entity)
    app = app or current_app()
    spec, literals, options = _prepared(app, entity, args, inputs, options)
    return _finished(app, entity, await app.engine.run(spec, literals, options))


def _checked(entity: Any) -> Entity:
    from ._entity import Entity

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
    values = compiled.bind_arguments(args, inputs)
    compiled.check_complete(values)
    options = options or RunOptions()
    if options.name:
        check_run_name(options.name)
    from msgspec.structs import replace

    if not options.output_prefix:
        options = replace(options, output_prefix=str(app.settings.home / "runs"))
    return spec, compiled.inputs_to_literals(values), options


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
    return Run(result.name, entity, actions, result.error, result.outputs, result.original, app)


def run_and_return(entity: Entity, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Do what a plain call at top level does: run, and return outputs or raise."""
    return run_values(entity, args, kwargs).outputs


def run_values(entity: Entity, args: tuple[Any, ...], kwargs: dict[str, Any], app: App | None = None) -> Run:
    """Run with inputs whose names may be any, also those of `run`'s own parameters."""
    app = app or current_app()
    spec, literals, options = _prepared(app, entity, args, kwargs, None)
    return _finished(app, entity, app.engine.run_blocking(spec, literals, options))


async def run_and_return_async(entity: Entity, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Do the same in the caller's event loop."""
    app = current_app()
    spec, literals, options = _prepared(app, entity, args, kwargs, None)
    return _finished(app, entity, await app.engine.run(spec, literals, options)).outputs
