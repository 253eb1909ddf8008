"""Sensors: tasks that wait until something is there."""

from __future__ import annotations

import asyncio
import datetime as dt
import inspect
import typing
from typing import Any

from alula.errors import ArgumentError

from .contexts import FlyteContextManager
from .interfaces import Interface
from .task_plugins import PythonTask

POLL_SECONDS = 1.0
"""How long to wait between two looks."""


class BaseSensor(PythonTask[Any]):
    """Waits until `poke` says yes. Its inputs are those of `poke`.

    Args:
        name: Its name.
        timeout: How long it may wait.
        sensor_config: Its config.
        task_type: Its type.
        settings: As `PythonTask` takes them.

    Raises:
        ArgumentError: Its metadata has a timeout as well.
    """

    def __init__(
        self,
        name: str,
        timeout: dt.timedelta | int | None = None,
        sensor_config: Any = None,
        task_type: str = "sensor",
        **settings: Any,
    ) -> None:
        inputs: dict[str, Any] = {}
        if type(self).poke is not BaseSensor.poke:
            hints = typing.get_type_hints(self.poke, include_extras=True)
            inputs = {parameter: hints[parameter] for parameter in inspect.signature(self.poke).parameters}
        if timeout is not None:
            if getattr(settings.get("metadata"), "timeout", None) is not None:
                raise ArgumentError("a sensor was given a timeout twice", hint="Leave it out of the metadata.")
            settings["timeout"] = timeout
        super().__init__(task_type, name, sensor_config, Interface(inputs), **settings)

    async def poke(self, *_inputs: Any, **_named: Any) -> bool:
        """Tell whether what is waited for is there; a subclass does."""
        raise NotImplementedError(f"{type(self).__qualname__} does not define poke")

    @property
    def is_async(self) -> bool:
        """It is run as a coroutine, and called as a plain task."""
        return False

    def execute(self, **inputs: Any) -> None:
        """Wait."""
        asyncio.run(self._wait(inputs))

    async def _wait(self, inputs: dict[str, Any]) -> None:
        while not await self.poke(**inputs):  # noqa: ASYNC110 - nobody could set an event
            await asyncio.sleep(POLL_SECONDS)


class FileSensor(BaseSensor):
    """Waits for a file."""

    async def poke(self, path: str) -> bool:
        """Tell whether it is there."""
        return await asyncio.to_thread(FlyteContextManager.current_context().file_access.exists, path)
