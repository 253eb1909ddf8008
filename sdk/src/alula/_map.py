"""Map tasks: one call per item of a list."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable, Container, Mapping
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from alula_kernel.errors import CompileError, UnknownNameError, UsageError
from alula_kernel.specs import Interface, MapTarget, Node, Overrides, Reference, Target, WorkflowSpec

from ._entity import Entity
from ._interface import PythonInterface, optional_output
from ._launch_plan import LaunchPlan
from ._promise import Promise
from ._reference import ReferenceEntity
from ._state import call_site
from ._task import Task
from ._workflow import WorkflowBase

if TYPE_CHECKING:
    from ._app import App


class MapTask(Entity):
    """Runs an entity once per item: every unbound input becomes a list, and so does every output.

    Args:
        target: What is run for each item.
        bound: Inputs that every item gets.
        concurrency: Most items at once; None for the run's own limit, 0 for no limit.
        min_successes: Items that must succeed.
        min_success_ratio: Share of the items that must succeed, rounded up.
        run_all_sub_nodes: Whether every item runs although the answer is already certain.
    """

    kind = "task"
    list_type: Any = list
    """What its interface writes lists with; an adapter may set ``typing.List``."""

    def __init__(
        self,
        target: Entity,
        bound: Mapping[str, Any],
        concurrency: int | None,
        min_successes: int | None,
        min_success_ratio: float,
        run_all_sub_nodes: bool,
    ) -> None:
        digest = hashlib.sha256(
            repr((sorted(bound), concurrency, min_successes, min_success_ratio, run_all_sub_nodes)).encode()
        ).hexdigest()[:8]
        module, _, function = target.name.rpartition(".")
        super().__init__(f"{module}.map_{function}_{digest}")
        self.mapped_entity = target
        self.bound = dict(bound)
        self.concurrency = concurrency
        self.min_successes = min_successes
        self.min_success_ratio = min_success_ratio
        self.run_all_sub_nodes = run_all_sub_nodes
        self._location = call_site()

    @property
    def title(self) -> str:
        return f"map_task({self.mapped_entity.short_name})"

    @property
    def location(self) -> str:
        return self._location

    @property
    def documented_function(self) -> Callable[..., Any] | None:
        return self.mapped_entity.documented_function

    @property
    def overridable(self) -> Task | None:
        """The task whose settings a call may change: each item's."""
        return getattr(self.mapped_entity, "overridable", None)

    @property
    def tolerant(self) -> bool:
        """Whether items may fail."""
        return self.min_successes is not None or self.min_success_ratio < 1

    @property
    def python_interface(self) -> PythonInterface:
        from ._app import current_app

        inner = self.mapped_entity.python_interface
        fixed = self.mapped_entity.fixed_inputs if isinstance(self.mapped_entity, LaunchPlan) else {}
        registry = current_app().registry
        outputs = {n: optional_output(t, registry) if self.tolerant else t for n, t in inner.outputs.items()}
        return replace(
            inner,
            inputs={
                name: python_type if name in self.bound else self._list_of(python_type)
                for name, python_type in inner.inputs.items()
                if name not in fixed
            },
            # An input with a default that is not given keeps the default for every item.
            defaults={
                **{n: None for n in inner.defaults if n not in self.bound and n not in fixed},
                **self._literal_bound,
            },
            outputs={name: self._list_of(python_type) for name, python_type in outputs.items()},
        )

    def _list_of(self, python_type: Any) -> Any:
        """Return the list type of what an input or output of one item is, if that may be anything, where it stands alone."""
        if python_type is Any or python_type is object:
            from ._data.pickle import Pickle

            python_type = Pickle[object]  # in a list, Any means plain data
        return self.list_type[python_type]

    @property
    def _literal_bound(self) -> dict[str, Any]:
        return {name: value for name, value in self.bound.items() if not isinstance(value, Promise)}

    def _target(self, app: App, given: Container[str]) -> MapTarget:
        self.mapped_entity.target(app)
        interface = self.mapped_entity.compiled(app).interface
        return MapTarget(
            entity=self.mapped_entity.id(app),
            mapped=tuple(name for name in interface.inputs if name in given and name not in self.bound),
            concurrency=self.concurrency,
            min_successes=self.min_successes,
            min_success_ratio=self.min_success_ratio,
            run_all=self.run_all_sub_nodes,
            results=tuple(interface.outputs),
            optional=self.tolerant,
        )

    def _call_overrides(self) -> Overrides | None:
        return self.mapped_entity._call_overrides()

    def target(self, app: App) -> Target:
        names = {n for n in self.mapped_entity.python_interface.inputs if n not in self._left_out}
        return self._target(app, names)

    _left_out: frozenset[str] = frozenset()

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        """Run it, or make a node or child action of it. Lists are given for every input that is not bound."""
        if args:
            raise UsageError(f"{self.title} takes its inputs by name only", location=call_site())
        for name in kwargs:
            if name in self.bound:
                raise UsageError(f"input {name!r} of {self.title} is bound already", location=call_site())
        return self._with_given(kwargs)._call({**self.bound, **kwargs})

    def _with_given(self, kwargs: Mapping[str, Any]) -> MapTask:
        """Return the map as it is for a call that leaves out some inputs with defaults."""
        defaults = self.mapped_entity.python_interface.defaults
        left_out = frozenset(n for n in defaults if n not in kwargs and n not in self.bound)
        if left_out == self._left_out:
            return self
        copy = self.__class__.__new__(self.__class__)
        copy.__dict__.update(self.__dict__, _left_out=left_out, _compiled=None, _id=None)
        return copy

    def _call(self, kwargs: dict[str, Any]) -> Any:
        kwargs = {name: value for name, value in kwargs.items() if name not in self._left_out}
        return super().__call__(**kwargs)

    def compiled(self, app: App) -> Any:
        known = self._compiled
        if known is not None and known[0] is app:
            return known[1]
        from ._interface import CompiledInterface

        python = self.python_interface
        trimmed = replace(
            python,
            inputs={n: t for n, t in python.inputs.items() if n not in self._left_out},
            defaults=self._literal_bound,
        )
        made = CompiledInterface(trimmed, app.registry, app.conversion, self.title, self.location)
        self._compiled = (app, made)
        return made

    def spec(self, app: App) -> WorkflowSpec:
        """Return a workflow of one node: how a map is run at top level."""
        target = self._target(app, self.compiled(app).inputs)
        interface: Interface = self.compiled(app).interface
        node = Node(
            id="n0",
            name=self.title,
            target=target,
            inputs={name: Reference("", name) for name in interface.inputs},
            overrides=self._call_overrides(),
            location=self.location,
        )
        spec = WorkflowSpec(
            id=self.id(app),
            interface=interface,
            nodes=(node,),
            outputs={name: Reference("n0", name) for name in interface.outputs},
        )
        app.entities.add(spec)
        return spec


def map_task(
    target: Any,
    concurrency: int | None = None,
    min_successes: int | None = None,
    min_success_ratio: float = 1.0,
    run_all_sub_nodes: bool = False,
) -> MapTask:
    """Map an entity over lists: call the result with a list for each input that is not bound.

    Args:
        target: A task, workflow or launch plan, or a ``functools.partial`` of a task, whose bound inputs every item gets.
        concurrency: Most items at once; None for the run's own limit, 0 for no limit.
        min_successes: Items that must succeed; failed ones are None in the result.
        min_success_ratio: Share of the items that must succeed, rounded up; failed ones are None in the result.
        run_all_sub_nodes: Whether every item runs although too many have failed already.

    Raises:
        UsageError: The target cannot be mapped, or a number is out of its range.
    """
    location = call_site()
    bound: dict[str, Any] = {}
    while isinstance(target, functools.partial):
        if target.args:
            names = list(getattr(target.func, "python_interface").inputs)  # noqa: B009 - any entity
            bound = {**dict(zip(names, target.args, strict=False)), **bound}
        bound = {**target.keywords, **bound}
        target = target.func
    if isinstance(target, MapTask):
        raise CompileError("a map cannot be mapped again", hint="Map over a workflow that maps.", location=location)
    if not isinstance(target, (Task, WorkflowBase, LaunchPlan, ReferenceEntity)):
        raise UsageError(
            f"map_task takes a task, workflow or launch plan, found {type(target).__qualname__}", location=location
        )
    for name in bound:
        if name not in target.python_interface.inputs:
            raise UnknownNameError.among("input", name, target.python_interface.inputs, location=location)
    if concurrency is not None and concurrency < 0:
        raise UsageError(f"concurrency must be at least 0, found {concurrency}", location=location)
    if min_successes is not None and min_successes < 0:
        raise UsageError(f"min_successes must be at least 0, found {min_successes}", location=location)
    if not 0 <= min_success_ratio <= 1:
        raise UsageError(f"min_success_ratio must be between 0 and 1, found {min_success_ratio}", location=location)
    return MapTask(target, bound, concurrency, min_successes, min_success_ratio, run_all_sub_nodes)
