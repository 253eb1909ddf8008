"""Kinds of tasks that programs define themselves: `PythonTask`, `PythonInstanceTask`, `PythonFunctionTask`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, ClassVar, Generic, TypeVar

import alula
from alula.errors import RecoverableError

from .interfaces import Interface
from .resources import Resources, ResourceSpec

T = TypeVar("T")


class _Hooks:
    """What runs around `execute`, and what tasks can be asked for."""

    settings: Any

    @functools.cached_property
    def resources(self) -> ResourceSpec:
        """What it needs and what it may use."""
        return ResourceSpec(self.settings.requests or Resources(), self.settings.limits or Resources())

    def pre_execute(self, user_params: Any) -> Any:
        """Do something before an attempt; given and returned is its context."""
        return user_params

    def post_execute(self, user_params: Any, rval: Any) -> Any:
        """Do something after an attempt, and return its outputs."""
        return rval

    def _with_hooks(self, execute: Callable[..., Any]) -> Callable[..., Any]:
        mine = type(self)
        if mine.pre_execute is _Hooks.pre_execute and mine.post_execute is _Hooks.post_execute:
            return execute

        @functools.wraps(execute)
        def run(**inputs: Any) -> Any:
            context = self.pre_execute(alula.current_context())
            return self.post_execute(context, execute(**inputs))

        return run


class PythonTask(_Hooks, alula.DeclaredTask, Generic[T]):
    """A task whose `execute` a subclass defines.

    Args:
        task_type: Its type.
        name: Its name.
        task_config: Its config.
        interface: Its inputs and outputs; none if not given.
        environment: Environment variables.
        settings: Settings of the task, as `alula.task` takes them, or ``metadata`` with some of them.
    """

    def __init__(
        self,
        task_type: str,
        name: str,
        task_config: T | None = None,
        interface: Interface | None = None,
        environment: dict[str, str] | None = None,
        **settings: Any,
    ) -> None:
        interface = interface or Interface()
        kept = {key: value for key, value in settings.items() if key not in _NOT_LOOKED_AT}
        super().__init__(
            name,
            inputs=interface.declared(),
            outputs=interface.outputs,
            settings={"environment": environment or {}, "retry_on": (RecoverableError,), **kept},
            config=task_config,
        )
        self.interface = interface

    @property
    def task_config(self) -> T | None:
        """Its config."""
        config: T | None = self.config
        return config

    def executable(self) -> Callable[..., Any]:
        """Return what is called with the inputs."""
        return self._with_hooks(self.execute)

    def get_input_types(self) -> dict[str, Any]:
        """Return the Python type of each input."""
        return dict(self.interface.inputs)


_NOT_LOOKED_AT = frozenset({"task_resolver", "security_ctx", "disable_deck", "enable_deck", "task_type_version"})


class PythonInstanceTask(PythonTask[T]):
    """A task that is made by calling a class, and is found again by the name of the variable that it is in.

    Args:
        name: Its name.
        task_config: Its config.
        task_type: Its type.
        settings: As `PythonTask` takes them.
    """

    def __init__(
        self, name: str, task_config: T | None = None, task_type: str = "python-task", **settings: Any
    ) -> None:
        super().__init__(task_type, name, task_config, **settings)


class PythonFunctionTask(_Hooks, alula.FunctionTask[..., Any], Generic[T]):
    """A task made of a function and a config; a subclass may define `execute`.

    Args:
        task_config: Its config.
        task_function: The function.
        task_type: Its type.
        settings: What `alula.FunctionTask` takes.
    """

    def __init__(
        self, task_config: T, task_function: Callable[..., Any], task_type: str = "python-task", **settings: Any
    ) -> None:
        kept = {key: value for key, value in settings.items() if key in {"name", "settings", "pickle_untyped"}}
        super().__init__(task_function, config=task_config, **kept)

    @property
    def task_config(self) -> T:
        """Its config."""
        config: T = self.config
        return config

    def executable(self) -> Callable[..., Any]:
        """Return what is called with the inputs."""
        return self._with_hooks(super().executable())


class TaskPlugins:
    """Which kind of task a config chooses."""

    _made_by: ClassVar[dict[type, type[PythonFunctionTask[Any]]]] = {}

    @classmethod
    def register_pythontask_plugin(cls, plugin_config_type: type, plugin: type[PythonFunctionTask[Any]]) -> None:
        """Let functions whose ``task_config`` is of a class become tasks of another class.

        Raises:
            TypeError: The class has another one already.
        """
        known = cls._made_by.setdefault(plugin_config_type, plugin)
        if known is not plugin:
            raise TypeError(f"{plugin_config_type} makes tasks of {known} already, and was asked to make {plugin}")

    @classmethod
    def find_pythontask_plugin(cls, plugin_config_type: type) -> type[PythonFunctionTask[Any]] | None:
        """Return the class of the tasks that configs of a class make; None if nobody said."""
        return cls._made_by.get(plugin_config_type)
