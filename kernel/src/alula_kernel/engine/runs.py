"""What a durable store keeps of a run beside its actions, and who drives it."""

from __future__ import annotations

import os

import msgspec

from ..errors import ActionError
from ..literals import Literal
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
    return f"{os.uname().nodename}:{os.getpid()}:{_start_of(os.getpid())}"


def process_lives(process: str) -> bool:
    """Tell whether a process still runs, by its name from `this_process`; one of another machine is taken to."""
    host, _, rest = process.partition(":")
    pid, _, start = rest.partition(":")
    if host != os.uname().nodename or not pid.isdigit():
        return bool(process)
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return not start or _start_of(int(pid)) == start


def _start_of(pid: int) -> str:
    """Return when a process started, in the kernel's own count; empty where the system does not tell, or it is dead."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name of the program, in parentheses, may hold spaces; the start is the 20th field after it (proc(5)).
            fields = file.read().rpartition(b")")[2].split()
    except (OSError, IndexError):
        return ""
    return "" if fields[0] == b"Z" else fields[19].decode()
