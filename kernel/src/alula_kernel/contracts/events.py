"""Changes of actions, as listeners are told of them."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ..errors import ActionError


class ActionEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A change of an action's state.

    Attributes:
        run: Name of the run.
        action: Id of the action; the root's is ``a0``.
        parent: Id of the parent; empty for the root.
        name: What people see.
        kind: ``task``, ``workflow``, ``launch_plan``, ``map``, ``branch``, ``gate``, ``trace``.
        phase: The new phase.
        attempt: Number of the attempt, 0 before the first.
        at: Seconds since the epoch.
        cache: ``hit``, ``miss``, ``populated``, ``disabled`` or empty.
        error: Why it failed.
        message: Free text, as the reason of an abort.
    """

    run: str
    action: str
    parent: str = ""
    name: str = ""
    kind: str = "task"
    phase: str
    attempt: int = 0
    at: float = 0.0
    cache: str = ""
    error: ActionError | None = None
    message: str = ""


EventListener = Callable[[ActionEvent], None]
