"""The application object: plugins, types, storage, cache, entities and the engine, belonging together."""

from __future__ import annotations

import functools
import importlib
import threading
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from alula_kernel.contracts import ActionEvent, Cache, ConversionContext, EventListener, TaskType
from alula_kernel.errors import UnknownNameError
from alula_kernel.specs import EntityId, EntitySpec

from ._settings import Settings

if TYPE_CHECKING:
    from alula_kernel.builtin.inline import Body
    from alula_kernel.engine import Engine
    from alula_kernel.plugins import PluginManager
    from alula_kernel.registry import TypeRegistry
    from alula_kernel.specs import TaskSpec
    from alula_kernel.storage import Storage

    from ._entity import Entity


class Entities:
    """The entities that an application has met, by id.

    Two living entities of one name are told apart by a version such as ``~2``, so that tasks made in a loop, or defined
    anew in a notebook, never stand in for each other.
    """

    def __init__(self) -> None:
        self._specs: dict[EntityId, EntitySpec] = {}
        self._objects: weakref.WeakValueDictionary[EntityId, Entity] = weakref.WeakValueDictionary()
        self._references: dict[EntityId, Entity] = {}
        self._kept: dict[int, tuple[weakref.ref[EntitySpec], list[Entity]]] = {}
        self._lock = threading.Lock()

    def keep(self, spec: EntitySpec, entities: list[Entity]) -> None:
        """Keep entities alive for as long as a spec that runs them is."""
        key = id(spec)
        self._kept[key] = (weakref.ref(spec, lambda _gone: self._kept.pop(key, None) and None), entities)

    def refer(self, entity: Entity, entity_id: EntityId) -> None:
        """Note that an id stands for something that is registered elsewhere."""
        self._references[entity_id] = entity

    def identify(self, entity: Entity) -> EntityId:
        """Give an entity its id."""
        with self._lock:
            number = 1
            while True:
                version = "" if number == 1 else f"~{number}"
                entity_id = EntityId(entity.kind, entity.name, version=version)
                other = self._objects.get(entity_id)
                if other is None or other is entity:
                    self._objects[entity_id] = entity
                    return entity_id
                number += 1

    def add(self, spec: EntitySpec) -> None:
        """Make a spec known under its id."""
        self._specs[spec.id] = spec

    def spec(self, entity_id: EntityId) -> EntitySpec:
        """Return the spec of an id.

        Raises:
            UnknownNameError: It is not known here.
        """
        spec = self._specs.get(entity_id)
        if spec is None:
            if entity_id in self._references:
                return self._references[entity_id].spec(current_app())
            raise UnknownNameError.among(entity_id.kind, entity_id.name, [i.name for i in self._specs])
        return spec

    def object(self, entity_id: EntityId) -> Entity:
        """Return the entity of an id.

        Raises:
            UnknownNameError: It is not known here, or is gone.
        """
        found = self._objects.get(entity_id)
        if found is None:
            raise UnknownNameError.among(entity_id.kind, entity_id.name, [i.name for i in self._objects])
        return found


class App:
    """Everything that a run needs, made when it is first used.

    Args:
        settings: Where things are kept; read from the environment if not given.
        answers: Answers to gates by signal name, for runs without a person.
        listeners: Told of every change of an action.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        answers: Mapping[str, Any] | None = None,
        listeners: tuple[EventListener, ...] = (),
    ) -> None:
        self.settings = settings or Settings.from_environment()
        self.answers = dict(answers or {})
        self.entities = Entities()
        self._listeners = list(listeners)

    @functools.cached_property
    def plugins(self) -> PluginManager:
        """The plugin manager with the built-ins and every installed plugin."""
        from alula_kernel.plugins import load_plugins

        from . import _builtin

        return load_plugins(
            builtins=[_builtin.BuiltinPlugin(self)], cache_file=str(self.settings.home / "plugins.json")
        )

    @functools.cached_property
    def registry(self) -> TypeRegistry:
        """Converters of Python types."""
        from alula_kernel.registry import TypeRegistry

        registry = TypeRegistry([])
        for transformer, source in self.plugins.type_transformers():
            self.plugins.guard(source, registry.register, transformer, source)
        return registry

    @functools.cached_property
    def storage(self) -> Storage:
        """Where data is read and written."""
        from alula_kernel.storage import Storage

        backends = [backend for backend, _source in self.plugins.blob_backends()]
        return Storage(backends, self.settings.data_root)

    @functools.cached_property
    def conversion(self) -> ConversionContext:
        """What converters may use at top level."""
        return ConversionContext(LazyStorage(self))  # type: ignore[arg-type]

    @functools.cached_property
    def cache(self) -> Cache:
        """The cache that the settings choose.

        Raises:
            UnknownNameError: No cache of that name is registered.
        """
        caches = {cache.name: cache for cache, _source in self.plugins.caches()}
        if self.settings.cache not in caches:
            raise UnknownNameError.among("cache", self.settings.cache, caches)
        return caches[self.settings.cache]

    @functools.cached_property
    def task_types(self) -> dict[str, TaskType]:
        """Task types by the dotted name of the config class that chooses them."""
        return {kind.config: kind for kind, _source in self.plugins.task_types() if kind.config}

    def task_class_for(self, config: Any) -> Any:
        """Return the authoring class that a ``task_config`` chooses.

        Raises:
            UnknownNameError: No plugin knows objects of its class.
        """
        name = f"{type(config).__module__}.{type(config).__qualname__}"
        bases = [f"{base.__module__}.{base.__qualname__}" for base in type(config).__mro__]
        kind = next((self.task_types[base] for base in bases if base in self.task_types), None)
        if kind is None:
            raise UnknownNameError.among("task_config class", name, self.task_types)
        module, _, attribute = kind.task_class.rpartition(".")
        return getattr(importlib.import_module(module), attribute)

    def body(self, spec: TaskSpec) -> Body:
        """Return the code of a task."""
        return self.entities.object(spec.id).body(self)  # type: ignore[attr-defined, no-any-return]

    def listen(self, listener: EventListener) -> None:
        """Tell a function of every change of an action in runs that start from now on."""
        self._listeners.append(listener)
        self.__dict__.pop("engine", None)

    @functools.cached_property
    def engine(self) -> Engine:
        """The engine."""
        from alula_kernel.engine import Engine, MemoryStore

        from ._gates import LocalGateKeeper

        if self.settings.cache not in {"sqlite", "memory"}:
            self.cache  # noqa: B018 - a cache that does not exist is a mistake to be told now, and not at the first miss
        python_types = frozenset(kind.name for kind, _source in self.plugins.task_types() if not kind.executor)
        listeners = list(self._listeners)
        if self.plugins.listens():
            listeners.append(self._announce)
        return Engine(
            executors={executor.name: executor for executor, _source in self.plugins.executors()},
            entities=self.entities.spec,
            store=MemoryStore(),
            open_cache=lambda: self.cache,
            gate_keeper=LocalGateKeeper(self),
            python_types=python_types,
            listeners=tuple(listeners),
            blob_exists=self._blob_exists,
        )

    def _blob_exists(self, uri: str) -> bool:
        return self.storage.exists(uri)  # opened when the first cached blob is looked up, not with the engine

    def _announce(self, event: ActionEvent) -> None:
        self.plugins.action_changed(event)

    def close(self) -> None:
        """Close the cache and the executors. The application can be used again."""
        for name in ("cache",):
            opened = self.__dict__.pop(name, None)
            if opened is not None:
                opened.close()
        self.__dict__.pop("engine", None)


class LazyStorage:
    """The application's storage, opened at the first use: most programs convert no blobs."""

    def __init__(self, app: App) -> None:
        self._app = app

    def __getattr__(self, name: str) -> Any:
        return getattr(self._app.storage, name)


_current: App | None = None
_current_lock = threading.Lock()


def current_app() -> App:
    """Return the application of this process, made at the first call.

    It is made anew when the settings in the environment have changed, as tests do.
    """
    global _current
    app = _current
    if app is not None and app.settings == Settings.from_environment():
        return app
    with _current_lock:
        settings = Settings.from_environment()
        if _current is None or _current.settings != settings:
            if _current is not None:
                _current.close()
            _current = App(settings)
        return _current
