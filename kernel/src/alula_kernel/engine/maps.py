"""The driver of maps: one child per item, decided as soon as the answer is certain."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from ..contracts import CallFailedError
from ..errors import UnknownNameError
from ..literals import NONE, ListLiteral, Literal, unwrap
from ..specs import EntitySpec, MapTarget, TaskSpec
from .actions import Action
from .attempts import TaskPlan
from .children import Children
from .failures import final_failure, reason_for_others
from .phases import Phase
from .stepping import Stepper
from .tasks import drive_task

if TYPE_CHECKING:
    from .execution import Execution

Outputs = dict[str, Literal]

_IN_FLIGHT = 1_000
"""Children that wait for something at once if neither the map nor the run has a limit, so that memory does not grow with
the number of items."""


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
    size = len(next(iter(lists.values()))) if lists else 1
    results: list[Outputs | None] = [None] * size
    items = _Items(execution, action, spec, inputs, lists, interruptible)
    children: Children[int, Outputs] = Children(stepper)
    ended, running = children.ended, children.running
    limit = (execution.limiter.limit or _IN_FLIGHT) if target.concurrency is None else target.concurrency
    tally = _Tally(size, min_successes(target, size))
    index = 0
    try:
        while True:
            while index < size and not ended and not (limit and len(running) >= limit):
                child = items.run(index)
                if not children.start(index, child):
                    await children.adopt(index, child)
                index += 1
            while ended:
                position, outputs, failure = ended.popleft()
                if failure is None:
                    results[position] = outputs
                else:
                    tally.add(failure)
                    if tally.lost and not target.run_all:
                        raise tally.failure()
            if index < size and not (limit and len(running) >= limit):
                continue
            if not running:
                break
            await children.next_end()
    except BaseException as stop:
        await children.cancel(reason_for_others(stop))
        raise
    if tally.lost:
        raise tally.failure()
    return {
        name: ListLiteral([NONE if outputs is None else outputs[name] for outputs in results])
        for name in target.results
    }


class _Tally:
    """The failures of a map, counted against what it needs.

    Args:
        size: Number of items.
        needed: How many of them must succeed.
    """

    __slots__ = ("_failed", "_first", "_needed", "_size")

    def __init__(self, size: int, needed: int) -> None:
        self._size = size
        self._needed = needed
        self._failed = 0
        self._first: CallFailedError | None = None

    @property
    def lost(self) -> bool:
        """Whether too many have failed."""
        return self._size - self._failed < self._needed

    def add(self, failure: BaseException) -> None:
        """Count a failure; what is no failure of an item is raised."""
        if not isinstance(failure, CallFailedError):
            raise failure
        self._failed += 1
        self._first = self._first or failure

    def failure(self) -> CallFailedError:
        """Return the map's failure; a map that tolerates none fails with the item's own error."""
        first = self._first
        assert first is not None
        if self._needed >= self._size:
            return first
        return final_failure(
            "TooManyFailures",
            f"{self._failed} of {self._size} items failed, so that the {self._needed} successes that are needed cannot be "
            f"reached; the first failure was {first.error.action}: {first.error.code}: {first.error.message}",
        )


class _Items:
    """Makes the children of a map.

    Args:
        execution: The run, as this thread drives it.
        parent: The map's action.
        spec: What runs for each item.
        inputs: The map's inputs.
        lists: Those of them that differ from item to item.
        interruptible: What the workflows around the map say.
    """

    __slots__ = (
        "_entity",
        "_execution",
        "_inputs",
        "_interruptible",
        "_kind",
        "_lists",
        "_parent",
        "_plan",
        "_spec",
        "_stepper",
    )

    def __init__(
        self,
        execution: Execution,
        parent: Action,
        spec: EntitySpec,
        inputs: Outputs,
        lists: dict[str, list[Literal]],
        interruptible: bool | None,
    ) -> None:
        self._execution = execution
        self._parent = parent
        self._spec = spec
        self._kind, self._entity = spec.id.kind, spec.id.name
        self._stepper = Stepper()
        self._plan: TaskPlan | None = None
        if isinstance(spec, TaskSpec):
            with contextlib.suppress(UnknownNameError):  # raised again by each item
                self._plan = execution.task_plan(spec)
        self._inputs = inputs
        self._lists = list(lists.items())
        self._interruptible = interruptible

    def run(self, index: int) -> Coroutine[Any, Any, Outputs]:
        """Create the child of an item and return what runs it."""
        execution, parent = self._execution, self._parent
        inputs = dict(self._inputs)
        for name, values in self._lists:
            inputs[name] = values[index]
        position = f"[{index}]"
        action = Action(
            id=parent.id + position,
            parent=parent.id,
            name=parent.name + position,
            kind=self._kind,
            entity=self._entity,
            inputs=inputs,
        )
        action = execution.begin(action)
        stepper = self._stepper
        if stepper.in_task:  # that of an item that waits; an item that has ended needs it no more
            stepper = self._stepper = Stepper()
        if self._plan is not None:
            driver = drive_task(execution, action, self._plan, action.inputs, stepper, self._interruptible)
        else:
            driver = execution.drive(action, self._spec, action.inputs, stepper, self._interruptible)
        return execution.conclude(action, driver, stepper)


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
            raise final_failure("InvalidMapInput", f"input {name!r} is not a list")
        lists[name] = value.items
    if len({len(values) for values in lists.values()}) > 1:
        lengths = ", ".join(f"{name!r} has {len(values)}" for name, values in lists.items())
        raise final_failure("InvalidArrayLength", f"the lists that are mapped over must have equal lengths: {lengths}")
    return lists
