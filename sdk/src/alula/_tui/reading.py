"""What the view reads from the store: only what is on the screen, however large the run is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from alula_kernel.engine import StoreError

from .._history import cut

if TYPE_CHECKING:
    from alula_kernel.engine import Action, RunRecord
    from alula_kernel.engine.sqlite_store import SqliteStore

    from .._signals import Question, Signals

T = TypeVar("T")

PAGE = 100
"""How many children of an action are shown, and how many more on demand."""
FAILED = ("failed", "timed_out", "aborted")
"""Phases that say that something went wrong."""
_BARS = 200
_SECONDS_BETWEEN_LOOKS = 0.5
_SECONDS_BETWEEN_FULL_LOOKS = 5.0


class Snapshot(NamedTuple):
    """A run as it is shown.

    Attributes:
        record: The run.
        counts: For each action that has children, how many of them are in each phase.
        children: The children that are shown, of each action whose children are; under the empty id the first action.
        chosen: The chosen action; None if it is not known yet.
        bars: The first children of the chosen action.
        questions: What the run asks.
    """

    record: RunRecord
    counts: Mapping[str, Mapping[str, int]]
    children: Mapping[str, list[Action]]
    chosen: Action | None
    bars: list[Action]
    questions: list[Question]


class RunReader:
    """Reads a run again and again: of what was read before, only what is not final.

    Args:
        store: Where it is.
        signals: Where its questions are.
        run: Its name.
    """

    def __init__(self, store: SqliteStore, signals: Signals, run: str) -> None:
        self._store = store
        self._signals = signals
        self._run = run
        self._known: dict[str, Action] = {}
        self._pages: dict[str, _Page] = {}

    def read(self, shown: Mapping[str, int], chosen: str, *, bars: bool) -> Snapshot | None:
        """Read what is shown of the run; None if it was forgotten. Blocks; one call at a time.

        Args:
            shown: For each action whose children are shown, at most how many.
            chosen: Id of the chosen action.
            bars: Whether the children of the chosen action are wanted.
        """
        record = self._store.find_run(self._run)
        if record is None:
            return None
        counts = self._store.child_counts(self._run)
        for action_id, action in self._known.items():
            if not action.final:
                self._known[action_id] = _cut(self._store.find(self._run, action_id) or action)
        wanted = {"": 1, **shown}
        for parent, most in wanted.items():
            self._load(parent, most, sum(counts.get(parent, {}).values()))
        if bars:
            self._load(chosen, _BARS, sum(counts.get(chosen, {}).values()))
        return Snapshot(
            record=record,
            counts=counts,
            children={parent: self._children(parent, most) for parent, most in wanted.items()},
            chosen=self._known.get(chosen),
            bars=self._children(chosen, _BARS) if bars else [],
            questions=self._signals.questions(self._run) if record.ended_at is None else [],
        )

    def _load(self, parent: str, most: int, total: int) -> None:
        """Read the children of an action that are to be shown and were not read yet."""
        page = self._pages.setdefault(parent, _Page())
        missing = min(most, total) - len(page.first)
        if missing > 0:
            for position, action in self._store.page(self._run, parent=parent, after=page.position, limit=missing):
                page.position = position
                page.first.append(self._keep(action))
        if total > most:  # a child before those that are known to have failed may have failed since
            failed = self._store.page(self._run, parent=parent, phases=FAILED, limit=PAGE)
            page.failed = [self._keep(action) for _, action in failed]

    def _keep(self, action: Action) -> str:
        if action.id not in self._known:
            self._known[action.id] = _cut(action)
        return action.id

    def _children(self, parent: str, most: int) -> list[Action]:
        """Return the first children of an action, and after them the first that failed of the others."""
        page = self._pages.get(parent, _Page())
        return [self._known[action] for action in dict.fromkeys([*page.first[:most], *page.failed])]


class _Page:
    """Children of an action that were read.

    Attributes:
        first: The first ones.
        position: Position of the last of them.
        failed: The first ones that failed, if there are more than are shown.
    """

    __slots__ = ("failed", "first", "position")

    def __init__(self) -> None:
        self.first: list[str] = []
        self.position = 0
        self.failed: list[str] = []


def _cut(action: Action) -> Action:
    """Return an action without what takes much room and is not shown."""
    action.inputs, action.outputs = cut(action.inputs), cut(action.outputs)
    for attempt in action.attempts:
        attempt.graph, attempt.entities = None, ()
    return action


class Watch(Generic[T]):
    """Reads again whenever the store has changed, about twice a second, and less often where reading takes long.

    Args:
        store: The store.
        read: Reads, in a thread.
        show: Shows what was read.
        idle: Called instead if nothing has changed.
        fail: Told that it could not be read.
    """

    def __init__(
        self,
        store: SqliteStore,
        read: Callable[[], T],
        show: Callable[[T], None],
        idle: Callable[[], None],
        fail: Callable[[str], None],
    ) -> None:
        self._store = store
        self._read = read
        self._show = show
        self._idle = idle
        self._fail = fail
        self._wanted = asyncio.Event()

    def now(self) -> None:
        """Read at once, because something else is to be shown."""
        self._wanted.set()

    async def run(self) -> None:
        """Go on until cancelled."""
        edition, last = -1, 0.0
        while True:
            began = time.monotonic()
            try:
                found = await asyncio.to_thread(self._store.edition)
                # From time to time anyway: that the process of a run has died changes nothing in the store.
                due = began - last > _SECONDS_BETWEEN_FULL_LOOKS
                if found != edition or due or self._wanted.is_set():
                    self._wanted.clear()
                    edition, last = found, began
                    self._show(await asyncio.to_thread(self._read))
                else:
                    self._idle()
            except StoreError as problem:
                self._fail(str(problem))
            pause = max(_SECONDS_BETWEEN_LOOKS, 5 * (time.monotonic() - began))
            try:
                await asyncio.wait_for(self._wanted.wait(), pause)
            except asyncio.TimeoutError:
                pass
