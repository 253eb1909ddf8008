"""Tasks that are declared by calling a class: a query, a notebook, a job of another system. Plugins subclass it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ._interface import PythonInterface
from ._settings_of import task_settings
from ._task import Task

if TYPE_CHECKING:
    from ._environment import TaskEnvironment


class DeclaredTask(Task):
    """Base of task classes whose objects are made by calling the class with a name, inputs and outputs.

    A subclass sets `task_type` to the name of a task type that its plugin registers and defines `execute`, `validate` to check what it was given before anything runs, and
    `source` so that caching notices when it changes::

        class Greeting(DeclaredTask):
            task_type = "greeting"

            def __init__(self, name: str, template: str, **settings: Any) -> None:
                super().__init__(name, inputs={"who": str}, outputs={"o0": str}, settings=settings)
                self.template = template

            def source(self) -> str:
                return self.template

            def execute(self, who: str) -> str:
                return self.template.format(who)

    Args:
        name: Its name.
        inputs: Python type of each input, or a pair of the type and the default.
        outputs: Python type of each output; `execute` returns the only one bare, several as a tuple.
        config: Config of its plugin.
        settings: Settings of the task, as `alula.task` takes them; ``task_environment`` may hold a `TaskEnvironment`, whose
            defaults then are the task's, and which counts it among its tasks.

    Raises:
        UsageError: A setting is unknown or wrong.
    """

    def __init__(
        self,
        name: str,
        *,
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
        config: Any = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self._declared_at = self._caller()
        pairs = {key: given if isinstance(given, tuple) else (given,) for key, given in (inputs or {}).items()}
        interface = PythonInterface(
            {key: pair[0] for key, pair in pairs.items()},
            {key: pair[1] for key, pair in pairs.items() if len(pair) > 1},
            dict(outputs or {}),
            tuple if len(outputs or {}) > 1 else None,
        )
        given = dict(settings or {})
        environment: TaskEnvironment | None = given.pop("task_environment", None)
        if environment is not None:
            given = environment.defaults() | given
        super().__init__(name, interface, task_settings(given, self._declared_at), config)
        if environment is not None:
            environment.add(self)

    @property
    def location(self) -> str:
        return self._declared_at

    def _caller(self) -> str:
        """Return ``file:line`` of the innermost frame that is not the making of this very object."""
        frame = sys._getframe(1)
        while frame.f_back is not None and frame.f_locals.get("self") is self:
            frame = frame.f_back
        return f"{frame.f_code.co_filename}:{frame.f_lineno}"
