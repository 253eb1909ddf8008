"""Reference entities: typed pointers to what is registered elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from alula_kernel.errors import UsageError
from alula_kernel.specs import EntityId, EntityTarget, Target

from ._entity import Entity
from ._interface import PythonInterface, function_interface, source_location
from ._state import call_site

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

    @property
    def title(self) -> str:
        return f"reference {self.kind.replace('_', ' ')} {self.reference}"

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
        raise self._unavailable()

    def _unavailable(self) -> UsageError:
        return UsageError(
            f"{self.title} points to a server, and cannot run here",
            hint="Call the entity itself, or replace the reference in your test.",
            location=call_site(),
        )

    def _call_at_top_level(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        raise self._unavailable()


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
