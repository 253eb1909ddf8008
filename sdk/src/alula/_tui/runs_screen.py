"""The runs of this machine, newest first."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from rich.text import Text
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import DataTable, Footer, Input, Static

from .._cli.tables import time_text
from .._history import STATUSES, list_runs, status_of
from .reading import Watch
from .run_screen import RunScreen
from .shown import seconds_of, style_of, symbol_of

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from alula_kernel.engine import RunRecord
    from alula_kernel.engine.sqlite_store import SqliteStore

    from .._app import App

_MOST_RUNS = 500
_COLUMNS = ("status", "run", "entity", "started", "took")


class RunsScreen(Screen[None]):
    """A list of runs that follows what happens.

    Args:
        store: Where they are.
        app: The application of this process.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("s", "next_status", "Status"),
        Binding("escape", "all", "All"),
    ]
    DEFAULT_CSS = """
    RunsScreen #heading { height: 1; padding: 0 1; background: $panel; }
    RunsScreen Input { display: none; }
    RunsScreen Input.wanted { display: block; }
    RunsScreen DataTable { height: 1fr; }
    """

    def __init__(self, store: SqliteStore, app: App) -> None:
        super().__init__()
        self._store = store
        self._application = app
        self._status = ""
        self._text = ""
        self._rows: dict[str, tuple[Text, ...]] = {}
        self._widths: list[int] = []
        self._records: list[RunRecord] = []
        self._problem = ""
        self._watch = Watch(store, self._read, self._show, self._show_time, self._tell)

    def compose(self) -> ComposeResult:
        yield Static("", id="heading")
        yield Input(placeholder="part of a run's name, entity or label")
        yield DataTable(cursor_type="row", zebra_stripes=True)
        yield Footer()

    def on_mount(self) -> None:
        """Begin to watch the store."""
        self._table.focus()
        self.run_worker(self._watch.run(), group="watch")

    @property
    def _table(self) -> DataTable[Text]:
        return self.query_one(DataTable)

    # --- what is read and shown --------------------------------------------------------------------------------------

    def _read(self) -> list[RunRecord]:
        text = self._text.casefold()
        return [record for record in list_runs(self._store, status=self._status) if text in _searched(record)]

    def _show(self, records: list[RunRecord]) -> None:
        if not self.query(DataTable).nodes or not self.query("#heading").nodes:
            return  # the program ends
        self._problem = ""
        self._records = records[:_MOST_RUNS]
        status = (self._status or "all").replace("_", " ")
        heading = Text("alula", style="bold")
        heading.append(f"  {len(records):,} run{'s' * (len(records) != 1)}", style="not bold")
        heading.append(f"  status: {status}" + (f"  filter: {self._text}" if self._text else ""), style="dim not bold")
        if len(records) > _MOST_RUNS:
            heading.append(f"  the newest {_MOST_RUNS} are shown", style="dim not bold")
        self.query_one("#heading", Static).update(heading)
        self._show_rows()

    def _show_rows(self) -> None:
        rows = {record.name: _row(record) for record in self._records}
        table = self._table
        # Widths are given, because a table that finds out itself may have drawn its rows before, and leaves them so.
        widths = [max(len(name), *(row[at].cell_len for row in rows.values()), 0) for at, name in enumerate(_COLUMNS)]
        if list(rows) == list(self._rows) and widths == self._widths:
            for name, row in rows.items():
                for column, cell, before in zip(_COLUMNS, row, self._rows[name], strict=True):
                    if cell != before:
                        table.update_cell(name, column, cell)
        else:
            names, at = list(self._rows), table.cursor_row
            # On the first row the cursor stays with the newest run, else with its run.
            kept = names[at] if 0 < at < len(names) else ""
            table.clear(columns=True)
            for column, width in zip(_COLUMNS, widths, strict=True):
                table.add_column(column.upper(), width=width, key=column)
            for name, row in rows.items():
                table.add_row(*row, key=name)
            if kept in rows:
                table.move_cursor(row=list(rows).index(kept))
        self._rows, self._widths = rows, widths

    def _show_time(self) -> None:
        """Show how long what runs has taken since."""
        if any(record.ended_at is None for record in self._records) and self.query(DataTable).nodes:
            self._show_rows()

    def _tell(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            self.notify(problem, severity="error", markup=False)

    # --- what the user does ------------------------------------------------------------------------------------------

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        """Show a run."""
        if event.row_key.value is not None:
            self.app.push_screen(RunScreen(self._store, self._application, event.row_key.value))

    def on_input_changed(self, event: Input.Changed) -> None:
        """Filter while the user types."""
        self._text = event.value.strip()
        self._watch.now()

    def on_input_submitted(self, _event: Input.Submitted) -> None:
        """Go back to the list."""
        self._table.focus()

    def action_filter(self) -> None:
        """Let the user type what to look for."""
        filter_input = self.query_one(Input)
        filter_input.add_class("wanted")
        filter_input.focus()

    def action_next_status(self) -> None:
        """Show only runs of the next status."""
        order = ["", *STATUSES]
        self._status = order[(order.index(self._status) + 1) % len(order)]
        self._watch.now()

    def action_all(self) -> None:
        """Show all runs again."""
        self._status = ""
        filter_input = self.query_one(Input)
        filter_input.value = ""
        filter_input.remove_class("wanted")
        self._table.focus()
        self._watch.now()


def _searched(record: RunRecord) -> str:
    labels = " ".join(f"{key}={value}" for key, value in record.options.labels.items())
    return f"{record.name} {record.entity.name} {labels}".casefold()


def _row(record: RunRecord) -> tuple[Text, ...]:
    status = status_of(record)
    took = "" if status == "lost" else seconds_of(record.started_at, record.ended_at, time.time())
    return (
        Text(f"{symbol_of(status)} {status.replace('_', ' ')}", style=style_of(status)),
        Text(record.name),
        Text(record.entity.name),
        Text(time_text(record.started_at), style="dim"),
        Text(took, justify="right"),
    )
