"""A task that passes its inputs on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ._interface import PythonInterface
from ._settings_of import task_settings
from ._state import call_site
from ._task import Task


class Echo(Task):
    """Returns its inputs as they are: what a conditional calls in a case that has nothing to do.

    Args:
        name: Its name.
        inputs: Python type of each input; the outputs are ``o0``, ``o1`` ... in the same order.
        settings: Settings of the task, as `alula.task` takes them.
    """

    def __init__(self, name: str, inputs: Mapping[str, Any] | None = None, **settings: Any) -> None:
        location = call_site()
        types = dict(inputs or {})
        outputs = {f"o{index}": python_type for index, python_type in enumerate(types.values())}
        interface = PythonInterface(types, {}, outputs, tuple if len(outputs) > 1 else None)
        super().__init__(name, interface, task_settings(settings, location))
        self._location = location

    @property
    def location(self) -> str:
        return self._location

    def execute(self, **inputs: Any) -> Any:
        values = tuple(inputs.values())
        return values[0] if len(values) == 1 else values or None
