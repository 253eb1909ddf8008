"""Task environments: named defaults that tasks share."""

from __future__ import annotations

import dataclasses
import inspect
import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ParamSpec, TypeVar, overload

from alula_kernel.errors import UnknownNameError, UsageError
from alula_kernel.specs import INLINE_BYTES_LIMIT

from ._cache import Cache, CacheRequest, as_cache
from ._docs import Documentation, as_documentation
from ._overrides import Duration, RetryStrategy, Timeout
from ._resources import Resources
from ._reuse import ReusePolicy
from ._state import call_site
from ._task import FunctionTask, Task, TaskSettings

P = ParamSpec("P")
R = TypeVar("R")

_NAME = r"[a-z][a-z0-9]*([_-][a-z0-9]+)*"


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Fields:
    """Fields of an environment, so that the name alone may be given by position."""

    depends_on: list[TaskEnvironment] = dataclasses.field(default_factory=list)
    pod_template: Any = None
    description: str | None = None
    secrets: Any = None
    env_vars: Mapping[str, str] | None = None
    resources: Resources | None = None
    interruptible: bool = False
    image: Any = "auto"
    include: tuple[str, ...] = ()
    cache: CacheRequest = "disable"
    plugin_config: Any = None
    queue: str | None = None
    reusable: ReusePolicy | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaskEnvironment(_Fields):
    """Defaults of the tasks that are made with its `task`; those given there, and in ``override``, go before them.

    Args:
        name: Lower-case words joined by ``-`` or ``_``; tasks are called ``<name>.<function>``.
        depends_on: Environments whose tasks its tasks call.
        pod_template: Pod that its tasks run in.
        description: What it is for, at most 255 characters.
        secrets: Secrets that its tasks are given.
        env_vars: Environment variables.
        resources: Resources of each task.
        interruptible: Whether its tasks may run on capacity that can be taken away.
        image: Image of its tasks.
        include: Files, folders and patterns of them that belong to its code, seen from the folder of this source file.
        cache: How outputs are cached; ``"disable"`` if nothing is said.
        plugin_config: Config of a plugin, which decides what kind of tasks they become.
        queue: Queue of its tasks.
        reusable: How worker processes are kept for its tasks; without it each attempt gets a new one.

    Raises:
        UsageError: The name or the description cannot be one, or workers are to be kept for a plugin's tasks.
    """

    name: str = dataclasses.field(kw_only=False)
    _tasks: list[Task] = dataclasses.field(init=False, repr=False, compare=False, default_factory=list)
    _folder: str = dataclasses.field(init=False, repr=False, compare=False, default="")

    @property
    def tasks(self) -> tuple[Task, ...]:
        """Its tasks, in the order in which they were made."""
        return tuple(self._tasks)

    def __post_init__(self) -> None:
        if not re.fullmatch(_NAME, self.name):
            raise UsageError(
                f"{self.name!r} cannot be the name of an environment",
                hint="Use lower-case letters and digits, joined by - or _.",
                location=call_site(),
            )
        if self.description is not None and len(self.description) > 255:
            raise UsageError(f"the description of environment {self.name!r} has more than 255 characters")
        as_cache(self.cache, where=f"environment {self.name!r}")
        if self.reusable is not None and self.plugin_config is not None:
            raise UsageError(
                f"environment {self.name!r} has both reusable and plugin_config, and plugins start workers of their own",
                hint="Leave one of them out.",
                location=call_site(),
            )
        if self.include:
            object.__setattr__(self, "_folder", os.path.dirname(call_site().rpartition(":")[0]))

    def defaults(self) -> dict[str, Any]:
        """Return the settings of its tasks that say nothing themselves, as `alula.task` and classes of tasks take them."""
        return {
            "cache": self.cache,
            "interruptible": self.interruptible or None,
            "container_image": None if self.image == "auto" else self.image,
            "environment": dict(self.env_vars or {}),
            "resources": self.resources,
            "secret_requests": _secrets(self.secrets),
            "pod_template": self.pod_template,
            "queue": self.queue or "",
            "environment_name": self.name,
            "reuse": self.reusable,
        }

    def add(self, task: Task) -> None:
        """Count a task among its own that was not made with `task`, as one that is made by calling a class.

        Raises:
            UsageError: Its workers run several attempts at a time, and the task is not async.
        """
        self._check_reuse(task.title, task.is_async)
        self._tasks.append(task)

    def _check_reuse(self, title: str, is_async: bool) -> None:
        if self.reusable is not None and self.reusable.concurrency > 1 and not is_async:
            raise UsageError(
                f"{title} is a plain function, and environment {self.name!r} lets a worker run "
                f"{self.reusable.concurrency} attempts at a time",
                hint="Make it `async def`, or use an environment with ReusePolicy(concurrency=1).",
                location=call_site(),
            )

    def included_paths(self) -> tuple[str, ...]:
        """The files and folders that belong to its code, from the folder of the file that makes the environment."""
        return tuple(os.path.join(self._folder, path) for path in self.include)

    @overload
    def task(self, _func: Callable[P, R], /) -> FunctionTask[P, R]: ...
    @overload
    def task(
        self,
        _func: None = None,
        *,
        short_name: str | None = None,
        cache: CacheRequest | None = None,
        retries: int | RetryStrategy = 0,
        timeout: Duration | Timeout | None = 0,
        docs: Documentation | str | None = None,
        pod_template: Any = None,
        report: bool = False,
        interruptible: bool | None = None,
        max_inline_io_bytes: int = INLINE_BYTES_LIMIT,
        queue: str | None = None,
        triggers: Any = (),
        links: Any = (),
        task_resolver: Any = None,
        entrypoint: bool = False,
        produces_artifacts: bool = False,
        retry_on: Iterable[type[BaseException]] | None = None,
        pickle_untyped: bool = False,
    ) -> Callable[[Callable[P, R]], FunctionTask[P, R]]: ...
    def task(
        self,
        _func: Callable[..., Any] | None = None,
        *,
        short_name: str | None = None,
        cache: CacheRequest | None = None,
        retries: int | RetryStrategy = 0,
        timeout: Duration | Timeout | None = 0,
        docs: Documentation | str | None = None,
        pod_template: Any = None,
        report: bool = False,
        interruptible: bool | None = None,
        max_inline_io_bytes: int = INLINE_BYTES_LIMIT,
        queue: str | None = None,
        triggers: Any = (),
        links: Any = (),
        task_resolver: Any = None,
        entrypoint: bool = False,
        produces_artifacts: bool = False,
        retry_on: Iterable[type[BaseException]] | None = None,
        pickle_untyped: bool = False,
    ) -> Any:
        """Turn an annotated function, plain or async, into a task of this environment.

        Args:
            short_name: What people see instead of the function's name.
            cache: How outputs are cached.
            retries: Retries after any exception but `NonRecoverableError`, or a `RetryStrategy` with delays.
            timeout: Limit of one attempt, as seconds or timedelta, or a `Timeout`; 0 is none.
            docs: Its documentation, or text of which the first line is the short description; the docstring is used
                if it is not given.
            pod_template: Pod that it runs in.
            report: Whether it writes an HTML report.
            interruptible: Whether it may run on capacity that can be taken away.
            max_inline_io_bytes: Largest inputs or outputs that may travel inline, in bytes.
            queue: Its queue.
            triggers: What starts it by itself, on a server.
            links: Links shown beside it, on a server.
            task_resolver: How a worker finds it.
            entrypoint: Whether people start runs with it.
            produces_artifacts: Whether its outputs are artifacts, on a server.
            retry_on: The exceptions after which it is retried; any if not given.
            pickle_untyped: Whether parameters, and a result, without annotation are pickled.

        Returns:
            The task, or a decorator that makes it.
        """

        def decorate(function: Callable[..., Any]) -> FunctionTask[Any, Any]:
            self._check_reuse(function.__qualname__, inspect.iscoroutinefunction(function))
            given = self.defaults() | {
                "cache": as_cache(self.cache if cache is None else cache, where=function.__qualname__),
                "retries": retries,
                "retry_on": None if retry_on is None else tuple(retry_on),
                "timeout": timeout,
                "report": report,
                "docs": as_documentation(docs),
                "max_inline_bytes": max_inline_io_bytes,
                "short_name": short_name or "",
            }
            given |= {
                name: value
                for name, value in (("interruptible", interruptible), ("pod_template", pod_template), ("queue", queue))
                if value is not None
            }
            settings = TaskSettings(**given)
            made: type[FunctionTask[Any, Any]] = FunctionTask
            if self.plugin_config is not None:
                from ._app import current_app

                made = current_app().task_class_for(self.plugin_config)
            name = f"{self.name}.{function.__name__}"
            task = made(
                function, name=name, settings=settings, config=self.plugin_config, pickle_untyped=pickle_untyped
            )
            self._tasks.append(task)
            return task

        return decorate if _func is None else decorate(_func)

    def clone_with(self, name: str, **changes: Any) -> TaskEnvironment:
        """Return a copy with another name and some other fields; a field given as None keeps its value.

        Raises:
            UnknownNameError: There is no such field.
        """
        known = {field.name for field in dataclasses.fields(self) if field.init}
        for field in changes:
            if field not in known:
                raise UnknownNameError.among("field of TaskEnvironment", field, known, location=call_site())
        given = {field: value for field, value in changes.items() if value is not None}
        return dataclasses.replace(self, name=name, **given)

    @classmethod
    def from_task(cls, name: str, *tasks: Task, depends_on: list[TaskEnvironment] | None = None) -> TaskEnvironment:
        """Make an environment around tasks that exist already.

        Raises:
            UsageError: No task is given.
        """
        if not tasks:
            raise UsageError("TaskEnvironment.from_task needs at least one task", location=call_site())
        made = cls(name, depends_on=list(depends_on or []))
        made._tasks.extend(tasks)
        return made


def _secrets(secrets: Any) -> tuple[Any, ...]:
    if secrets is None:
        return ()
    return tuple(secrets) if isinstance(secrets, (list, tuple)) else (secrets,)


__all__ = ["Cache", "TaskEnvironment"]
