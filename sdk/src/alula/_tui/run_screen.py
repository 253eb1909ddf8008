"""One run: its tree, and details, output and timeline of the chosen action."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, ClassVar

from textual.binding import Binding, BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.screen import Screen
from textual.widgets import Footer, Static, TabbedContent, TabPane, Tree

from alula_kernel.engine import ROOT_ACTION

from .action_tree import Entry, RunTree
from .answer import AnswerScreen
from .output import OutputView
from .reading import RunReader, Snapshot, Watch
from .shown import action_details, run_heading, timeline

if TYPE_CHECKING:
    from textual.app import ComposeResult

    from alula_kernel.engine.sqlite_store import SqliteStore

    from .._app import App


class RunScreen(Screen[None]):
    """One run, live or past.

    Args:
        store: Where it is.
        app: The application of this process.
        run: Name of the run.
    """

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "app.pop_screen", "Runs"),
        Binding("d", "tab('details')", "Details"),
        Binding("o", "tab('printed')", "Output"),
        Binding("t", "tab('timeline')", "Timeline"),
        Binding("a", "answer", "Answer"),
    ]
    DEFAULT_CSS = """
    RunScreen #heading { height: 2; padding: 0 1; background: $panel; }
    RunScreen #tree { width: 1fr; min-width: 30; background: $background; }
    RunScreen TabbedContent { width: 1fr; border-left: solid $panel; }
    RunScreen TabPane { padding: 0 1; }
    """

    def __init__(self, store: SqliteStore, app: App, run: str) -> None:
        super().__init__()
        self.run_name = run
        self._store = store
        self._application = app
        self._chosen = ROOT_ACTION
        self._tab = "details"
        self._snapshot: Snapshot | None = None
        self._problem = ""
        self._tree = RunTree()
        self._reader = RunReader(store, app.signals, run)
        self._watch = Watch(store, self._read, self._show, self._show_time, self._tell)

    def compose(self) -> ComposeResult:
        yield Static(self.run_name, id="heading")
        with Horizontal():
            yield self._tree
            with TabbedContent(initial="details"):
                with TabPane("Details", id="details"), VerticalScroll():
                    yield Static("", id="about")
                with TabPane("Output", id="printed"):
                    yield OutputView(self._store, self._application, self._tell)
                with TabPane("Timeline", id="timeline"), VerticalScroll():
                    yield Static("", id="bars")
        yield Footer()

    def on_mount(self) -> None:
        """Begin to watch the run."""
        self._tree.focus()
        self.run_worker(self._watch.run(), group="watch")

    # --- what is read and shown --------------------------------------------------------------------------------------

    def _read(self) -> Snapshot | None:
        shown, bars = dict(self._tree.shown), self._tab == "timeline"
        return self._reader.read(shown, self._chosen, bars=bars)

    def _show(self, snapshot: Snapshot | None) -> None:
        if self._is_closed:
            return
        if snapshot is None:
            self._tell(f"the run {self.run_name} was forgotten")
            return
        self._snapshot = snapshot
        self._problem = ""
        if self._tree.update_from(snapshot):
            self._watch.now()
        self._show_heading()
        self._show_chosen()

    def _show_time(self) -> None:
        """Show how long what runs has taken since."""
        if self._snapshot is not None and self._snapshot.record.ended_at is None and not self._is_closed:
            self._tree.refresh_labels()
            self._show_heading()
            self._show_chosen()

    @property
    def _is_closed(self) -> bool:
        """Whether its widgets are gone, as before it is itself when the program ends."""
        return len(self.query("#heading, #about, #bars")) < 3

    def _show_heading(self) -> None:
        if self._snapshot is not None:
            waiting = [question.name for question in self._snapshot.questions]
            heading = run_heading(self._snapshot.record, self._snapshot.counts, waiting, time.time())
            self.query_one("#heading", Static).update(heading)

    def _show_chosen(self) -> None:
        if self._snapshot is None or self._snapshot.chosen is None or self._snapshot.chosen.id != self._chosen:
            return
        chosen = self._snapshot.chosen
        if self._tab == "details":
            self.query_one("#about", Static).update(action_details(chosen, time.time()))
        elif self._tab == "timeline":
            total = sum(self._snapshot.counts.get(chosen.id, {}).values())
            bars = self.query_one("#bars", Static)
            bars.update(timeline(chosen, self._snapshot.bars, total, time.time(), bars.size.width))

    def _tell(self, problem: str) -> None:
        if problem != self._problem:
            self._problem = problem
            self.notify(problem, severity="error", markup=False)

    # --- what the user does ------------------------------------------------------------------------------------------

    def on_tree_node_highlighted(self, event: Tree.NodeHighlighted[Entry]) -> None:
        """Choose the action under the cursor."""
        entry = event.node.data
        if entry is not None and entry.kind == "action" and entry.action != self._chosen:
            self._chosen = entry.action
            self._follow_output()
            self._watch.now()

    def on_tree_node_expanded(self, event: Tree.NodeExpanded[Entry]) -> None:
        """Show the children of an action."""
        entry = event.node.data
        if entry is not None and entry.kind == "action":
            self._tree.show_children_of(entry.action)
            self._watch.now()

    def on_tree_node_selected(self, event: Tree.NodeSelected[Entry]) -> None:
        """Show more of the children of an action."""
        entry = event.node.data
        if entry is not None and entry.kind == "more":
            self._tree.show_more_of(entry.action)
            self._watch.now()

    def on_tabbed_content_tab_activated(self, event: TabbedContent.TabActivated) -> None:
        """Show what the tab is for."""
        self._tab = event.tabbed_content.active
        self._follow_output()
        self._watch.now()

    def action_tab(self, name: str) -> None:
        """Show a tab."""
        self.query_one(TabbedContent).active = name

    def action_answer(self) -> None:
        """Ask for the answer to a question of the run: that of the chosen action, or else the first."""
        questions = self._snapshot.questions if self._snapshot is not None else []
        if not questions:
            self.notify("the run waits for no answer")
            return
        question = next((question for question in questions if question.action == self._chosen), questions[0])
        self.app.push_screen(AnswerScreen(question, self._application), self._told)

    def _told(self, done: str | None) -> None:
        if done:
            self.notify(done, markup=False)
            self._watch.now()

    def _follow_output(self) -> None:
        self.workers.cancel_group(self, "output")
        if self._tab == "printed":
            follow = self.query_one(OutputView).follow(self.run_name, self._chosen)
            self.run_worker(follow, group="output", exclusive=True)
