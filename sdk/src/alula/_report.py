"""Reports: HTML that a task writes about itself."""

from __future__ import annotations

import enum
import html
import inspect
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from alula_kernel.errors import UnknownNameError

from ._aio import WithAio
from ._redaction import masked

if TYPE_CHECKING:
    from alula_kernel.storage import Storage

    from ._app import App
    from ._task import Task

logger = logging.getLogger("alula.report")


class DeckField(str, enum.Enum):
    """What a report shows by itself."""

    INPUT = "Input"
    OUTPUT = "Output"
    SOURCE_CODE = "Source Code"
    DEPENDENCIES = "Dependencies"
    TIMELINE = "Timeline"


_DEFAULT_FIELDS = tuple(DeckField)


def check_fields(fields: Iterable[DeckField | str], location: str) -> None:
    """Check what a task wants its report to show by itself.

    Args:
        fields: Fields, or their values.
        location: ``file:line`` of the task.

    Raises:
        UnknownNameError: There is no such field.
    """
    known = [field.value for field in DeckField]
    for field in [fields] if isinstance(fields, str) else fields:
        name = getattr(field, "value", field)
        if name not in known:
            raise UnknownNameError.among("deck field", str(name), known, location=location)


class Deck:
    """A tab of a report.

    Args:
        name: Its title; a second tab of the same title gets a number.
        html: Its content; HTML of the author's, shown in a sandbox.
        auto_add_to_deck: Whether it is added to the report of the running task.
    """

    def __init__(self, name: str, html: str | None = "", auto_add_to_deck: bool = True) -> None:
        self.name = name
        self._parts = [html] if html else []
        if auto_add_to_deck:
            report = _running_report()
            if report is not None:
                report.add(self)

    @property
    def html(self) -> str:
        """Its content so far."""
        return "\n".join(self._parts)

    def append(self, html: str) -> Deck:
        """Add to its content."""
        self._parts.append(html)
        return self

    @WithAio
    def log(self, html: str, do_flush: bool = False) -> None:
        """Add to its content, and with `do_flush` write the report of the running task."""
        self.append(html)
        if do_flush:
            flush()

    @WithAio
    def replace(self, html: str, do_flush: bool = False) -> None:
        """Put other content in its place, and with `do_flush` write the report of the running task."""
        self._parts = [html]
        if do_flush:
            flush()

    @staticmethod
    def publish() -> None:
        """Write the report of the running task as it is now."""
        flush()


class Report:
    """The report of an action: tabs, each shown in a sandbox of its own.

    Args:
        title: Title of the page.
        enabled: Whether the task asked for a report.
    """

    def __init__(self, title: str, enabled: bool) -> None:
        self.title = title
        self.enabled = enabled
        self.decks: list[Deck] = []
        self._timeline: list[tuple[str, float]] = []

    def tab(self, name: str) -> Deck:
        """Return the tab of a name, made at the first call."""
        for deck in self.decks:
            if deck.name == name:
                return deck
        deck = Deck(name, auto_add_to_deck=False)
        self.add(deck)
        return deck

    def add(self, deck: Deck) -> None:
        """Add a tab."""
        taken = {other.name for other in self.decks}
        number = 2
        name = deck.name
        while deck.name in taken:
            deck.name = f"{name} ({number})"
            number += 1
        self.decks.append(deck)

    def time_block(self, name: str, seconds: float) -> None:
        """Add a line to the timeline."""
        self._timeline.append((name, seconds))

    def add_automatic(self, task: Task, inputs: Mapping[str, Any], result: Any, app: App) -> None:
        """Add the tabs that the task's ``deck_fields`` ask for."""
        fields = task.settings.deck_fields if task.settings.deck_fields is not None else _DEFAULT_FIELDS
        wanted = {getattr(field, "value", field) for field in fields}
        compiled = task.compiled(app)
        if "Input" in wanted and inputs:
            self.add(Deck("Input", _values_html(compiled.inputs, inputs), auto_add_to_deck=False))
        if "Output" in wanted and compiled.outputs and not task.dynamic:
            values = compiled.python.unpack(result, task.title)
            self.add(Deck("Output", _values_html(compiled.outputs, values), auto_add_to_deck=False))
        if "Source Code" in wanted and task.function is not None:
            self.add(Deck("Source Code", _source_html(task.function), auto_add_to_deck=False))
        if "Dependencies" in wanted:
            self.add(Deck("Dependencies", dependencies_html(), auto_add_to_deck=False))
        if "Timeline" in wanted and self._timeline:
            rows = "".join(f"<tr><td>{html.escape(n)}</td><td>{s:.3f} s</td></tr>" for n, s in self._timeline)
            self.add(Deck("Timeline", f"<table>{rows}</table>", auto_add_to_deck=False))

    def to_html(self) -> str:
        """Return the whole page.

        Every tab is an iframe with an origin of its own: scripts, as those of charts, run in it, and reach neither the
        page around it nor other tabs, cookies or files.
        """
        tabs = "".join(
            f"<details {'open' if number == 0 else ''}><summary>{html.escape(deck.name)}</summary>"
            f'<iframe sandbox="allow-scripts" srcdoc="{html.escape(_page(deck), quote=True)}"></iframe></details>'
            for number, deck in enumerate(self.decks)
        )
        return _PAGE.format(title=html.escape(self.title), tabs=tabs or "<p>The report is empty.</p>")

    def write(self, storage: Storage, prefix: str) -> str:
        """Write the page and return its URI; empty, with a warning, if that fails."""
        uri = storage.uri(f"{prefix}/report.html") if prefix else ""
        try:
            with storage.writer(name="report.html", uri=uri) as stream:
                stream.write(masked(self.to_html()).encode())
        except OSError as problem:
            logger.warning("the report of %s could not be written: %s", self.title, problem)
            return ""
        return uri or stream.blob.uri


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body{{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}}
iframe{{width:100%;height:28rem;border:1px solid #ccc;border-radius:4px;background:#fff}}
summary{{cursor:pointer;font-weight:600;padding:.4rem 0}}
</style></head><body><h1>{title}</h1>{tabs}</body></html>
"""

_STYLE = "<style>body{font:14px/1.5 system-ui,sans-serif}table{border-collapse:collapse}td,th{border:1px solid #ddd;padding:2px 8px}</style>"


def _page(deck: Deck) -> str:
    return f"<!doctype html>{_STYLE}{masked(deck.html)}"


def _values_html(converters: Mapping[str, Any], values: Mapping[str, Any]) -> str:
    parts = []
    for name, value in values.items():
        converter = converters.get(name)
        try:
            shown = converter.to_html(value) if converter is not None else html.escape(repr(value))
        except Exception as problem:  # noqa: BLE001 - a preview of the user's may raise anything
            logger.warning("the preview of %s failed: %s", name, problem)
            shown = html.escape(repr(type(value)))
        parts.append(f"<h4>{html.escape(name)}</h4>{shown}")
    return "".join(parts)


def _source_html(function: Any) -> str:
    try:
        source = inspect.getsource(inspect.unwrap(function))
    except (OSError, TypeError):
        source = "The source is not available."
    return f"<pre>{html.escape(source)}</pre>"


def dependencies_html() -> str:
    """Return a table of the installed distributions and their versions."""
    import importlib.metadata

    found = sorted({(d.metadata["Name"] or "?", d.version) for d in importlib.metadata.distributions()})
    rows = "".join(f"<tr><td>{html.escape(n)}</td><td>{html.escape(v)}</td></tr>" for n, v in found)
    return f"<table><tr><th>Distribution</th><th>Version</th></tr>{rows}</table>"


def _running_report() -> Report | None:
    from ._context import ctx

    context = ctx()
    return context.report if context is not None else None


def _enabled_report(what: str) -> Report | None:
    report = _running_report()
    if report is not None and not report.enabled:
        logger.warning("%s does nothing: the task was not asked for a report (report=True or enable_deck=True)", what)
        return None
    return report


@WithAio
def log(content: str, do_flush: bool = False) -> None:
    """Add HTML to the main tab of the running task's report."""
    report = _enabled_report("report.log")
    if report is not None:
        report.tab("main").append(content)
        if do_flush:
            flush()


@WithAio
def replace(content: str, do_flush: bool = False) -> None:
    """Put HTML in place of the main tab of the running task's report."""
    report = _enabled_report("report.replace")
    if report is not None:
        report.tab("main").replace(content)
        if do_flush:
            flush()


def get_tab(name: str) -> Deck:
    """Return a tab of the running task's report, made at the first call."""
    report = _running_report()
    return report.tab(name) if report is not None else Deck(name, auto_add_to_deck=False)


@WithAio
def flush() -> None:
    """Write the running task's report as it is now, for those who watch."""
    from ._context import ctx

    context = ctx()
    if context is not None and _enabled_report("flush") is not None:
        context.report.write(context.app.storage, context.output_prefix)


@contextmanager
def time_block(name: str) -> Iterator[None]:
    """Measure a block and show it in the timeline of the running task's report."""
    started = time.perf_counter()
    try:
        yield
    finally:
        report = _running_report()
        if report is not None:
            report.time_block(name, time.perf_counter() - started)
