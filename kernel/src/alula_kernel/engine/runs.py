"""What a durable store keeps of a run beside its actions, and who drives it."""

from __future__ import annotations

import os

import msgspec

from ..errors import ActionError
from ..literals import Literal
from ..processes import ProcessId
from ..specs import EntityId, Interface
from .actions import RunOptions
from .phases import Phase

RUNNING = Phase.RUNNING.value
"""The status of a run that is not over."""


class RunRecord(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One run as a store keeps it: enough to show it, and to go on with it when its engine has died.

    Attributes:
        name: Name of the run.
        entity: What was run.
        interface: Its interface when the run began.
        inputs: Its inputs, with defaults.
        options: How it is run; `RunOptions.name` is the name of the run.
        owner: The process that drives it, as `this_process` names it.
        status: `RUNNING`, or the final phase of its first action.
        started_at: Seconds since the epoch.
        ended_at: Seconds since the epoch; None while it is not over.
        outputs: Its outputs, once it has succeeded.
        error: Why it failed.
        message: Free text, as the reason of an abort.
        action_count: How many actions it had, once only a part of them is kept; 0 before.
    """

    name: str
    entity: EntityId
    interface: Interface = Interface()
    inputs: dict[str, Literal] = {}
    options: RunOptions = RunOptions()
    owner: str = ""
    status: str = RUNNING
    started_at: float = 0.0
    ended_at: float | None = None
    outputs: dict[str, Literal] = {}
    error: ActionError | None = None
    message: str = ""
    action_count: int = 0

    @property
    def lost(self) -> bool:
        """Whether it is not over, and the process that drove it is gone."""
        return self.status == RUNNING and not process_lives(self.owner)


def this_process() -> str:
    """Name this process so that another can tell whether it still lives: host, id, and when it started, if known."""
    own = ProcessId.own()
    return f"{os.uname().nodename}:{own.pid}:{own.started or ''}"


def process_lives(process: str) -> bool:
    """Tell whether a process still runs, by its name from `this_process`; one of another machine is taken to."""
    host, _, rest = process.partition(":")
    pid, _, started = rest.partition(":")
    if host != os.uname().nodename or not pid.isdigit():
        return bool(process)
    known = ProcessId(int(pid), int(started)) if started.isdigit() else ProcessId.of(int(pid))
    return known.alive
