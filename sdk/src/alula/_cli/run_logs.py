"""Printing what the attempts of a run printed."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from alula_kernel.errors import UnknownNameError

from .._app import current_app
from .._printed import PrintedOutput, Source
from .failures import say, say_warning

if TYPE_CHECKING:
    from alula_kernel.engine.sqlite_store import SqliteStore


def print_logs(
    store: SqliteStore, run: str, *, action: str = "", attempt: int = 0, follow: bool = False, output: str = "text"
) -> None:
    """Print what attempts of a run printed, and why nothing of others can be shown.

    Args:
        store: Where the run is.
        run: Its name.
        action: Only attempts of this action, or of all actions of this name; empty for all.
        attempt: Only attempts of this number; 0 for all.
        follow: Whether to go on until the run has ended.
        output: ``text``, or ``json`` for an object per line.

    Raises:
        UnknownNameError: There is no such action.
    """
    app = current_app()
    printed = PrintedOutput(store, run, app.executors, action=action, attempt=attempt, warn=say_warning)
    printer = _JsonLines() if output == "json" else _Text(headings=not (action and attempt))
    try:
        asyncio.run(printed.copy(printer, follow=follow))
    finally:
        app.close()
    if action and not printed.found:
        raise UnknownNameError.among("action", action, printed.names, location=f"run {run}")
    for reason in printed.unkept:
        say(f"not shown: {reason}")
    if not printer.used and not printed.unkept:
        say("nothing was printed")


class _Text:
    """Prints text, below a heading wherever another attempt comes.

    Args:
        headings: Whether there are headings.
    """

    def __init__(self, *, headings: bool) -> None:
        self.used = False
        self._headings = headings
        self._last: tuple[str, int] | None = None

    def __call__(self, source: Source, text: bytes) -> None:
        this = source.action.id, source.attempt.number
        if self._headings and this != self._last:
            click.echo(f"{chr(10) * self.used}==> {source.title} <==")
        self.used, self._last = True, this
        click.echo(text, nl=False)


class _JsonLines:
    """Prints an object for each line."""

    def __init__(self) -> None:
        self.used = False

    def __call__(self, source: Source, text: bytes) -> None:
        import json

        self.used = True
        where = {"action": source.action.id, "name": source.action.name, "attempt": source.attempt.number}
        for line in text.decode(errors="replace").removesuffix("\n").split("\n"):
            click.echo(json.dumps({**where, "line": line}, ensure_ascii=False))
