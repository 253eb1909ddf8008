"""What a dead engine left of a run, for the one that goes on with it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ..contracts import CallFailedError
from ..errors import ActionError, UsageError
from ..literals import Literal
from .actions import Action, AttemptRecord
from .failures import EndedError, aborted
from .phases import Phase
from .stepping import Stepper, become_task

if TYPE_CHECKING:
    from .execution import Execution
    from .store import Store

logger = logging.getLogger("alula.engine")

Outputs = dict[str, Literal]


class Leftovers:
    """The actions that a dead engine left behind, until they are claimed.

    Who drives their parent makes them again, under the same ids; what is in the store then takes the place of the new
    action. An action that has ended stays ended. One that has not goes on: as if it were queued, with the inputs and the
    attempts that it had. So does one that was stopped together with its parent, if the parent has not ended: the engine
    died while it stopped them, and if there is a reason to stop them again, who drives the parent will meet it again.

    Args:
        store: Where they are.
        run: Name of the run.
    """

    def __init__(self, store: Store, run: str) -> None:
        self._store = store
        self._run = run
        self._open: dict[str, Action] = {}
        self._below: dict[str, list[str]] = {}
        self._running: dict[str, AttemptRecord] = {}
        for action in store.open_actions(run):
            self._open[action.id] = action
            self._below.setdefault(action.parent, []).append(action.id)

    def is_open(self, action_id: str) -> bool:
        """Tell whether an action has not ended and nobody has claimed it."""
        return action_id in self._open

    def claim(self, wanted: Action) -> Action | None:
        """Return the action that is there under an id, or None.

        Args:
            wanted: The action as it would be made now.

        Raises:
            UsageError: There is something else under the id: the code has changed.
        """
        found = self._open.pop(wanted.id, None)
        if found is not None:
            found.phase = Phase.QUEUED
            if (attempt := _running(found)) is not None:
                self._running[found.id] = attempt
        else:
            found = self._store.find(self._run, wanted.id)
            if found is None:
                return None
            if found.parent and found.phase is Phase.ABORTED and found.error is None:
                found.phase, found.message, found.ended_at = Phase.QUEUED, "", None
        if (found.kind, found.entity) != (wanted.kind, wanted.entity):
            raise UsageError(
                f"the code has changed since the run {self._run!r} began: action {found.id} is the {found.kind} "
                f"{found.entity or found.name}, and would now be the {wanted.kind} {wanted.entity or wanted.name}",
                hint="Restore the code, or start a new run.",
            )
        return found

    def answer(self, action: Action) -> Outputs:
        """Return what an action that has ended gave.

        Raises:
            CallFailedError: It did not succeed.
        """
        if action.phase is Phase.SUCCEEDED:
            return action.outputs
        phase, error = action.phase, action.error
        if error is None:
            phase, error = Phase.ABORTED, aborted(action.message or f"it was {action.phase}").error
            error = ActionError(
                code=error.code, message=error.message, recoverable=False, action=action.id, name=action.name
            )
        raise CallFailedError(error) if phase is Phase.FAILED else EndedError(phase, error)

    def attach(self, action_id: str) -> None:
        """Take note that somebody waits for the attempt of a claimed action that may still run."""
        self._running.pop(action_id, None)

    async def abandon(self, execution: Execution, action: Action, stepper: Stepper) -> None:
        """Stop what nobody waited for when the driver of an action has ended: its own attempt, and all below that is open."""
        attempt = self._running.pop(action.id, None)
        if attempt is not None:
            await self._stop(execution, attempt, stepper)
        for action_id in self._below.pop(action.id, ()):
            child = self._open.pop(action_id, None)
            if child is None:
                continue
            if (attempt := _running(child)) is not None:
                self._running[child.id] = attempt
            await self.abandon(execution, child, stepper)
            execution.table.change_phase(child, Phase.ABORTED, message="nobody waits for it any more")

    async def _stop(self, execution: Execution, attempt: AttemptRecord, stepper: Stepper) -> None:
        await become_task(stepper)
        assert attempt.handle is not None
        executor = execution.engine.executor_named(attempt.executor)
        try:
            await executor.cancel(attempt.handle)
            await executor.wait(attempt.handle)
        except Exception:
            logger.warning("executor %s could not stop %s", executor.name, attempt.handle, exc_info=True)


def _running(action: Action) -> AttemptRecord | None:
    """Return the attempt of an action that may still run somewhere."""
    last = action.attempts[-1] if action.attempts else None
    return last if last is not None and not last.outcome and last.handle is not None else None
