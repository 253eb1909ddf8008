"""The store of the engine: an interface, and the implementation that keeps everything in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .actions import Action


class Store(ABC):
    """Keeps the actions of runs.

    The engine calls `record` for every change and `commit` before anything depends on it: before an attempt is
    submitted, and before an output is shown to a dependent. A durable store gathers the changes of many actions into one
    transaction (group commit) and lets `commit` return an awaitable that is done when they are on disk.

    One store serves many runs, in several threads and event loops. A plain function that calls tasks keeps the event loop
    of its own run standing still while another one in the same thread drives the calls, so that nothing that `commit`
    awaits may depend on the loop of an earlier caller.

    Attributes:
        durable: Whether what was committed outlives this process; if not, `commit` is never called and handles of attempts
            are not recorded at once.
    """

    durable = True

    @abstractmethod
    def record(self, run: str, action: Action) -> None:
        """Take the present state of a new or changed action. It is not yet durable."""

    @abstractmethod
    def commit(self) -> Awaitable[None] | None:
        """Make everything recorded so far durable. Called inside the event loop that awaits what it returns.

        Returns:
            None if it is durable already, else an awaitable that is done when it is.

        Raises:
            Exception: It cannot be made durable; the run stops. The awaitable may raise it as well.
        """

    @abstractmethod
    def find(self, run: str, action: str) -> Action | None:
        """Return an action by id, or None: how a repeated call finds the child that it made before."""

    @abstractmethod
    def actions(self, run: str) -> Sequence[Action]:
        """Return the actions of a run in the order in which they were created."""

    @abstractmethod
    def forget(self, run: str) -> None:
        """Drop a run. Idempotent."""


class MemoryStore(Store):
    """Keeps actions in this process only."""

    durable = False

    def __init__(self) -> None:
        self._runs: dict[str, dict[str, Action]] = {}

    def record(self, run: str, action: Action) -> None:
        try:
            self._runs[run][action.id] = action
        except KeyError:
            self._runs[run] = {action.id: action}

    def commit(self) -> Awaitable[None] | None:
        return None

    def find(self, run: str, action: str) -> Action | None:
        actions = self._runs.get(run)
        return None if actions is None else actions.get(action)

    def actions(self, run: str) -> Sequence[Action]:
        return list(self._runs.get(run, {}).values())

    def forget(self, run: str) -> None:
        self._runs.pop(run, None)
