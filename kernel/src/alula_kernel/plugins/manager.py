"""The plugin manager of an application object."""

from __future__ import annotations

import importlib
import itertools
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ..contracts import ActionEvent, BlobBackend, Cache, Command, EventListener, TaskExecutor, TaskType, TypeTransformer
from ..errors import UnknownNameError, UsageError
from .discovery import FoundPlugin, PluginProblem, discover, modified_ns, remember_hooks
from .kinds import KINDS, Kind, clash, fault, shown

if TYPE_CHECKING:
    import pluggy

    from ..images import ImageBuilder
    from ..secrets import SecretProvider

DISABLED_VARIABLE = "ALULA_PLUGINS_DISABLED"
"""Environment variable with the names of plugins that are not loaded, separated by commas, or ``all``."""

_logger = logging.getLogger("alula.plugins")


class PluginInfo(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is known about one plugin.

    Attributes:
        name: Name of its entry point, or of the built-in provider.
        distribution: The distribution that brings it.
        version: Version of the distribution.
        module: Module, and object after a colon, that the entry point names.
        registers: Names of what it registers, by kind: ``type_transformers``, ``task_types``, ``executors``,
            ``blob_backends``, ``caches``, ``secret_providers``, ``image_builders``, ``commands``; kinds without any are left
            out.
        listens: Whether it wants to be told of changes of actions.
        import_milliseconds: How long importing its module took; 0.0 if it was imported before or not at all.
        error: What is wrong with it or with something that it registers; empty if nothing is.
        hint: What to do about the error.
        disabled: Whether it was switched off.
        builtin: Whether it is a part of Alula.
    """

    name: str
    distribution: str = ""
    version: str = ""
    module: str = ""
    registers: dict[str, list[str]] = {}
    listens: bool = False
    import_milliseconds: float = 0.0
    error: str = ""
    hint: str = ""
    disabled: bool = False
    builtin: bool = False


_EVENT_HOOK = "alula_action_changed"


class _Plugin:
    """One plugin on its way from a name to a registered object.

    Attributes:
        found: Where it is; for a built-in provider that was given as an object, the module says what it is.
        provider: The module or object, once it is imported.
        builtin: Whether the application handed it over.
        state: ``waiting``, ``loaded`` or ``refused``.
        import_milliseconds: How long the import took.
    """

    __slots__ = ("builtin", "found", "import_milliseconds", "provider", "state")

    def __init__(self, found: FoundPlugin, provider: Any = None, *, builtin: bool = False) -> None:
        self.found = found
        self.provider = provider
        self.builtin = builtin
        self.state = "waiting"
        self.import_milliseconds = 0.0

    @property
    def source(self) -> str:
        """What the plugin is called in messages."""
        if self.builtin:
            return f"{self.found.name} (built in)"
        return f"{self.found.name} ({self.found.distribution} {self.found.version})"

    @property
    def target(self) -> str:
        """The module, and the object in it."""
        return f"{self.found.module}:{self.found.attribute}" if self.found.attribute else self.found.module


class PluginManager:
    """Knows the plugins of one application object and asks them what they register.

    Built by `load_plugins`. Plugins are imported when a hook that they may implement is first needed. A plugin that is
    broken, or an object that clashes with another, is left out, kept in `problems` and reported once as a warning on the
    logger ``alula.plugins``; the others go on. May be used from any thread.

    Args:
        plugins: The plugins in order: built-in providers first.
        problems: What discovery complained about.
        disabled: Plugins that are installed and switched off.
        learn: Called with plugins whose hooks became known by importing them.
    """

    def __init__(
        self,
        plugins: Sequence[_Plugin],
        *,
        problems: Iterable[PluginProblem] = (),
        disabled: Iterable[FoundPlugin] = (),
        learn: Callable[[Sequence[FoundPlugin]], None] | None = None,
    ) -> None:
        self._plugins = plugins
        self._disabled = tuple(disabled)
        self._learn = learn
        self._lock = threading.RLock()
        self._pluggy: pluggy.PluginManager | None = None
        self._objects: dict[str, tuple[list[tuple[Any, str]], dict[str, list[str]]]] = {}
        self._listeners: Sequence[EventListener] | None = None
        self._problems: list[PluginProblem] = []
        for problem in problems:
            self._report(problem)

    # --- what plugins register ---------------------------------------------------------------------------------------

    def type_transformers(self) -> Sequence[tuple[TypeTransformer, str]]:
        """Return the type transformers with their sources, built-in ones first; no two share a name or a class."""
        return self._registered("type_transformers")

    def task_types(self) -> Sequence[tuple[TaskType, str]]:
        """Return the task types with their sources, built-in ones first; no two share a name or a config class."""
        return self._registered("task_types")

    def executors(self) -> Sequence[tuple[TaskExecutor, str]]:
        """Return the executors with their sources, built-in ones first; no two share a name."""
        return self._registered("executors")

    def blob_backends(self) -> Sequence[tuple[BlobBackend, str]]:
        """Return the blob backends with their sources, built-in ones first; no two share a name or a scheme."""
        return self._registered("blob_backends")

    def caches(self) -> Sequence[tuple[Cache, str]]:
        """Return the caches with their sources, built-in ones first; no two share a name."""
        return self._registered("caches")

    def secret_providers(self) -> Sequence[tuple[SecretProvider, str]]:
        """Return the secret providers with their sources, in the order in which they are asked; no two share a name."""
        return self._registered("secret_providers")

    def image_builders(self) -> Sequence[tuple[ImageBuilder, str]]:
        """Return the image builders with their sources, built-in ones first; no two share a name."""
        return self._registered("image_builders")

    def commands(self) -> Sequence[tuple[Command, str]]:
        """Return the commands that plugins add to the command line, with their sources; no two share a name."""
        return self._registered("commands")

    def guard(self, source: str, function: Callable[..., object], *arguments: object) -> bool:
        """Call a function on behalf of a plugin; what it raises becomes a problem of the plugin.

        Args:
            source: Source of an object, as the methods above return it.
            function: What to call, as the method of a registry that takes the object.
            arguments: Its arguments.

        Returns:
            Whether it raised nothing.
        """
        try:
            function(*arguments)
        except Exception as error:  # noqa: BLE001 - work of a plugin; reported with the plugin's name
            message, hint = (error.message, error.hint) if isinstance(error, UsageError) else (shown(error), "")
            plugin = next((plugin for plugin in self._plugins if plugin.source == source), None)
            if plugin is None:
                self._report(PluginProblem(name=source, message=message, hint=hint))
            else:
                self._report(self._problem(plugin, message, hint))
            return False
        return True

    # --- what plugins listen to --------------------------------------------------------------------------------------

    def listens(self) -> bool:
        """Tell whether any plugin wants to be told of changes of actions."""
        return bool(self._event_listeners())

    def action_changed(self, event: ActionEvent) -> None:
        """Tell every plugin that listens of a change; exceptions of a plugin are logged with its name.

        Args:
            event: What changed.
        """
        for listen in self._event_listeners():
            listen(event)

    def _event_listeners(self) -> Sequence[EventListener]:
        if self._listeners is None:
            with self._lock:
                self._listeners = [
                    _listener(plugin.source, call) for plugin, call in self._implementations(_EVENT_HOOK)
                ]
        return self._listeners

    # --- what is known about plugins ---------------------------------------------------------------------------------

    @property
    def problems(self) -> Sequence[PluginProblem]:
        """What went wrong so far. Plugins that were not needed yet have not been tried; `describe` tries them all."""
        return tuple(self._problems)

    def names(self) -> Sequence[str]:
        """Return the names of all plugins, built-in ones first, those switched off last, without importing any."""
        return [plugin.found.name for plugin in self._plugins] + [found.name for found in self._disabled]

    def describe(self) -> Sequence[PluginInfo]:
        """Import every plugin, call every hook, and tell what came of it.

        Returns:
            One entry for each plugin: built-in ones first, those switched off last. Entry points that were found and
            cannot be used at all have an entry too.
        """
        with self._lock:
            for kind in KINDS:
                self._registered(kind)
            listening = {plugin.found.name for plugin, _ in self._implementations(_EVENT_HOOK)}
            infos = [self._info(plugin, plugin.found.name in listening) for plugin in self._plugins]
        known = {(info.name, info.distribution) for info in infos}
        infos += [
            PluginInfo(name=p.name, distribution=p.distribution, version=p.version, error=p.message, hint=p.hint)
            for p in self._problems
            if (p.name, p.distribution) not in known
        ]
        infos += [
            PluginInfo(
                name=off.name, distribution=off.distribution, version=off.version, module=off.module, disabled=True
            )
            for off in self._disabled
        ]
        return infos

    def _info(self, plugin: _Plugin, listens: bool) -> PluginInfo:
        found = plugin.found
        problems = [p for p in self._problems if (p.name, p.distribution) == (found.name, found.distribution)]
        registers = {kind: names[found.name] for kind, (_, names) in self._objects.items() if names.get(found.name)}
        return PluginInfo(
            name=found.name,
            distribution=found.distribution,
            version=found.version,
            module=plugin.target,
            registers=registers,
            listens=listens,
            import_milliseconds=plugin.import_milliseconds,
            error="; ".join(problem.message for problem in problems),
            hint=" ".join(problem.hint for problem in problems if problem.hint),
            builtin=plugin.builtin,
        )

    # --- loading -----------------------------------------------------------------------------------------------------

    def _registered(self, kind_name: str) -> list[tuple[Any, str]]:
        with self._lock:
            if kind_name not in self._objects:
                self._objects[kind_name] = self._collect(KINDS[kind_name])
            return list(self._objects[kind_name][0])

    def _collect(self, kind: Kind) -> tuple[list[tuple[Any, str]], dict[str, list[str]]]:
        """Call a registering hook of every plugin and keep the objects that are sound and clash with no other."""
        objects: list[tuple[Any, str]] = []
        names: dict[str, list[str]] = {}
        claimed: dict[tuple[str, str], str] = {}
        for plugin, call in self._implementations(kind.hook):
            for registered in self._call(plugin, kind, call):
                if problem := clash(kind, registered, claimed):
                    self._report(self._problem(plugin, *problem))
                    continue
                claimed.update(dict.fromkeys(kind.claims(registered), plugin.source))
                objects.append((registered, plugin.source))
                names.setdefault(plugin.found.name, []).append(registered.name)
        return objects, names

    def _call(self, plugin: _Plugin, kind: Kind, call: Callable[[], Any]) -> Iterator[Any]:
        """Call one plugin's hook and yield the objects that fulfil the contract."""
        try:
            answer = call()
            returned = [] if answer is None else list(answer)
        except Exception as error:  # noqa: BLE001 - plugin code; reported with the plugin's name
            self._report(self._problem(plugin, f"{kind.hook} raised {shown(error)}", "Tell its author."))
            return
        for registered in returned:
            if wrong := fault(kind, registered):
                self._report(self._problem(plugin, f"{kind.hook} returned {wrong}", "Tell its author."))
            else:
                yield registered

    def _implementations(self, hook: str) -> Iterator[tuple[_Plugin, Callable[..., Any]]]:
        """Yield the plugins that implement a hook, in order, each with a function that calls it."""
        pm = self._manager()
        self._load(pm, hook)
        implementations = getattr(pm.hook, hook).get_hookimpls()
        for plugin in self._plugins:  # pluggy's order would depend on which hook was needed first
            for implementation in implementations:
                if implementation.plugin_name == plugin.found.name:
                    yield plugin, _bound(implementation)

    def _manager(self) -> pluggy.PluginManager:
        if self._pluggy is None:
            import pluggy

            from .. import hookspecs

            self._pluggy = pluggy.PluginManager(hookspecs.PROJECT)
            self._pluggy.add_hookspecs(hookspecs)
        return self._pluggy

    def _load(self, pm: pluggy.PluginManager, hook: str) -> None:
        """Import and register every plugin that may implement a hook and has not been tried."""
        learned = []
        for plugin in self._plugins:
            if plugin.state != "waiting" or not plugin.found.may_implement(hook):
                continue
            problem = self._import(plugin) or self._register(pm, plugin)
            plugin.state = "refused" if problem else "loaded"
            if problem:
                self._report(problem)
                continue
            _logger.debug("loaded %s from %s", plugin.source, plugin.target)
            known = _with_hooks(pm, plugin)
            if not plugin.builtin and known.sources and known != plugin.found:
                plugin.found = known
                learned.append(known)
        if learned and self._learn is not None:
            self._learn(learned)

    def _import(self, plugin: _Plugin) -> PluginProblem | None:
        if plugin.provider is not None:
            return None
        started = time.perf_counter()
        was_imported = plugin.found.module in sys.modules
        try:
            provider: Any = importlib.import_module(plugin.found.module)
            for name in filter(None, plugin.found.attribute.split(".")):
                provider = getattr(provider, name)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - plugin code; reported with the plugin's name
            return self._problem(
                plugin, f"importing {plugin.target} raised {shown(error)}", _import_hint(plugin, error)
            )
        if not was_imported:
            plugin.import_milliseconds = (time.perf_counter() - started) * 1_000
        plugin.provider = provider
        return None

    def _register(self, pm: pluggy.PluginManager, plugin: _Plugin) -> PluginProblem | None:
        try:
            pm.register(plugin.provider, name=plugin.found.name)
        except Exception as error:  # noqa: BLE001 - pluggy looks at every attribute of the plugin
            return self._problem(plugin, f"it cannot be registered: {shown(error)}", "Tell its author.")
        problem = self._unknown_hook(pm, plugin)
        if problem:
            pm.unregister(name=plugin.found.name)
        return problem

    def _unknown_hook(self, pm: pluggy.PluginManager, plugin: _Plugin) -> PluginProblem | None:
        """Refuse what ``pluggy.PluginManager.check_pending`` refuses, and wrappers; name the nearest hooks."""
        for caller in pm.get_hookcallers(plugin.provider) or ():
            for implementation in caller.get_hookimpls():
                if implementation.plugin is not plugin.provider:
                    continue
                if not caller.has_spec() and not implementation.optionalhook:
                    known = [name for name in vars(pm.hook) if getattr(pm.hook, name).has_spec()]
                    error = UnknownNameError.among("hook", caller.name, known)
                    hint = f"{error.hint} Hooks of another version of Alula are marked @hookimpl(optionalhook=True)."
                    return self._problem(plugin, f"it implements the {error.message}", hint)
                if implementation.wrapper or implementation.hookwrapper:
                    hint = "Hooks register objects or listen; see alula_kernel.hookspecs."
                    return self._problem(plugin, f"its {caller.name} is a hook wrapper, which is not supported", hint)
        return None

    def _problem(self, plugin: _Plugin, message: str, hint: str = "") -> PluginProblem:
        found = plugin.found
        return PluginProblem(
            name=found.name, distribution=found.distribution, version=found.version, message=message, hint=hint
        )

    def _report(self, problem: PluginProblem) -> None:
        self._problems.append(problem)
        _logger.warning("%s", problem)


def _bound(implementation: pluggy.HookImpl) -> Callable[..., Any]:
    """Return a function that calls a hook implementation with the arguments it declares, as pluggy does."""
    function, names = implementation.function, implementation.argnames

    def call(**arguments: Any) -> Any:
        return function(*[arguments[name] for name in names])

    return call


def _listener(source: str, call: Callable[..., Any]) -> EventListener:
    def listen(event: ActionEvent) -> None:
        try:
            call(event=event)
        except Exception as error:  # noqa: BLE001 - plugin code; an announcement has no say in the run
            _logger.warning("plugin %s: %s raised %s", source, _EVENT_HOOK, shown(error))

    return listen


def _with_hooks(pm: pluggy.PluginManager, plugin: _Plugin) -> FoundPlugin:
    """Return what is now known about a plugin: its hooks, and the files on which that depends."""
    hooks = []
    files = {getattr(sys.modules.get(plugin.found.module), "__file__", None)}
    for caller in pm.get_hookcallers(plugin.provider) or ():
        hooks.append(caller.name)
        for implementation in caller.get_hookimpls():
            if implementation.plugin is plugin.provider:
                code = getattr(implementation.function, "__code__", None)
                files.add(getattr(code, "co_filename", None))
    sources = {file: modified for file in sorted(filter(None, files)) if (modified := modified_ns(file)) is not None}
    return msgspec.structs.replace(plugin.found, hooks=tuple(sorted(hooks)), sources=sources)


def _import_hint(plugin: _Plugin, error: BaseException) -> str:
    missing = getattr(error, "name", None) if isinstance(error, ModuleNotFoundError) else None
    name = plugin.found.name
    if missing and missing.partition(".")[0] != plugin.found.module.partition(".")[0]:
        return f"Install what brings the module {missing!r}, or switch the plugin off with {DISABLED_VARIABLE}={name}."
    return f"Reinstall or update it, or switch it off with {DISABLED_VARIABLE}={name}."


def load_plugins(
    builtins: Iterable[object] = (),
    *,
    cache_file: str | os.PathLike[str] | None = None,
    path: Sequence[str] | None = None,
    disabled: str | None = None,
) -> PluginManager:
    """Build the plugin manager of an application object. No plugin is imported yet.

    Args:
        builtins: Providers that belong to the application: modules or objects with hook implementations, or import
            paths as ``"package.module"``. They are asked before any plugin, in this order, and are called by the name of
            their top-level package, numbered where that is taken.
        cache_file: File that keeps the answer of discovery, as ``<home>/plugins.json``; None for none.
        path: Entries to search as in ``sys.path``, which is the default.
        disabled: Names of plugins to leave out, separated by commas, or ``all``; by default the value of the
            environment variable ``ALULA_PLUGINS_DISABLED``. Built-in providers stay.

    Returns:
        The manager.
    """
    search = list(sys.path if path is None else path)
    switched_off = {name.strip() for name in _disabled_setting(disabled).split(",")} - {""}
    found = discover(search, cache_file)
    plugins: list[_Plugin] = []
    for provider in builtins:
        plugins.append(_builtin(provider, {plugin.found.name for plugin in plugins}))
    taken = {plugin.found.name: plugin for plugin in plugins}
    problems = list(found.problems)
    off = []
    for plugin in found.plugins:
        if "all" in switched_off or plugin.name in switched_off:
            off.append(plugin)
        elif plugin.name in taken:
            problems.append(_taken_by_builtin(plugin))
        else:
            plugins.append(_Plugin(plugin))
    if off:
        _logger.debug("switched off: %s", ", ".join(plugin.name for plugin in off))

    def learn(learned: Sequence[FoundPlugin]) -> None:
        if cache_file is not None:
            remember_hooks(learned, search, cache_file)

    return PluginManager(
        plugins,
        problems=[p for p in problems if not switched_off & {"all", p.name}],
        disabled=off,
        learn=learn,
    )


def _disabled_setting(given: str | None) -> str:
    return os.environ.get(DISABLED_VARIABLE, "") if given is None else given


def _builtin(provider: object, taken: Container[str]) -> _Plugin:
    module, attribute = "", ""
    if isinstance(provider, str):
        module, _, attribute = provider.partition(":")
        provider = None
    else:
        module = str(getattr(provider, "__name__", "") or type(provider).__module__)
    package = module.partition(".")[0]
    names = itertools.chain([package], (f"{package}-{number}" for number in itertools.count(2)))
    name = next(name for name in names if name not in taken)
    return _Plugin(FoundPlugin(name=name, module=module, attribute=attribute), provider, builtin=True)


def _taken_by_builtin(plugin: FoundPlugin) -> PluginProblem:
    return PluginProblem(
        name=plugin.name,
        distribution=plugin.distribution,
        version=plugin.version,
        message="its name is that of a part of Alula",
        hint="Its author must choose another name for the entry point.",
    )
