"""The driver of maps: one child per item, decided as soon as the answer is certain."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..contracts import CallFailedError
from ..errors import ActionError
from ..literals import NONE, ListLiteral, Literal, unwrap
from ..specs import EntitySpec, MapTarget, TaskSpec
from .actions import Action
from .children import Children
from .phases import Phase
from .stepping import Stepper
from .tasks import drive_task

if TYPE_CHECKING:
    from .execution import Execution

Outputs = dict[str, Literal]


async def drive_map(
    execution: Execution,
    action: Action,
    target: MapTarget,
    spec: EntitySpec,
    inputs: Outputs,
    stepper: Stepper,
    interruptible: bool | None,
) -> Outputs:
    """Run an entity once for each item.

    Every item is tried. The map fails as soon as too many items have failed for the minimum to be reached, and cancels
    the rest unless the target says that all are to run.

    Raises:
        CallFailedError: Fewer items succeeded than must.
    """
    execution.table.change_phase(action, Phase.RUNNING)
    lists = _mapped_lists(target, inputs)
    shared = {name: value for name, value in inputs.items() if name not in lists}
    size = len(next(iter(lists.values()))) if lists else 1
    needed = min_successes(target, size)
    results: list[Outputs | None] = [None] * size
    children: Children[int, Outputs] = Children(stepper)
    limit = target.concurrency or 0
    failed = 0
    first_failure: CallFailedError | None = None
    index = 0
    try:
        while True:
            while index < size and not (limit and children.running >= limit):
                item = {name: values[index] for name, values in lists.items()}
                child = _run_item(execution, action, spec, {**shared, **item}, index, interruptible)
                await children.start(index, child)
                index += 1
                if children.ended:
                    break
            while children.ended:
                position, outputs, failure = children.ended.popleft()
                if failure is None:
                    results[position] = outputs
                    continue
                failed += 1
                first_failure = first_failure or failure
                if size - failed < needed and not target.run_all:
                    raise _too_many_failures(failed, size, needed, first_failure)
            if index < size and not (limit and children.running >= limit):
                continue
            if not children.running:
                break
            await children.next_end()
    except BaseException:
        await children.cancel()
        raise
    if size - failed < needed and first_failure is not None:
        raise _too_many_failures(failed, size, needed, first_failure)
    return {
        name: ListLiteral([NONE if outputs is None else outputs[name] for outputs in results])
        for name in target.results
    }


async def _run_item(
    execution: Execution, parent: Action, spec: EntitySpec, inputs: Outputs, index: int, interruptible: bool | None
) -> Outputs:
    # Its stepper is in its own frame: run_blocking and Children step this very coroutine.
    stepper = Stepper()
    action = Action(
        id=f"{parent.id}[{index}]",
        parent=parent.id,
        name=f"{parent.name}[{index}]",
        kind=spec.id.kind,
        entity=spec.id.name,
        inputs=inputs,
    )
    execution.table.create(action)
    if isinstance(spec, TaskSpec):
        driver = drive_task(execution, action, spec, inputs, stepper, interruptible)
    else:
        driver = execution.drive(action, spec, inputs, stepper, interruptible)
    return await execution.conclude(action, driver, stepper)


def min_successes(target: MapTarget, size: int) -> int:
    """Return how many of `size` items must succeed: the count if one is given, else the ratio, rounded up."""
    if target.min_successes is not None:
        return min(target.min_successes, size)
    # Rounded first, so that 0.9 of 100 is 90 and not 91.
    return min(size, math.ceil(round(size * target.min_success_ratio, 9)))


def _mapped_lists(target: MapTarget, inputs: Outputs) -> dict[str, list[Literal]]:
    lists: dict[str, list[Literal]] = {}
    for name in target.mapped:
        value = unwrap(inputs[name])
        if not isinstance(value, ListLiteral):
            raise CallFailedError(
                ActionError(code="InvalidMapInput", message=f"input {name!r} is not a list", recoverable=False)
            )
        lists[name] = value.items
    if len({len(values) for values in lists.values()}) > 1:
        lengths = ", ".join(f"{name!r} has {len(values)}" for name, values in lists.items())
        raise CallFailedError(
            ActionError(
                code="InvalidArrayLength",
                message=f"the lists that are mapped over must have equal lengths: {lengths}",
                recoverable=False,
            )
        )
    return lists


def _too_many_failures(failed: int, size: int, needed: int, first: CallFailedError) -> CallFailedError:
    """Build the map's failure; a map that tolerates none fails with the item's own error."""
    if needed >= size:
        return first
    error = ActionError(
        code="TooManyFailures",
        message=f"{failed} of {size} items failed, so that the {needed} successes that are needed cannot be reached; "
        f"the first failure was {first.error.action}: {first.error.code}: {first.error.message}",
        recoverable=False,
    )
    return CallFailedError(error)
