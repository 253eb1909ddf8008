"""The store of the engine: an interface, and the implementation that keeps everything in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING

from ..errors import AlulaError, UsageError

if TYPE_CHECKING:
    from .actions import Action
    from .runs import RunRecord


class StoreError(AlulaError):
    """What is known of runs cannot be written or read."""


class Store(ABC):
    """Keeps runs and their actions.

    The engine calls `record` for every change of an action and has it committed before anything depends on it: before an
    attempt is submitted, and before an output is shown to a dependent. A durable store gathers the changes of many actions
    into one transaction (group commit).

    One store serves many runs, in several threads and event loops. A plain function that calls tasks keeps the event loop
    of its own run standing still while another one in the same thread drives the calls, so that nothing that `commit`
    awaits may depend on the loop of an earlier caller.

    Attributes:
        durable: Whether what was committed outlives this process. If not, neither commits nor records of runs are asked
            for, and an action is recorded once, when it is made: the store keeps the object itself, which changes.
    """

    durable = True

    # --- actions -----------------------------------------------------------------------------------------------------

    @abstractmethod
    def record(self, run: str, action: Action) -> None:
        """Take the present state of a new or changed action of a run that has begun. It is not yet durable."""

    @abstractmethod
    def commit(self) -> Awaitable[None] | None:
        """Make everything recorded so far durable. Called inside the event loop that awaits what it returns.

        Returns:
            None if it is durable already, else an awaitable that is done when it is.

        Raises:
            Exception: It cannot be made durable; the run stops. The awaitable may raise it as well.
        """

    def commit_now(self) -> bool:
        """Make everything recorded so far durable without an event loop, if that takes well below a millisecond.

        Returns:
            Whether it is durable; if not, an event loop is entered for `commit`.

        Raises:
            Exception: It cannot be made durable; the run stops.
        """
        return False

    @abstractmethod
    def find(self, run: str, action: str) -> Action | None:
        """Return an action as it was recorded last, or None: how a repeated call finds the child that it made before.

        Raises:
            StoreError: It cannot be read.
        """

    @abstractmethod
    def actions(self, run: str) -> Sequence[Action]:
        """Return the actions of a run in the order in which they were created.

        Raises:
            StoreError: One cannot be read.
        """

    def open_actions(self, run: str) -> Sequence[Action]:
        """Return those actions of a run whose phase is not final, in the order in which they were created.

        Raises:
            StoreError: One cannot be read.
        """
        return [action for action in self.actions(run) if not action.final]

    # --- runs --------------------------------------------------------------------------------------------------------

    @abstractmethod
    def begin_run(self, record: RunRecord) -> None:
        """Keep a new run; it is durable when this returns.

        Raises:
            UsageError: There is a run of that name.
            StoreError: It cannot be written.
        """

    @abstractmethod
    def change_run(self, record: RunRecord) -> None:
        """Take the present state of a run, with everything recorded of its actions; durable when this returns.

        Raises:
            StoreError: It cannot be written.
        """

    @abstractmethod
    def claim_run(self, name: str, owner: str, before: str) -> bool:
        """Make a process the owner of a run that is not over, if its owner is still the one that it was.

        Of several that try, one succeeds. Durable when this returns.

        Args:
            name: Name of the run.
            owner: Who is to drive it.
            before: Who drove it.

        Returns:
            Whether it is theirs; if not, somebody else was faster, or the run is over or gone.
        """

    @abstractmethod
    def find_run(self, name: str) -> RunRecord | None:
        """Return a run, or None.

        Raises:
            StoreError: It cannot be read.
        """

    @abstractmethod
    def runs(self, *, status: str = "", entity: str = "") -> Sequence[RunRecord]:
        """Return runs, newest first.

        Args:
            status: Only those of this status.
            entity: Only those of this entity, by its qualified name or the last part of it.
        """

    @abstractmethod
    def forget(self, run: str) -> None:
        """Drop a run and its actions. Idempotent."""

    def close(self) -> None:
        """Release what the store holds, without writing what was only recorded. Idempotent."""


class MemoryStore(Store):
    """Keeps runs in this process only."""

    durable = False

    def __init__(self) -> None:
        self._runs: dict[str, dict[str, Action]] = {}
        self._records: dict[str, RunRecord] = {}

    def record(self, run: str, action: Action) -> None:
        try:
            self._runs[run][action.id] = action
        except KeyError:
            self._runs[run] = {action.id: action}

    def commit(self) -> Awaitable[None] | None:
        return None

    def commit_now(self) -> bool:
        return True

    def find(self, run: str, action: str) -> Action | None:
        actions = self._runs.get(run)
        return None if actions is None else actions.get(action)

    def actions(self, run: str) -> Sequence[Action]:
        return list(self._runs.get(run, {}).values())

    def begin_run(self, record: RunRecord) -> None:
        if self._records.setdefault(record.name, record) is not record:
            raise name_taken(record.name)

    def change_run(self, record: RunRecord) -> None:
        self._records[record.name] = record

    def claim_run(self, name: str, owner: str, before: str) -> bool:
        record = self._records.get(name)
        if record is None or record.ended_at is not None or record.owner != before:
            return False
        record.owner = owner
        return True

    def find_run(self, name: str) -> RunRecord | None:
        return self._records.get(name)

    def runs(self, *, status: str = "", entity: str = "") -> Sequence[RunRecord]:
        return [
            record
            for record in reversed(self._records.values())
            if status in {"", record.status} and f".{record.entity.name}".endswith(f".{entity}" if entity else "")
        ]

    def forget(self, run: str) -> None:
        self._runs.pop(run, None)
        self._records.pop(run, None)


def name_taken(name: str) -> UsageError:
    """Return the error for a name that another run has."""
    return UsageError(
        f"there is a run with the name {name!r} already",
        hint=f"Choose another name, or forget the old run: alula runs delete {name}",
    )
