"""Reference entities: typed pointers to what is registered elsewhere."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from alula_kernel.errors import UsageError
from alula_kernel.specs import EntityId, EntityTarget, Target

from ._entity import Entity
from ._interface import PythonInterface, function_interface, source_location
from ._state import call_site
from ._task import Task

if TYPE_CHECKING:
    from alula_kernel.specs import EntitySpec

    from ._app import App


class ReferenceEntity(Entity):
    """A pointer to a registered entity, with the interface that it is expected to have.

    Args:
        kind: ``task``, ``workflow`` or ``launch_plan``.
        project: Its project.
        domain: Its domain.
        name: Its name.
        version: Its version.
        interface: Its inputs and outputs.
        location: ``file:line`` of the pointer.
    """

    def __init__(
        self,
        kind: str,
        project: str,
        domain: str,
        name: str,
        version: str,
        interface: PythonInterface,
        location: str = "",
    ) -> None:
        super().__init__(name)
        self.kind = kind
        self.reference = EntityId(kind, name, project, domain, version)
        self._interface = interface
        self._location = location
        self._stand_in: StandIn | None = None

    @property
    def title(self) -> str:
        return f"reference {self.kind.replace('_', ' ')} {self.reference}"

    description = ""

    @property
    def python_interface(self) -> PythonInterface:
        return self._interface

    @property
    def location(self) -> str:
        return self._location

    def id(self, app: App) -> EntityId:
        return self.reference

    def target(self, app: App) -> Target:
        app.entities.refer(self, self.reference)
        return EntityTarget(self.reference)

    def spec(self, app: App) -> EntitySpec:
        return self._answering().spec(app)

    @contextlib.contextmanager
    def replaced_by(self, function: Callable[..., Any]) -> Iterator[None]:
        """Let a function answer, in this process and while the block runs, for tests: a mock, for example.

        Args:
            function: It is called with the inputs by name, and returns the outputs.
        """
        before = self._stand_in
        self._answer_by(StandIn(self.name, self._interface, function))
        try:
            yield
        finally:
            self._answer_by(before)

    def _answer_by(self, stand_in: StandIn | None) -> None:
        from ._app import current_app

        self._stand_in = stand_in
        current_app().engine.forget_plans()  # of workflows that call it

    def _answering(self) -> StandIn:
        if self._stand_in is None:
            raise UsageError(
                f"{self.title} points to a server, and cannot run here",
                hint="Call the entity itself, or replace the reference in your test, by `with reference.replaced_by(function):`.",
                location=self._location or call_site(),
            )
        return self._stand_in

    def _call_at_top_level(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return self._answering()._call_at_top_level(args, kwargs)


class StandIn(Task):
    """The task that answers for a reference, or for a workflow, in a test."""

    def __init__(self, name: str, interface: PythonInterface, function: Callable[..., Any]) -> None:
        super().__init__(name, interface)
        self._function = function

    def execute(self, **inputs: Any) -> Any:
        return self._function(**inputs)


def _reference(kind: str, project: str, domain: str, name: str, version: str) -> Callable[..., ReferenceEntity]:
    def decorate(function: Callable[..., Any]) -> ReferenceEntity:
        interface = function_interface(function, f"reference {name}")
        return ReferenceEntity(kind, project, domain, name, version, interface, source_location(function))

    return decorate


def reference_task(project: str, domain: str, name: str, version: str) -> Callable[..., ReferenceEntity]:
    """Point to a registered task with an empty function of the same interface."""
    return _reference("task", project, domain, name, version)


def reference_workflow(project: str, domain: str, name: str, version: str) -> Callable[..., ReferenceEntity]:
    """Point to a registered workflow with an empty function of the same interface."""
    return _reference("workflow", project, domain, name, version)


def reference_launch_plan(project: str, domain: str, name: str, version: str) -> Callable[..., ReferenceEntity]:
    """Point to a registered launch plan with an empty function of the same interface."""
    return _reference("launch_plan", project, domain, name, version)
