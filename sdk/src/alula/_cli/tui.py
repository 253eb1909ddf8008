"""``alula tui``: the runs of this machine in a view that fills the terminal."""

from __future__ import annotations

import sys

import click

from alula_kernel.errors import UsageError

from .._app import current_app
from .._data.dependencies import load
from .._history import find_run
from .runs import history


@click.command("tui")
@click.argument("name", default="", required=False)
def command(name: str) -> None:
    """Browse the runs of this machine in a full-screen view: tree, attempts, output, timeline.

    NAME is the name of the run to show, or the beginning of it; without it, all runs are listed. Runs of other processes are
    followed while they run. The keys stand at the bottom.
    """
    load("textual", "by alula tui")
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("alula tui needs a terminal", hint="Elsewhere: alula runs list, alula runs show")
    from .._tui.browser import Browser

    app = current_app()
    with history() as store:
        run = find_run(store, name).name if name else ""
        try:
            Browser(store, app, run).run()
        finally:
            app.close()
