"""Tasks that no worker could import, pickled: those of a script, a notebook, an interpreter or a function."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

import cloudpickle  # type: ignore[import-untyped]

from alula_kernel.errors import UsageError

from ._app import App, current_app
from ._entity import Entity
from ._locating import entity_at, loader_of

if TYPE_CHECKING:
    from alula_kernel.specs import EntityId

_HEADER = b"alula tasks of Python %d.%d\n"


def pickle_tasks(app: App, entities: Iterable[Entity], by_value: Iterable[ModuleType] = ()) -> bytes:
    """Pickle entities together with all that their functions refer to, so that they unpickle under their ids.

    Args:
        app: The application whose ids they have.
        entities: The entities.
        by_value: Modules whose contents are pickled too, because the worker does not have them.

    Raises:
        UsageError: Something cannot be pickled; the message says what.
    """
    target = io.BytesIO()
    target.write(_HEADER % sys.version_info[:2])
    with _pickled_by_value(by_value):
        for entity in entities:
            try:
                _Pickler(app, target, {module.__name__ for module in by_value}).dump(entity)
            except UsageError:
                raise
            except Exception as problem:
                raise UsageError(
                    f"{entity.title} cannot be sent to another process: {problem}",
                    hint="What it uses from around it must be picklable. Or put the task into a module, which is imported "
                    "there instead.",
                    location=entity.location,
                ) from problem
    return target.getvalue()


def unpickle_tasks(data: bytes) -> None:
    """Unpickle entities, each of which takes its id in this process's application.

    Raises:
        UsageError: They were pickled by another version of Python, whose byte code this one cannot run.
        Exception: What their own code raised.
    """
    stream = io.BytesIO(data)
    header = stream.readline()
    if header != _HEADER % sys.version_info[:2]:
        found = header.decode("ascii", "replace").rpartition(" ")[2].strip() or "an unknown version"
        here = "{}.{}".format(*sys.version_info[:2])
        raise UsageError(
            f"the tasks were pickled by Python {found}, and the worker runs Python {here}",
            hint="Use the same version of Python, or put the tasks into a module, which any version can import.",
        )
    while stream.tell() < len(data):
        cloudpickle.load(stream)


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    """Pickles entities as what they are made of, without what belongs to this process."""

    def __init__(self, app: App, target: io.BytesIO, by_value: set[str]) -> None:
        super().__init__(target)
        self._app = app
        self._by_value = by_value

    def reducer_override(self, value: Any) -> Any:
        if not isinstance(value, Entity):
            return super().reducer_override(value)
        entity_id = value.id(self._app)
        loader = loader_of(value)
        if loader and loader["module"] not in self._by_value:
            return _imported, (loader["module"], loader["attribute"], entity_id)
        return _new, (type(value), entity_id), (_state(self._app, value), value.spec(self._app)), None, None, _restore


def _state(app: App, entity: Entity) -> dict[str, Any]:
    """Return what an entity holds, without what it made for an application."""
    entity.python_interface  # noqa: B018 - made now, since the names that annotations mean are known only here
    return {
        name: None if isinstance(value, tuple) and value and value[0] is app else value
        for name, value in vars(entity).items()
    }


def _new(kind: type[Entity], entity_id: EntityId) -> Entity:
    entity = kind.__new__(kind)
    entity.adopt_id(current_app(), entity_id)
    return entity


def _restore(entity: Any, state: tuple[dict[str, Any], Any]) -> None:
    fields, spec = state
    app = current_app()
    identity = entity._id
    vars(entity).update(fields)
    entity._id = identity
    # Not made anew: a version that follows from the code needs the source, which is not here.
    entity._spec = (app, spec)
    app.entities.add(spec)


def _imported(module: str, attribute: str, entity_id: EntityId) -> Entity:
    entity = entity_at(module, attribute)
    entity.adopt_id(current_app(), entity_id)
    return entity


@contextlib.contextmanager
def _pickled_by_value(modules: Iterable[ModuleType]) -> Iterator[None]:
    undo: list[Callable[[], None]] = []
    try:
        for module in modules:
            if module.__name__ not in cloudpickle.list_registry_pickle_by_value():
                cloudpickle.register_pickle_by_value(module)
                undo.append(lambda module=module: cloudpickle.unregister_pickle_by_value(module))  # type: ignore[misc]
        yield
    finally:
        for step in undo:
            step()
