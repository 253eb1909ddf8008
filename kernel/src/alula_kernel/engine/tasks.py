"""The driver of tasks: a cached answer, or attempts."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from ..literals import Literal
from .actions import Action
from .attempts import TaskPlan, TaskRun
from .stepping import Stepper

if TYPE_CHECKING:
    from .execution import Execution

Outputs = dict[str, Literal]


def drive_task(
    execution: Execution, action: Action, plan: TaskPlan, inputs: Outputs, stepper: Stepper, interruptible: bool | None
) -> Coroutine[Any, Any, Outputs]:
    """Run a task to its end.

    Raises:
        CallFailedError: Every attempt that was allowed failed; raised when the result is awaited.
    """
    spec = plan.spec
    run = TaskRun(execution, action, plan, inputs, stepper, interruptible)
    if spec.cache is None or not spec.interface.outputs:
        return run.drive()
    if execution.options.disable_cache:
        action.cache = "disabled"
        return run.drive()
    from .caching import cached  # not above: it brings what hashes, which most programs never use

    return cached(execution, action, spec, inputs, stepper, run.drive)
