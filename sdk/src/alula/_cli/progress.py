"""Telling people on stderr how a run goes: lines here, a live tree in `live`."""

from __future__ import annotations

import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

import click

from alula_kernel.contracts import ActionEvent
from alula_kernel.engine import ROOT_ACTION, Action, Phase

from .._plain import printable
from .._tree import duration_text

if TYPE_CHECKING:
    from alula_kernel.engine import Store
    from alula_kernel.specs import EntityId

    from .._app import App

Find = Callable[[str], "Action | None"]

_SHOWN_ITEM_FAILURES = 5
_SECONDS_BETWEEN_COUNTS = 10.0
_MESSAGE_CHARS = 300


class Progress(ABC):
    """Listens to a run between entering and leaving it as a context."""

    @abstractmethod
    def __call__(self, event: ActionEvent) -> None:
        """Take note of a change of an action; called in the engine's thread."""

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        return None


def begin_progress(run: str, entity: EntityId, store: Store, app: App, verbose: int, began: str = "") -> Progress:
    """Choose how to show progress: a live tree on a terminal, lines elsewhere and for those who want more said.

    Args:
        run: Name of the run.
        entity: What is run.
        store: Where its actions are.
        app: The application that runs it.
        verbose: How often ``-v`` was given.
        began: Said behind the entity, as that the run is resumed.
    """

    def find(action: str) -> Action | None:
        return store.find(run, action)

    if not verbose and sys.stderr.isatty() and os.environ.get("TERM") != "dumb":
        from .live import LiveProgress

        return LiveProgress(lambda signal: signal in app.answers)
    click.echo(f"run {run} of {entity.kind.replace('_', ' ')} {entity.name}{began}", err=True)
    return PlainProgress(find, verbose)


def failure_text(action: Action | None) -> str:
    """Return the last failure of an action in one line."""
    error = action.attempts[-1].error if action is not None and action.attempts else None
    if error is None:
        return ""
    message = printable(" ".join(error.message.split()))
    return f"{error.code}: {message[:_MESSAGE_CHARS]}" if message else error.code


class _MapCount:
    """How far a map is."""

    def __init__(self, at: float) -> None:
        self.succeeded = self.failed = self.told = 0
        self.told_at = at


class PlainProgress(Progress):
    """Prints a line for what people want to know of: ends, cache hits, retries, failures. Items of maps are counted.

    Args:
        find: Finds an action of the run by id.
        verbose: With 1 or more, starts and skipped steps are told too.
    """

    def __init__(self, find: Find, verbose: int = 0) -> None:
        self._find = find
        self._verbose = verbose
        self._started: dict[str, float] = {}
        self._maps: dict[str, _MapCount] = {}
        self._inside: dict[str, str] = {}  # actions inside maps, by the map that they belong to
        self._tellers: dict[str, Callable[[ActionEvent], None]] = {
            Phase.RUNNING.value: self._tell_running,
            Phase.RETRYING.value: self._tell_retry,
            Phase.PAUSED.value: self._tell_pause,
            Phase.SUCCEEDED.value: self._tell_success,
            Phase.FAILED.value: self._tell_failure,
            Phase.TIMED_OUT.value: self._tell_failure,
            Phase.SKIPPED.value: self._tell_skip,
        }

    def __call__(self, event: ActionEvent) -> None:
        inside = self._inside.get(event.action) or (
            event.parent if event.parent in self._maps else self._inside.get(event.parent)
        )
        if inside is not None:
            self._count(event, inside)
            return
        tell = self._tellers.get(event.phase)
        if tell is not None:
            tell(event)

    # --- actions of their own ----------------------------------------------------------------------------------------

    def _tell_running(self, event: ActionEvent) -> None:
        if event.kind == "map":
            self._maps[event.action] = _MapCount(event.at)
        first = self._started.setdefault(event.action, event.at) == event.at
        if self._verbose and (first or event.attempt > 1):
            self._say(event, "started" if event.attempt <= 1 else f"attempt {event.attempt} started")

    def _tell_retry(self, event: ActionEvent) -> None:
        self._say(event, f"attempt {event.attempt} failed, trying again: {failure_text(self._find(event.action))}")

    def _tell_pause(self, event: ActionEvent) -> None:
        self._started.setdefault(event.action, event.at)
        self._say(event, "waiting")

    def _tell_success(self, event: ActionEvent) -> None:
        took = self._took(event)
        if event.cache == "hit":
            self._say(event, "cache hit")
        elif event.kind == "map":
            self._say(event, f"{self._counted(event.action)} in {took}")
            self._maps.pop(event.action, None)
        elif event.kind in {"task", "gate"} and event.action != ROOT_ACTION:
            tried = f" at attempt {event.attempt}" if event.attempt > 1 else ""
            self._say(event, f"succeeded{tried} in {took}")

    def _tell_failure(self, event: ActionEvent) -> None:
        took = self._took(event)
        self._maps.pop(event.action, None)
        error = event.error
        if error is not None and error.action == event.action:
            tried = f" after {event.attempt} attempts" if event.attempt > 1 else ""
            message = printable(" ".join(error.message.split()))[:_MESSAGE_CHARS]
            self._say(event, f"failed{tried} in {took}: {error.code}: {message}")

    def _tell_skip(self, event: ActionEvent) -> None:
        if self._verbose:
            self._say(event, f"skipped: {event.message}")

    def _took(self, event: ActionEvent) -> str:
        return duration_text(event.at - self._started.pop(event.action, event.at))

    # --- items of maps -----------------------------------------------------------------------------------------------

    def _count(self, event: ActionEvent, map_id: str) -> None:
        """Count an item of a map; of what happens inside an item only the first failures are told."""
        final = event.phase in {"succeeded", "failed", "timed_out", "aborted", "skipped"}
        if final:
            self._inside.pop(event.action, None)
        else:
            self._inside[event.action] = map_id
        count = self._maps.get(map_id)
        if count is None or event.parent != map_id or not final:
            return
        if event.phase == "succeeded":
            count.succeeded += 1
        else:
            count.failed += 1
            if event.error is not None and count.failed <= _SHOWN_ITEM_FAILURES:
                message = printable(" ".join(event.error.message.split()))[:_MESSAGE_CHARS]
                self._say(event, f"failed: {event.error.code}: {message}")
        if event.at - count.told_at >= _SECONDS_BETWEEN_COUNTS:
            count.told_at = event.at
            click.echo(f"{_short_id(map_id)}: {self._counted(map_id)} so far", err=True)

    def _counted(self, map_id: str) -> str:
        count = self._maps.get(map_id)
        if count is None:
            return "done"
        failed = f", {count.failed:,} failed" if count.failed else ""
        return f"{count.succeeded:,} items succeeded{failed}"

    def _say(self, event: ActionEvent, text: str) -> None:
        name = printable(event.name)
        label = name if event.action == ROOT_ACTION else f"{_short_id(event.action)} {name}"
        click.echo(f"{label}: {text}", err=True)


def _short_id(action: str) -> str:
    return action.removeprefix(f"{ROOT_ACTION}.")
