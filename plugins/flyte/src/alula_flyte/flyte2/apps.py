"""``flyte.app``: what describes apps, and what running code asks about the app that it belongs to."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from alula_kernel.errors import UnknownNameError, UsageError

F = TypeVar("F", bound=Callable[..., Any])

PARAMETERS: contextvars.ContextVar[Mapping[str, str]] = contextvars.ContextVar("parameters of an app")
"""The parameters of the app whose code runs; not set in a process that a command has started."""

PARAMETERS_VARIABLE = "ALULA_FLYTE_APP_PARAMETERS"
"""The environment variable that holds them, as JSON, in a process that a command has started."""


class _Description:
    """Holds what it is given, by position under the names that the class tells."""

    _names: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *values: Any, **fields: Any) -> None:
        self.__dict__.update(zip(self._names, values, strict=False))
        self.__dict__.update(fields)

    def __repr__(self) -> str:
        shown = (f"{name}={value!r}" for name, value in vars(self).items() if not name.startswith("_"))
        return f"{type(self).__name__}({', '.join(shown)})"


class Port(_Description):
    """The port of an app."""

    _names = ("port", "name")
    port: int
    name: str | None = None


class AppEnvironment(_Description):
    """An app: a program that answers requests until it is stopped."""

    _names = ("name",)
    name: str
    args: Any = None
    command: Any = None
    env_vars: Any = None
    parameters: Any = ()

    def __init__(self, *values: Any, **fields: Any) -> None:
        super().__init__(*values, **{"depends_on": [], "port": 8080, **fields})
        self._server: Callable[..., Any] | None = None
        self._on_startup: Callable[..., Any] | None = None
        self._on_shutdown: Callable[..., Any] | None = None

    def server(self, fn: F) -> F:
        """Make a function what serves the app, and return it."""
        self._server = fn
        return fn

    def on_startup(self, fn: F) -> F:
        """Make a function what is called before the app is served, and return it."""
        self._on_startup = fn
        return fn

    def on_shutdown(self, fn: F) -> F:
        """Make a function what is called when the app is not served any more, and return it."""
        self._on_shutdown = fn
        return fn

    def add_dependency(self, *environments: Any) -> None:
        """Add environments that would be deployed with it."""
        self.__dict__["depends_on"] = [*self.__dict__["depends_on"], *environments]

    def clone_with(self, name: str, **changes: Any) -> Any:
        """Return a copy with another name and some other fields."""
        fields = {field: value for field, value in vars(self).items() if not field.startswith("_")}
        return type(self)(**{**fields, **changes, "name": name})

    def get_port(self) -> Port:
        """Return its port."""
        port = self.__dict__["port"]
        return port if isinstance(port, Port) else Port(port)

    @property
    def endpoint(self) -> str:
        """Where it is reached when it is served."""
        return f"http://localhost:{self.get_port().port}"


class FastAPIAppEnvironment(AppEnvironment):
    """An app of FastAPI, served by uvicorn."""

    app: Any
    uvicorn_config: Any = None

    def __init__(self, *values: Any, **fields: Any) -> None:
        super().__init__(*values, **fields)
        self._server = self._serve

    async def _serve(self) -> None:
        """Answer requests until the task is cancelled, and let the app end in good order."""
        try:
            import uvicorn  # type: ignore[import-not-found, unused-ignore]
        except ModuleNotFoundError:
            raise ModuleNotFoundError(
                f"the app {self.name} is served by uvicorn, which is not installed\n  pip install uvicorn",
                name="uvicorn",
            ) from None
        server = uvicorn.Server(self.uvicorn_config or uvicorn.Config(self.app, port=self.get_port().port))
        serving = asyncio.ensure_future(self._until_it_ends(server))
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            server.should_exit = True
            await asyncio.gather(serving, return_exceptions=True)  # that it never started does not matter now

    async def _until_it_ends(self, server: Any) -> None:
        with contextlib.suppress(SystemExit):  # from newer versions; it would end the loop, and not this task
            await server.serve()
        if not server.started:
            raise UsageError(f"the app {self.name} could not be started", hint="uvicorn's log says why.")


@dataclass(frozen=True)
class AppContext:
    """What the code of an app can ask about it.

    Attributes:
        mode: Always ``local``.
        project: Project of runs.
        domain: Domain of runs.
        raw_data_path: Where data goes.
    """

    mode: str
    project: str
    domain: str
    raw_data_path: str


def ctx() -> AppContext:
    """Return what the code of an app can ask about it."""
    import alula

    settings = alula.current_app().settings
    return AppContext("local", settings.project, settings.domain, str(settings.path("data")))


def get_parameter(name: str) -> str:
    """Return a parameter of the app whose code runs: a text, or the path of a file or directory.

    Raises:
        UsageError: No app is served.
        UnknownNameError: The app has no such parameter.
    """
    values: Mapping[str, str] | None = PARAMETERS.get(None)
    if values is None and PARAMETERS_VARIABLE in os.environ:
        values = json.loads(os.environ[PARAMETERS_VARIABLE])
    if values is None:
        raise UsageError(f"the parameter {name!r} is asked for where no app is served")
    if name not in values:
        raise UnknownNameError.among("parameter of the app", name, values)
    return values[name]


class AppEndpoint(_Description):
    """The address of an app, as the value of a parameter of another one."""

    _names = ("app_name", "public")
    app_name: str


class ArtifactValue(_Description):
    """A version of an artifact."""

    _names = ("name", "version")


class Domain(_Description):
    """The name under which an app is reached."""

    _names = ("subdomain", "custom_domain")


class Link(_Description):
    """A link to a part of an app."""

    _names = ("path", "title", "is_relative")


class Parameter(_Description):
    """A value that an app is given."""

    _names = ("name", "value")
    name: str
    value: Any = None
    env_var: str | None = None
    download: bool = True
    mount: str | None = None


class RunOutput(_Description):
    """An output of a run, as the value of a parameter of an app."""

    _names = ("type", "run_name")
    run_name: str | None = None
    task_name: str | None = None
    getter: tuple[Any, ...] = (0,)


class Scaling(_Description):
    """How many replicas an app has."""

    _names = ("replicas", "metric", "scaledown_after")

    class Concurrency(_Description):
        """Requests at once for each replica."""

        _names = ("val",)

    class RequestRate(_Description):
        """Requests per second for each replica."""

        _names = ("val",)


class Timeouts(_Description):
    """How long requests may take."""

    _names = ("request",)
