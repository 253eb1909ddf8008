"""The task that uses a Ray cluster."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from alula import FunctionTask
from alula_kernel.errors import UsageError

from .config import RayJobConfig

if TYPE_CHECKING:
    from alula import App


class RayTask(FunctionTask[Any, Any]):
    """A function that finds Ray connected when it is called."""

    task_type = "ray"

    def custom(self, app: App) -> dict[str, Any]:
        """Return the config as plain data."""
        return self.custom_for(self.config, self.location)

    def custom_for(self, config: Any, location: str) -> dict[str, Any]:
        """Return another config as plain data, for one call of the task.

        Raises:
            UsageError: It is not a `RayJobConfig`.
        """
        if not isinstance(config, RayJobConfig):
            raise UsageError(f"{self.title} needs a RayJobConfig, found {type(config).__qualname__}", location=location)
        return config.to_custom()

    def executable(self) -> Callable[..., Any]:
        """Return the function as an attempt runs it: connected to the cluster, and with references kept in."""
        from .session import connected, refuse_references

        function = super().executable()
        if self.is_async:

            @functools.wraps(function)
            async def run_async(**inputs: Any) -> Any:
                with connected():
                    return refuse_references(await function(**inputs), self.title)

            return run_async

        def run(**inputs: Any) -> Any:
            with connected():
                return refuse_references(function(**inputs), self.title)

        return run
