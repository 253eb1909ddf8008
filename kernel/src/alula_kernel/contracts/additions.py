"""What plugins add by description alone: kinds of tasks, and commands."""

from __future__ import annotations

import msgspec


class TaskType(msgspec.Struct, frozen=True):
    """A kind of task that a plugin adds.

    Attributes:
        name: Value of `TaskSpec.type`, as ``duckdb``.
        config: The class of ``task_config`` or ``plugin_config`` objects that choose it, as ``"package.module.Class"``;
            empty if the type has a task class of its own.
        task_class: The authoring class that such a task becomes, as ``"package.module.Class"``.
        executor: Name of the executor that runs it; empty if it is Python code that any executor of ``python`` can run.
        description: One line for ``alula plugins list``.
    """

    name: str
    config: str = ""
    task_class: str = ""
    executor: str = ""
    description: str = ""


class Command(msgspec.Struct, frozen=True):
    """A command of the command line that a plugin adds.

    Attributes:
        name: What the user types after ``alula``.
        target: The `click.Command`, as ``"package.module:attribute"``; imported when it is used.
        summary: One line for ``alula --help``.
    """

    name: str
    target: str
    summary: str
