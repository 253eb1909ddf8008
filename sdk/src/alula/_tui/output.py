"""What the attempts of an action printed, while they run too."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from textual.widgets import Log

from .._printed import Source, keeps_output, printed_lines, why_nothing_is_kept

if TYPE_CHECKING:
    from alula_kernel.engine.sqlite_store import SqliteStore

    from .._app import App

_MOST_LINES = 10_000
_SECONDS_BETWEEN_WRITES = 0.1
_SECONDS_BETWEEN_LOOKS = 0.5
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")


class OutputView(Log):
    """Shows the last lines that the attempts of an action printed.

    Args:
        store: Where the run is.
        app: Whose executors are asked.
        warn: Told what cannot be read.
    """

    def __init__(self, store: SqliteStore, app: App, warn: Callable[[str], None]) -> None:
        super().__init__(max_lines=_MOST_LINES, id="output")
        self._store = store
        self._application = app
        self._warn = warn
        # Written a few times a second at most, and never more than is kept: a task may print a million lines.
        self._waiting: deque[str] = deque(maxlen=_MOST_LINES)

    def on_mount(self) -> None:
        """Begin to write."""
        self.set_interval(_SECONDS_BETWEEN_WRITES, self._write)

    async def follow(self, run: str, action_id: str) -> None:
        """Show what the attempts of an action print, until it has ended."""
        self.clear()
        self._waiting.clear()
        executors = await asyncio.to_thread(lambda: self._application.executors)
        shown = 0
        while True:
            action = await asyncio.to_thread(self._store.find, run, action_id)
            if action is None:
                return
            for attempt in action.attempts[shown:]:
                executor = executors.get(attempt.executor)
                if executor is not None and executor.survives_engine and attempt.handle is None and not attempt.outcome:
                    break  # not submitted yet
                shown += 1
                source = Source(action, attempt)
                self._waiting.append(f"==> {source.title} <==")
                if executor is None or not keeps_output(executor, attempt):
                    self._waiting.append(why_nothing_is_kept(attempt, executor))
                    continue
                async for text in printed_lines(executor, source, self._warn, follow=attempt.ended_at is None):
                    self._waiting.extend(text.decode(errors="replace").removesuffix("\n").split("\n"))
            if action.final:
                break
            await asyncio.sleep(_SECONDS_BETWEEN_LOOKS)
        if not shown:
            self._waiting.append("it has no attempts of its own")

    def _write(self) -> None:
        if self._waiting:
            self.write_lines([_plain_line(line) for line in self._waiting])
            self._waiting.clear()


def _plain_line(line: str) -> str:
    """Return a line without colors, and of a progress bar the last state."""
    return _ESCAPES.sub("", line.rstrip("\r").rpartition("\r")[2])
