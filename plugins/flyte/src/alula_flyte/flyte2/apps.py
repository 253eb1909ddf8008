"""``flyte.app``: what describes apps is kept, so that the tasks beside them run; an app itself cannot be served."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


class _Description:
    """Holds what it is given, by position under the names that the class tells."""

    _names: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *values: Any, **fields: Any) -> None:
        self.__dict__.update(zip(self._names, values, strict=False))
        self.__dict__.update(fields)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in vars(self).items())})"


class AppEnvironment(_Description):
    """An app."""

    _names = ("name",)
    name: str

    def __init__(self, *values: Any, **fields: Any) -> None:
        super().__init__(*values, **{"depends_on": [], **fields})

    def server(self, fn: F) -> F:
        """Return the function that would serve."""
        return fn

    def on_startup(self, fn: F) -> F:
        """Return the function that would be called first."""
        return fn

    def on_shutdown(self, fn: F) -> F:
        """Return the function that would be called last."""
        return fn

    def add_dependency(self, *environments: Any) -> None:
        """Add environments that would be deployed with it."""
        self.__dict__["depends_on"] = [*self.__dict__["depends_on"], *environments]

    def clone_with(self, name: str, **changes: Any) -> Any:
        """Return a copy with another name and some other fields."""
        return type(self)(**{**vars(self), **changes, "name": name})

    @property
    def endpoint(self) -> str:
        """Where it would be reached.

        Raises:
            NotImplementedError: Always.
        """
        raise NotImplementedError(f"the app {self.name} has no endpoint: Alula does not serve apps yet")


class FastAPIAppEnvironment(AppEnvironment):
    """An app of FastAPI."""


class AppEndpoint(_Description):
    """The address of an app."""

    _names = ("app_name", "public")


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


class Port(_Description):
    """The port of an app."""

    _names = ("port", "name")


class RunOutput(_Description):
    """An output of a run."""

    _names = ("type", "run_name")


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
