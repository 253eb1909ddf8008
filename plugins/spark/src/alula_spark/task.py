"""The task that has a Spark session."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from alula import FunctionTask
from alula_kernel.errors import UsageError

from .config import Spark

if TYPE_CHECKING:
    from alula import App
    from alula_kernel.contracts import ConversionContext
    from alula_kernel.literals import Literal


class SparkTask(FunctionTask[Any, Any]):
    """A function that finds a Spark session of its own as ``alula.ctx().spark_session``."""

    task_type = "spark"

    def custom(self, app: App) -> dict[str, Any]:
        """Return the config as plain data."""
        return self.custom_for(self.config, self.location)

    def custom_for(self, config: Any, location: str) -> dict[str, Any]:
        """Return another config as plain data, for one call of the task.

        Raises:
            UsageError: It is not a `Spark`.
        """
        if not isinstance(config, Spark):
            raise UsageError(f"{self.title} needs a Spark, found {type(config).__qualname__}", location=location)
        return config.to_custom()

    def input_reader(self, compiled: Any) -> Callable[[Mapping[str, Literal], ConversionContext], dict[str, Any]]:
        """Return what reads the inputs where Spark is at hand, which it is until the outputs are stored."""

        def read(literals: Mapping[str, Literal], context: ConversionContext) -> dict[str, Any]:
            from alula import current_context

            from .session import offer_session, prepared

            running = current_context()
            running.until_end.enter_context(prepared(running.attempt.task))
            offer_session(running)
            found: dict[str, Any] = compiled.inputs_to_python(literals, context)
            return found

        return read
