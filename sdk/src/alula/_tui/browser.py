"""The program that shows runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import textual.app
from textual.binding import Binding, BindingType

from .run_screen import RunScreen
from .runs_screen import RunsScreen

if TYPE_CHECKING:
    from alula_kernel.engine.sqlite_store import SqliteStore

    from .._app import App


class Browser(textual.app.App[None]):
    """Shows the runs of a store.

    Args:
        store: Where they are; only read.
        app: The application of this process.
        run: Name of the run to begin with; empty for the list of all.
    """

    TITLE = "alula"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit"),
        Binding("ctrl+c", "quit", "Quit", show=False, priority=True),
    ]

    def __init__(self, store: SqliteStore, app: App, run: str = "") -> None:
        super().__init__()
        self._store = store
        self._application = app
        self._run_name = run

    def on_mount(self) -> None:
        """Show the list, and the run over it."""
        self.push_screen(RunsScreen(self._store, self._application))
        if self._run_name:
            self.push_screen(RunScreen(self._store, self._application, self._run_name))
