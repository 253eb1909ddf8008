"""Attempts: what an executor is given, and what it says became of it."""

from __future__ import annotations

from typing import Any

import msgspec

from ..errors import ActionError
from ..literals import Literal
from ..specs import EntitySpec, TaskSpec, WorkflowSpec

Handle = dict[str, Any]
"""What an executor needs to find a submitted attempt again: small, JSON, without secrets."""


class CodeReference(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Where a worker finds the code of a run's tasks.

    Attributes:
        kind: ``here`` for source that lies on this machine, ``bundle`` for an archive of source files, ``pickle`` for
            pickled tasks, as of a notebook.
        uri: URI of the archive or pickle; empty for ``here``.
        digest: SHA-256 of it in hexadecimal; for ``here`` whatever tells two states of the source apart, or empty.
        search_path: Folders that come first on ``sys.path``: absolute for ``here``, else relative to the unpacked archive.
    """

    kind: str = "here"
    uri: str = ""
    digest: str = ""
    search_path: tuple[str, ...] = ()


def depth_of(action: str) -> int:
    """Return how deep in the tree of its run an action is, by its id, which begins with its parent's and a dot."""
    return action.count(".")


class Attempt(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One try of an action: all that an executor and a worker need.

    Attributes:
        id: Stable, and unique among the attempts of runs that are known. Once a run was forgotten another one may have its name
            and so the same ids: `identity` tells their attempts apart.
        run: Name of the run.
        action: Id of the action.
        number: 1 for the first attempt.
        task: The task, overrides applied.
        inputs: The inputs.
        timeout_seconds: How long it may run; None for no limit.
        interruptible: Whether it may run on capacity that can be taken away.
        output_prefix: URI prefix for what it writes: reports, checkpoints, outputs.
        previous_checkpoint: URI prefix of the last attempt's checkpoint; empty for none.
        project: Project of the run.
        domain: Domain of the run.
        labels: Labels of the run.
        environment: Environment variables of the run, under those of the task.
        context: The custom context, which every call hands on to its children.
        code: Where a worker finds the code; None where only this process can run it.
        run_started_at: When the run began, in seconds since the epoch.
    """

    id: str
    run: str
    action: str
    number: int
    task: TaskSpec
    inputs: dict[str, Literal]
    timeout_seconds: float | None = None
    interruptible: bool = False
    output_prefix: str = ""
    previous_checkpoint: str = ""
    project: str = "default"
    domain: str = "development"
    labels: dict[str, str] = {}
    environment: dict[str, str] = {}
    context: dict[str, str] = {}
    code: CodeReference | None = None
    run_started_at: float = 0.0

    @property
    def identity(self) -> str:
        """What is the same whenever this attempt is submitted, and different for every other one there ever was.

        Submitting the same identity twice runs it once.
        """
        return "\0".join((self.project, self.domain, self.id, repr(self.run_started_at)))


SUCCEEDED = "succeeded"
USER_FAILURE = "user_failure"
SYSTEM_FAILURE = "system_failure"
TIMED_OUT = "timed_out"
OUT_OF_MEMORY = "out_of_memory"
PREEMPTED = "preempted"
LOST = "lost"
CANCELLED = "cancelled"

OUTCOME_KINDS = frozenset(
    {SUCCEEDED, USER_FAILURE, SYSTEM_FAILURE, TIMED_OUT, OUT_OF_MEMORY, PREEMPTED, LOST, CANCELLED}
)


class Outcome(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What became of an attempt: facts, not policy.

    Attributes:
        kind: One of `OUTCOME_KINDS`.
        outputs: The outputs of a success.
        graph: For a dynamic task, the workflow to drive instead of using `outputs`.
        entities: Specs behind the graph that the engine may not know, since another process made them.
        error: Why it did not succeed.
        report: URI of the HTML report, if one was written.
        checkpoint: URI prefix of the checkpoint, if one was written.
        resources: What was used, as ``{"peak_memory_bytes": 1048576}``.
    """

    kind: str
    outputs: dict[str, Literal] = {}
    graph: WorkflowSpec | None = None
    entities: tuple[EntitySpec, ...] = ()
    error: ActionError | None = None
    report: str = ""
    checkpoint: str = ""
    resources: dict[str, float] = {}
