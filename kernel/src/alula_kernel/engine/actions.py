"""Actions and runs as the engine holds them, and the one function that changes an action's phase."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from ..contracts import ActionEvent, CodeReference, EventListener, Handle
from ..errors import ActionError, EngineError
from ..literals import Literal
from ..specs import EntitySpec, WorkflowSpec
from .phases import FINAL, TRANSITIONS, Phase

if TYPE_CHECKING:
    from .store import Store

logger = logging.getLogger("alula.engine")

ROOT_ACTION = "a0"
"""Id of the first action of every run."""

_RUNNING = Phase.RUNNING


class AttemptRecord(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """One try of an action.

    Attributes:
        number: 1 for the first.
        executor: Name of the executor that runs it.
        started_at: Seconds since the epoch.
        ended_at: Seconds since the epoch; None while it runs.
        outcome: `alula_kernel.contracts.Outcome.kind`; empty while it runs.
        error: Why it did not succeed.
        handle: How its executor finds it again; None before it was submitted, and if it ends with the engine's process.
        graph: What a dynamic task gave, while it is driven by a durable engine.
        entities: Specs behind the graph that the engine may not know.
        interrupted: Whether it was lost with the engine that drove it, which counts against no budget.
    """

    number: int
    executor: str
    started_at: float
    ended_at: float | None = None
    outcome: str = ""
    error: ActionError | None = None
    handle: Handle | None = None
    graph: WorkflowSpec | None = None
    entities: tuple[EntitySpec, ...] = ()
    interrupted: bool = False


# Neither is looked at by the garbage collector: what they hold has no way back to them, and a run may have 100,000.
class Action(msgspec.Struct, kw_only=True, omit_defaults=True, eq=False, gc=False):
    """One node of a run's tree.

    Attributes:
        id: Unique in its run; the root's is `ROOT_ACTION`.
        parent: Id of the parent; empty for the root.
        name: What people see.
        kind: ``task``, ``workflow``, ``launch_plan``, ``map``, ``branch``, ``gate`` or ``trace``.
        entity: Qualified name of the entity that it runs; empty for a branch or gate.
        phase: Where it is in its life; changed by `change_phase` alone.
        inputs: Its inputs.
        outputs: Its outputs, once it has succeeded.
        error: Why it failed.
        attempts: Its tries, oldest first.
        cache: ``hit``, ``miss``, ``populated``, ``overwritten``, ``disabled`` or empty if it is not cached.
        cache_digest: Digest of its cache key, if it is cached.
        cached_from: Run and action that made the outputs of a hit.
        report: URI of its HTML report, if it wrote one.
        checkpoint: URI prefix of its last checkpoint, if it wrote one.
        location: ``file:line`` of the call that made it.
        message: Free text, as the reason of an abort.
        group: Name under which people see it together with its siblings.
        created_at: Seconds since the epoch.
        started_at: When the first attempt or child started; None before.
        ended_at: When it reached a final phase; None before.
    """

    id: str
    parent: str = ""
    name: str = ""
    kind: str = "task"
    entity: str = ""
    phase: Phase = Phase.QUEUED
    inputs: dict[str, Literal] = {}
    outputs: dict[str, Literal] = {}
    error: ActionError | None = None
    attempts: list[AttemptRecord] = []
    cache: str = ""
    cache_digest: str = ""
    cached_from: str = ""
    report: str = ""
    checkpoint: str = ""
    location: str = ""
    message: str = ""
    group: str = ""
    created_at: float = 0.0
    started_at: float | None = None
    ended_at: float | None = None

    @property
    def final(self) -> bool:
        """Whether its phase will never change again."""
        return self.phase in FINAL


class RunOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How a run is to be run.

    Attributes:
        name: Name of the run, unique in its project and domain; empty to have one made.
        project: Project.
        domain: Domain.
        labels: Labels, for filters.
        environment: Environment variables of every attempt.
        overwrite_cache: Compute although there is a cached output, and replace it.
        disable_cache: Neither read nor write the cache.
        cache_scope: ``project`` keeps cached outputs of each project and domain apart; ``global`` shares them among the runs
            that say so.
        max_parallelism: Most attempts at once; None for no limit.
        interruptible: Whether attempts may run on capacity that can be taken away; None leaves it to the tasks.
        executor: Name of the executor of Python tasks; empty for ``inline``.
        output_prefix: URI prefix for reports, checkpoints and named files.
        launch_plan: Name of the launch plan that was launched, if any.
        source: Absolute path of the file, or name of the module, that the entity was loaded from, for whoever resumes the run;
            empty if nobody can.
        context: The custom context of the first action, which every call hands on to its children.
        code: Where workers find the code of its tasks; None if only this process can run them.
    """

    name: str = ""
    project: str = "default"
    domain: str = "development"
    labels: dict[str, str] = {}
    environment: dict[str, str] = {}
    overwrite_cache: bool = False
    disable_cache: bool = False
    cache_scope: str = "project"
    max_parallelism: int | None = None
    interruptible: bool | None = None
    executor: str = ""
    output_prefix: str = ""
    launch_plan: str = ""
    source: str = ""
    context: dict[str, str] = {}
    code: CodeReference | None = None


class ActionTable:
    """The actions of one run: the only place where an action's phase changes.

    Args:
        run: Name of the run.
        store: Where every change is recorded before anything depends on it.
        listeners: Called after a change was recorded, in order. One that raises is warned about once and harms nobody.
        clock: Gives seconds since the epoch.
    """

    __slots__ = ("_durable", "_warned", "clock", "listeners", "run", "store")

    def __init__(
        self, run: str, store: Store, listeners: tuple[EventListener, ...] = (), clock: Callable[[], float] = time.time
    ) -> None:
        self.run = run
        self.store = store
        self._durable = store.durable
        self.listeners = listeners
        self.clock = clock
        self._warned: set[int] = set()

    def create(self, action: Action) -> Action:
        """Record a new action, in phase QUEUED."""
        action.created_at = self.clock()
        self.store.record(self.run, action)
        if self.listeners:
            self.announce(action)
        return action

    def change_phase(
        self,
        action: Action,
        phase: Phase,
        *,
        outputs: dict[str, Literal] | None = None,
        error: ActionError | None = None,
        message: str | None = None,
    ) -> bool:
        """Move an action to another phase and record it together with what else changes at the same time.

        Args:
            action: The action.
            phase: The phase to move to.
            outputs: Its outputs; None leaves them as they are, as with the others.
            error: Why it failed.
            message: Its message.

        Returns:
            True if the change was made; False if the action had already reached a final phase, so that somebody else's
            end (an abort, a timeout) came first and this one must be dropped.

        Raises:
            EngineError: The table of transitions does not allow it.
        """
        before = action.phase
        if phase not in TRANSITIONS[before]:
            if before in FINAL:
                return False
            raise EngineError(f"action {action.id} cannot go from {before} to {phase}")
        now = self.clock()
        action.phase = phase
        if outputs is not None:
            action.outputs = outputs
        if error is not None:
            action.error = error
        if message is not None:
            action.message = message
        if phase is _RUNNING:
            if action.started_at is None:
                action.started_at = now
        elif phase in FINAL:
            action.ended_at = now
        if self._durable:
            self.store.record(self.run, action)
        if self.listeners:
            self.announce(action)
        return True

    def announce(self, action: Action) -> None:
        """Tell the listeners what state an action is in."""
        event = ActionEvent(
            run=self.run,
            action=action.id,
            parent=action.parent,
            name=action.name,
            kind=action.kind,
            phase=action.phase.value,
            attempt=len(action.attempts),
            at=self.clock(),
            cache=action.cache,
            error=action.error,
            message=action.message,
        )
        for listener in self.listeners:
            try:
                listener(event)
            except Exception as problem:
                if id(listener) not in self._warned:
                    self._warned.add(id(listener))
                    logger.warning("the listener %r failed in run %s: %r", listener, self.run, problem, exc_info=True)
