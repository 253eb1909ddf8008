"""The application object: plugins, types, storage, cache, entities and the engine, belonging together."""

from __future__ import annotations

import functools
import importlib
import threading
import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from alula_kernel.contracts import (
    ActionEvent,
    Cache,
    CodeReference,
    ConversionContext,
    EventListener,
    ExecutorContext,
    TableStore,
    TaskExecutor,
    TaskType,
)
from alula_kernel.errors import UnknownNameError, UsageError
from alula_kernel.specs import EntityId, EntitySpec, LaunchPlanSpec, TaskSpec, WorkflowSpec
from alula_kernel.uris import scheme_of

from ._settings import Settings

if TYPE_CHECKING:
    from alula_kernel.builtin.inline import Body
    from alula_kernel.engine import Engine, Store
    from alula_kernel.plugins import PluginManager
    from alula_kernel.registry import TypeRegistry
    from alula_kernel.secrets import SecretRequest
    from alula_kernel.storage import Storage

    from ._entity import Entity
    from ._interpreters import Interpreters
    from ._signals import Signals


class Entities:
    """The entities that an application has met, by id.

    Entities of one name are told apart by a version, so that those made in a loop, or defined anew in a notebook, never
    stand in for each other. Where a variable of a module holds one under another name than its own, as what a factory
    made, the version is ``~`` and that variable, which is the same in every process; else it is a number, as ``~2``.
    """

    def __init__(self) -> None:
        self._specs: dict[EntityId, EntitySpec] = {}
        self._objects: weakref.WeakValueDictionary[EntityId, Entity] = weakref.WeakValueDictionary()
        self.find = self._objects.get
        """Returns the entity of an id, or None."""
        self._references: dict[EntityId, Entity] = {}
        self._adopted: dict[EntityId, Entity] = {}
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
        from ._locating import other_variable

        variable = other_variable(entity)
        with self._lock:
            number = 1
            while True:
                version = f"{variable and '~'}{variable}" + ("" if number == 1 else f"~{number}")
                entity_id = EntityId(entity.kind, entity.name, version=version)
                other = self._objects.get(entity_id)
                if other is None or other is entity:
                    self._objects[entity_id] = entity
                    return entity_id
                number += 1

    def adopt(self, entity: Entity, entity_id: EntityId) -> None:
        """Take an entity of another process's, and keep it alive, under the id that it has there."""
        with self._lock:
            self._objects[entity_id] = self._adopted[entity_id] = entity

    def adopted(self, entity_id: EntityId) -> Entity | None:
        """Return what was adopted under an id; None if nothing was."""
        return self._adopted.get(entity_id)

    def behind(self, *ids: EntityId) -> list[EntitySpec]:
        """Return the specs of entities and of everything that they run."""
        from alula_kernel.specs import entity_ids

        found: dict[EntityId, EntitySpec] = {}
        waiting = list(ids)
        while waiting:
            entity_id = waiting.pop()
            if entity_id in found:
                continue
            spec = found[entity_id] = self.spec(entity_id)
            if isinstance(spec, WorkflowSpec):
                waiting.extend(entity_ids(spec))
            elif isinstance(spec, LaunchPlanSpec):
                waiting.append(spec.workflow)
        return list(found.values())

    def learn(self, spec: EntitySpec) -> None:
        """Make a spec known that another process made, unless it is known already.

        Raises:
            UsageError: Another entity has its id.
        """
        known = self._specs.setdefault(spec.id, spec)
        if isinstance(known, TaskSpec) and isinstance(spec, TaskSpec) and known.loader != spec.loader:
            places = [f"{task.loader.get('module')}:{task.loader.get('attribute')}" for task in (known, spec)]
            raise UsageError(
                f"two tasks are called {spec.id.name}: {places[0]} and {places[1]}", hint="Give each a name of its own."
            )

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
        self.uses_secrets = False
        self.answers = dict(answers or {})
        self.entities = Entities()
        self.loaded_code: set[CodeReference] = set()
        self.bundles: dict[object, CodeReference] = {}
        self._listeners = list(listeners)

    @functools.cached_property
    def plugins(self) -> PluginManager:
        """The plugin manager with the built-ins and every installed plugin."""
        from alula_kernel.plugins import load_plugins

        from . import _builtin

        return load_plugins(builtins=[_builtin.BuiltinPlugin(self)], cache_file=self.settings.path("plugins.json"))

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
    def interpreter(self) -> Interpreters:
        """Finds the Python in which the packages of a task's image are installed."""
        from ._interpreters import Interpreters

        return Interpreters(lambda: [builder for builder, _ in self.plugins.image_builders()], self.settings.home)

    @functools.cached_property
    def task_types(self) -> dict[str, TaskType]:
        """Task types by the dotted name of the config class that chooses them."""
        return {kind.config: kind for kind, _source in self.plugins.task_types() if kind.config}

    @functools.cached_property
    def has_other_executors(self) -> bool:
        """Whether there are task types that run outside of this process although a run says nothing of it."""
        return any(executor.task_types and executor.name != "inline" for executor, _source in self.plugins.executors())

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

    @functools.cached_property
    def signals(self) -> Signals:
        """Where runs ask questions and other processes answer them."""
        from ._signals import Signals

        return Signals(self.settings.path("signals"))

    def body(self, spec: TaskSpec) -> Body:
        """Return the code of a task."""
        task = self.entities.find(spec.id)
        if task is None:  # made by another process, as for a run that is resumed
            from ._worker_code import task_in

            task = task_in(self, spec)
        return task.body(self)  # type: ignore[attr-defined, no-any-return]

    def listen(self, listener: EventListener) -> None:
        """Tell a function of every change of an action in runs that start from now on."""
        self._listeners.append(listener)
        self.__dict__.pop("engine", None)

    @functools.cached_property
    def engine(self) -> Engine:
        """The engine of runs that are not kept."""
        from alula_kernel.engine import MemoryStore

        return self.engine_over(MemoryStore())

    def engine_over(self, store: Store) -> Engine:
        """Make an engine that keeps its runs in a store."""
        from alula_kernel.engine import Engine

        from ._gates import LocalGateKeeper

        if self.settings.cache not in {"sqlite", "memory"}:
            self.cache  # noqa: B018 - a cache that does not exist is a mistake to be told now, and not at the first miss
        python_types = frozenset(kind.name for kind, _source in self.plugins.task_types() if not kind.executor)
        listeners = list(self._listeners)
        if self.plugins.listens():
            listeners.append(self._announce)
        return Engine(
            executors=self.executors,
            entities=self.entities.spec,
            learn=self.entities.learn,
            store=store,
            open_cache=lambda: self.cache,
            gate_keeper=LocalGateKeeper(self),
            python_types=python_types,
            listeners=tuple(listeners),
            blob_exists=self._blob_exists,
        )

    @functools.cached_property
    def executors(self) -> dict[str, TaskExecutor]:
        """The executors by name, opened."""
        context = ExecutorContext(
            storage=LazyStorage(self),  # type: ignore[arg-type]
            home=self.settings.folder,
            worker_environment=self.settings.environment(),
            interpreter=self._interpreter_of,
            secret=self._secret,
        )
        opened = {}
        for executor, source in self.plugins.executors():
            self.plugins.guard(source, executor.open, context)
            opened[executor.name] = executor
        return opened

    def _interpreter_of(self, task: TaskSpec) -> str:
        return self.interpreter(task)  # what finds it is made for the first task that asks

    def _secret(self, request: SecretRequest) -> bytes:
        from ._secrets import find_secret

        return find_secret(self, request)

    def _blob_exists(self, uri: str) -> bool:
        scheme = scheme_of(uri)
        stores = (found for found in self.registry.transformers if isinstance(found, TableStore))
        store = next((found for found in stores if found.scheme == scheme), None)
        # The storage is opened when the first cached blob is looked up, not with the engine.
        return self.storage.exists(uri) if store is None else store.exists(uri)

    def _announce(self, event: ActionEvent) -> None:
        self.plugins.action_changed(event)

    def close(self) -> None:
        """Close the cache and the executors. The application can be used again."""
        cache = self.__dict__.pop("cache", None)
        if cache is not None:
            cache.close()
        self.__dict__.pop("engine", None)
        for executor in self.__dict__.pop("executors", {}).values():
            executor.close()
        if self.uses_secrets:
            from ._secret_files import remove_secret_files

            remove_secret_files()


class LazyStorage:
    """The application's storage, opened at the first use: most programs convert no blobs."""

    def __init__(self, app: App) -> None:
        self._app = app

    def __getattr__(self, name: str) -> Any:
        return getattr(self._app.storage, name)


_current: App | None = None
_current_variables: tuple[str | None, ...] = ()
_current_lock = threading.Lock()


def current_app() -> App:
    """Return the application of this process, made at the first call.

    It is made anew when the settings in the environment have changed, as tests do.
    """
    global _current, _current_variables
    variables = Settings.variables()
    # In this order: whoever makes another application sets it before its variables.
    if variables == _current_variables and (app := _current) is not None:
        return app
    with _current_lock:
        settings = Settings.from_environment()
        if _current is None or _current.settings != settings:
            if _current is not None:
                _current.close()
            _current = App(settings)
        _current_variables = variables
        return _current
