"""Recorded steps of a running task: actions that the task runs itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..contracts import Trace, TraceRequest
from ..errors import ActionError
from ..literals import Literal
from .actions import Action
from .phases import Phase
from .stepping import Stepper, run_blocking

if TYPE_CHECKING:
    from .execution import Execution


class Traces:
    """The recorded steps of one attempt that are under way.

    Args:
        execution: The run, as this thread drives it.
        action: The action whose attempt it is.
    """

    __slots__ = ("_action", "_execution", "_open")

    def __init__(self, execution: Execution, action: Action) -> None:
        self._execution = execution
        self._action = action
        self._open: dict[str, Action] = {}

    def is_answer(self, earlier: Action) -> bool:
        """Tell whether how a step ended before is to be used again.

        An error is raised again, so that code which caught it takes the same way; but not if an earlier attempt failed with
        it, since then it is for this step that the attempt is repeated.
        """
        if earlier.phase is Phase.SUCCEEDED:
            return True
        error = earlier.error
        if earlier.phase is not Phase.FAILED or error is None:
            return False
        ends = (attempt.error for attempt in self._action.attempts)
        return not any(end is not None and (end.code, end.message) == (error.code, error.message) for end in ends)

    def begin(self, action_id: str, request: TraceRequest) -> Trace:
        """Record a step that begins, or return how it ended before."""
        table = self._execution.table
        earlier = table.store.find(table.run, action_id)
        if earlier is not None:
            outputs = earlier.outputs if earlier.phase is Phase.SUCCEEDED else None
            return Trace(action=action_id, outputs=outputs, error=earlier.error)
        action = Action(
            id=action_id,
            parent=self._action.id,
            name=request.name.rpartition(".")[2],
            kind="trace",
            entity=request.name,
            inputs=request.inputs,
            group=request.group,
        )
        table.create(action)
        table.change_phase(action, Phase.RUNNING)
        self._open[action_id] = action
        return Trace(action=action_id)

    def end(self, trace: Trace, outputs: dict[str, Literal] | None, error: ActionError | None) -> None:
        """Record how a step ended."""
        table = self._execution.table
        action = self._open.pop(trace.action, None)
        if action is None:
            return
        if error is not None:
            table.change_phase(action, Phase.FAILED, error=error)
        elif outputs is not None:
            table.change_phase(action, Phase.SUCCEEDED, outputs=outputs)
        else:
            table.change_phase(action, Phase.ABORTED, message="it was stopped before its end")
        if table.store.durable:
            run_blocking(self._execution.committed(Stepper()))

    def close(self) -> None:
        """Record that what is under way was left behind."""
        while self._open:
            action_id, _action = next(iter(self._open.items()))
            self.end(Trace(action=action_id), None, None)
