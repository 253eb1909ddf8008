"""A tree of actions on the terminal that moves while the run does."""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from alula_kernel.contracts import ActionEvent

from .action_tree import ActionTree, Line
from .failures import say_styled
from .progress import Progress

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

_DELAY_SECONDS = 0.3
"""Runs that are over sooner are not worth loading the library that draws the tree."""
_REFRESHES_PER_SECOND = 5
_FINAL_LINES = 60


class LiveProgress(Progress):
    """Draws the tree while the run lasts, in a thread of its own, and prints it once more at the end.

    Args:
        is_answered: Tells whether an answer to a gate is known; while one is asked for, nothing is drawn.
    """

    def __init__(self, is_answered: Callable[[str], bool]) -> None:
        self._is_answered = is_answered
        self._tree = ActionTree(plain_symbols="utf" not in (sys.stderr.encoding or "").lower())
        self._lock = threading.Lock()  # of the tree
        # Of starting and stopping to draw. Rich draws under a lock of its own and then asks for the tree, so the tree's
        # lock is never held while Rich is called.
        self._drawing = threading.RLock()
        self._ended = threading.Event()
        self._live: Live | None = None
        self._asking: set[str] = set()
        self._thread = threading.Thread(target=self._draw_later, name="alula-progress", daemon=True)

    def __call__(self, event: ActionEvent) -> None:
        with self._lock:
            self._tree.apply(event)
        if event.kind == "gate":
            self._make_room(event)

    def __enter__(self) -> LiveProgress:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        if self._live is not None:
            self._live.stop()
        for line in self._tree.lines(time.time(), _FINAL_LINES):
            say_styled(line.text, fg=line.color, dim=line.dim or None)

    def _draw_later(self) -> None:
        if self._ended.wait(_DELAY_SECONDS):
            return
        from rich.console import Console
        from rich.live import Live

        live = Live(
            console=Console(stderr=True, highlight=False),
            get_renderable=self._drawn,
            refresh_per_second=_REFRESHES_PER_SECOND,
            transient=True,
            # What a task prints appears above the tree; where stdout leads elsewhere, it must not be led here.
            redirect_stdout=sys.stdout.isatty(),
            redirect_stderr=True,
        )
        with self._drawing:
            self._live = live
            if not self._asking:
                live.start()
        self._ended.wait()

    def _drawn(self) -> Text:
        from rich.text import Text

        room = max(4, shutil.get_terminal_size().lines - 2)
        with self._lock:
            lines = self._tree.lines(time.time(), room)
        text = Text(no_wrap=True, overflow="ellipsis")
        for number, line in enumerate(lines):
            text.append("\n" * bool(number) + line.text, style=_style(line))
        return text

    def _make_room(self, event: ActionEvent) -> None:
        """Draw nothing while a person is asked."""
        with self._drawing:
            if event.phase == "paused" and event.name != "sleep" and not self._is_answered(event.name):
                self._asking.add(event.action)
                if self._live is not None:
                    self._live.stop()
            elif event.action in self._asking:
                self._asking.discard(event.action)
                if self._live is not None and not self._asking:
                    self._live.start()


def _style(line: Line) -> str:
    return " ".join([*(["dim"] if line.dim else []), *([line.color] if line.color else [])])
