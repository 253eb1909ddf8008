"""Launch plans: workflows bound to inputs, a schedule and options."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from alula_kernel.errors import TypeMismatchError, UnknownNameError, UsageError, ValueConversionError
from alula_kernel.literals import Literal
from alula_kernel.specs import EntitySpec, Interface, LaunchPlanSpec, ScheduleSpec
from alula_kernel.types import DATETIME, UnionOf

from ._entity import Entity
from ._interface import PythonInterface
from ._reference import ReferenceEntity
from ._state import call_site
from ._workflow import WorkflowBase

if TYPE_CHECKING:
    from ._app import App
    from ._options import RawOutputDataConfig
    from ._schedule import CronSchedule, FixedRate

_OPTIONS = (
    "default_inputs",
    "fixed_inputs",
    "schedule",
    "notifications",
    "labels",
    "annotations",
    "raw_output_data_config",
    "max_parallelism",
    "security_context",
    "auth_role",
    "trigger",
    "overwrite_cache",
    "auto_activate",
    "concurrency",
)


class LaunchPlan(Entity):
    """A workflow bound to inputs, a schedule and options. Made by `create` or `get_or_create`.

    Attributes:
        workflow: The workflow that it launches, or a reference to one.
        default_inputs: Inputs that a launch may override.
        fixed_inputs: Inputs that a launch may not give.
        labels: Labels of its runs; as the options of the workflow say if it was given none. So are `annotations`.
        annotations: Annotations of its runs.
        notifications: What is told to whom when a run ends.
        concurrency: How many of its runs may be under way.
    """

    kind = "launch_plan"

    def __init__(
        self, name: str, workflow: WorkflowBase | ReferenceEntity, options: Mapping[str, Any], location: str
    ) -> None:
        super().__init__(name)
        self.workflow = workflow
        self._options = dict(options)
        self._location = location
        self._spec: tuple[App, LaunchPlanSpec] | None = None
        self.default_inputs: dict[str, Any] = dict(options.get("default_inputs") or {})
        self.fixed_inputs: dict[str, Any] = dict(options.get("fixed_inputs") or {})
        inherited = getattr(workflow, "default_options", None)
        self.labels: Any = options.get("labels") or getattr(inherited, "labels", None)
        self.annotations: Any = options.get("annotations") or getattr(inherited, "annotations", None)
        self.notifications: list[Any] = list(options.get("notifications") or ())
        self.concurrency: Any = options.get("concurrency")
        self._check_inputs()

    @classmethod
    def create(
        cls,
        name: str,
        workflow: WorkflowBase | ReferenceEntity,
        default_inputs: Mapping[str, Any] | None = None,
        fixed_inputs: Mapping[str, Any] | None = None,
        schedule: CronSchedule | FixedRate | None = None,
        notifications: list[Any] | None = None,
        labels: Mapping[str, str] | None = None,
        annotations: Mapping[str, str] | None = None,
        raw_output_data_config: RawOutputDataConfig | None = None,
        max_parallelism: int | None = None,
        security_context: Any = None,
        auth_role: Any = None,
        trigger: Any = None,
        overwrite_cache: bool | None = None,
        auto_activate: bool = False,
        concurrency: Any = None,
    ) -> LaunchPlan:
        """Make a launch plan.

        Args:
            name: Its name.
            workflow: The workflow that it launches, or a reference to one.
            default_inputs: Inputs that a launch may override.
            fixed_inputs: Inputs that a launch may not give.
            schedule: When it fires by itself, once it is active.
            notifications: What is told to whom when a run ends.
            labels: Labels of its runs.
            annotations: Annotations of its runs.
            raw_output_data_config: Where its runs store data.
            max_parallelism: Most attempts at once in its runs.
            security_context: As whom its runs run.
            auth_role: An older name of `security_context`.
            trigger: What makes it fire beside a schedule.
            overwrite_cache: Whether its runs ignore cached outputs and replace them.
            auto_activate: Whether registering it also activates it.
            concurrency: How many of its runs may be under way.

        Raises:
            UsageError: An input is unknown, or is both default and fixed, or the schedule's input does not fit.
        """
        given = {key: value for key, value in locals().items() if key in _OPTIONS}
        return cls(name, _checked_workflow(workflow), given, call_site())

    @classmethod
    def get_or_create(
        cls, workflow: WorkflowBase | ReferenceEntity, name: str | None = None, **options: Any
    ) -> LaunchPlan:
        """Return the launch plan of a name, made at the first call; without a name, the workflow's default one.

        Args:
            workflow: The workflow that it launches, or a reference to one.
            name: Its name.
            options: As `create` takes them.

        Raises:
            UsageError: One of that name has another workflow or other options, or options are given without a name.
        """
        for option in options:
            if option not in _OPTIONS:
                raise UnknownNameError.among("launch plan option", option, _OPTIONS, location=call_site())
        given = {key: value for key, value in options.items() if value not in (None, False)}
        _checked_workflow(workflow)
        if name is None:
            if given:
                raise UsageError(
                    f"a launch plan with {', '.join(given)} needs a name",
                    hint="The launch plan without a name is the workflow's default one, which has no options.",
                    location=call_site(),
                )
            name = workflow.name
        made = _made.setdefault(workflow, {})
        known = made.get(name) or next((plans[name] for plans in _made.values() if name in plans), None)
        if known is None:
            made[name] = cls(name, workflow, options, call_site())
            return made[name]
        before = {key: value for key, value in known._options.items() if value not in (None, False)}
        if known.workflow is not workflow and known.workflow.location != workflow.location:
            raise UsageError(
                f"launch plan {name!r} exists for {known.workflow.title}, and was asked for {workflow.title}",
                hint="Give it another name.",
                location=call_site(),
            )
        for key in {*before, *given}:
            if not _same(before.get(key), given.get(key)):
                raise UsageError(
                    f"launch plan {name!r} exists with another {key}",
                    hint="Give it another name.",
                    location=call_site(),
                )
        return known

    @classmethod
    def get_default_launch_plan(cls, _context: Any, workflow: WorkflowBase | ReferenceEntity) -> LaunchPlan:
        """Return the workflow's default launch plan."""
        return cls.get_or_create(workflow)

    def clone_with(self, name: str, **options: Any) -> LaunchPlan:
        """Return a launch plan with another name and some other options."""
        return type(self)(name, self.workflow, {**self._options, **options}, call_site())

    @property
    def location(self) -> str:
        return self._location

    @property
    def schedule(self) -> CronSchedule | FixedRate | None:
        """When it fires by itself."""
        return self._options.get("schedule")

    @property
    def python_interface(self) -> PythonInterface:
        whole = self.workflow.python_interface
        merged = replace(whole, defaults={**whole.defaults, **self.default_inputs})
        return merged.without_inputs(self.fixed_inputs)

    @property
    def documented_function(self) -> Callable[..., Any] | None:
        return self.workflow.documented_function

    @property
    def description(self) -> str:
        """First line of its workflow's docs."""
        return self.workflow.description

    def _call_at_top_level(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if args:
            raise UsageError(f"{self.title} takes its inputs by name only", location=call_site())
        return super()._call_at_top_level(args, kwargs)

    def check_given(self, names: Collection[str]) -> None:
        for name in names:
            if name in self.fixed_inputs:
                raise UsageError(
                    f"input {name!r} of {self.title} is fixed and cannot be overridden",
                    hint=f"Launch {self.workflow.title} instead, or make it a default input.",
                    location=call_site(),
                )

    def _check_inputs(self) -> None:
        known = self.workflow.python_interface.inputs
        for kind, given in (("default", self.default_inputs), ("fixed", self.fixed_inputs)):
            for name in given:
                if name not in known:
                    raise UnknownNameError.among(f"{kind} input", name, known, location=self._location)
        both = self.default_inputs.keys() & self.fixed_inputs.keys()
        if both:
            raise UsageError(f"input {min(both)!r} is both default and fixed", location=self._location)

    def spec(self, app: App) -> LaunchPlanSpec:
        known = self._spec
        if known is not None and known[0] is app:
            return known[1]
        workflow = self.workflow.spec(app)
        compiled = self.compiled(app)
        options = self._options
        schedule = self.schedule.spec() if self.schedule is not None else None
        self._check_kickoff(schedule, compiled.interface)
        raw = options.get("raw_output_data_config")
        spec = LaunchPlanSpec(
            id=self.id(app),
            workflow=workflow.id,
            interface=compiled.interface,
            default_inputs=self._literals(app, self.default_inputs, "default"),
            fixed_inputs=self._literals(app, self.fixed_inputs, "fixed"),
            schedule=schedule,
            notifications=tuple(n.spec() for n in options.get("notifications") or ()),
            labels=dict(options.get("labels") or {}),
            annotations=dict(options.get("annotations") or {}),
            max_parallelism=options.get("max_parallelism"),
            overwrite_cache=bool(options.get("overwrite_cache")),
            raw_output_prefix=raw.output_location_prefix if raw is not None else "",
            auto_activate=bool(options.get("auto_activate")),
            max_concurrency=getattr(options.get("concurrency"), "max_concurrency", options.get("concurrency")),
            description=self.description,
        )
        self._spec = (app, spec)
        app.entities.add(spec)
        return spec

    def documented_spec(self, app: App) -> EntitySpec:
        """Return what is registered.

        Raises:
            UsageError: Its schedule cannot fire by itself, see `check_schedule`.
        """
        self.check_schedule()
        return super().documented_spec(app)

    def _literals(self, app: App, values: Mapping[str, Any], kind: str) -> dict[str, Literal]:
        converters = self.workflow.compiled(app).inputs
        literals = {}
        for name, value in values.items():
            try:
                literals[name] = converters[name].to_literal(value, app.conversion)
            except ValueConversionError as problem:
                raise TypeMismatchError(
                    f"{kind} input {name!r} of {self.title}: {problem.message}", location=self._location
                ) from None
        return literals

    def _check_kickoff(self, schedule: ScheduleSpec | None, interface: Interface) -> None:
        kickoff = schedule.kickoff_input if schedule is not None else ""
        if not kickoff:
            return
        if kickoff not in interface.inputs:
            raise UnknownNameError.among("kickoff_time_input_arg", kickoff, interface.inputs, location=self._location)
        wanted = interface.inputs[kickoff].type
        if wanted != DATETIME and not (isinstance(wanted, UnionOf) and DATETIME in wanted.variants):
            raise UsageError(f"kickoff_time_input_arg {kickoff!r} must be a datetime input", location=self._location)

    def check_schedule(self) -> None:
        """Refuse a schedule that cannot fire by itself; done before the launch plan is registered.

        Runs that a person starts may give the inputs that the schedule leaves open.

        Raises:
            UsageError: It has a schedule, and a required input has no value.
        """
        if self.schedule is None:
            return
        from ._app import current_app

        spec = self.spec(current_app())
        kickoff = spec.schedule.kickoff_input if spec.schedule is not None else ""
        unbound = [name for name, v in spec.interface.inputs.items() if v.required and name != kickoff]
        if unbound:
            raise UsageError(
                f"{self.title} has a schedule, and nobody gives its input {unbound[0]!r}",
                hint="Give every input a default or fixed value.",
                location=self._location,
            )


_made: weakref.WeakKeyDictionary[WorkflowBase | ReferenceEntity, dict[str, LaunchPlan]] = weakref.WeakKeyDictionary()
"""Launch plans by workflow and name: `LaunchPlan.get_or_create` promises one per name."""


def _checked_workflow(workflow: Any) -> WorkflowBase | ReferenceEntity:
    is_reference = isinstance(workflow, ReferenceEntity) and workflow.kind == "workflow"
    if not isinstance(workflow, WorkflowBase) and not is_reference:
        raise UsageError(
            f"a launch plan launches a workflow, found {type(workflow).__qualname__}",
            hint="Put the task into a workflow.",
            location=call_site(),
        )
    checked: WorkflowBase | ReferenceEntity = workflow
    return checked


def _same(left: Any, right: Any) -> bool:
    if hasattr(left, "spec") and hasattr(right, "spec"):
        return bool(left.spec() == right.spec())
    try:
        return bool(left == right)
    except (TypeError, ValueError):  # values, such as data frames, whose comparison is not a boolean
        return left is right
