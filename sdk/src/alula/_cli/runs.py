"""``alula runs``: the history of this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from alula_kernel.errors import UsageError

from .._history import (
    LOST,
    STATUSES,
    actions_of,
    clear_runs,
    find_run,
    forget_runs,
    list_runs,
    open_history,
    status_of,
)
from .._plain import preview, printable
from .._settings import Settings
from .failures import say, say_warning
from .results import run_json, run_summary
from .tables import table, time_text

if TYPE_CHECKING:
    from alula_kernel.engine import Action, RunRecord
    from alula_kernel.engine.sqlite_store import SqliteStore

_MOST_ATTEMPTS = 20
_MOST_ROWS = 200


@contextmanager
def history() -> Iterator[SqliteStore]:
    """Open the runs that the settings choose."""
    store = open_history(Settings.from_environment(), say_warning)
    try:
        yield store
    finally:
        store.close()


@click.group()
def group() -> None:
    """Show and forget the runs of this machine.

    Runs started by `alula run` are kept, the newest 10,000; calls in plain Python are not.
    """


@group.command("list")
@click.option(
    "--limit", type=click.IntRange(min=1), default=20, show_default=True, metavar="N", help="Most runs to show."
)
@click.option("--status", type=click.Choice(STATUSES), help="Only runs that are or ended like that.")
@click.option(
    "--entity", default="", metavar="NAME", help="Only runs of this entity, by its full name or the end of it."
)
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def list_command(limit: int, status: str | None, entity: str, output: str) -> None:
    """List runs, newest first."""
    with history() as opened:
        records = list_runs(opened, limit=limit, status=status or "", entity=entity)
    if output == "json":
        click.echo(json.dumps([run_summary(record) for record in records], indent=2, ensure_ascii=False))
    elif not records:
        say("no runs")
    else:
        rows = [(r.name, status_of(r), r.entity.name, time_text(r.started_at), _took(r)) for r in records]
        click.echo(table(rows, header=("RUN", "STATUS", "ENTITY", "STARTED", "TOOK")))
        if any(row[1] == LOST for row in rows):
            say("the process of a lost run is gone; go on with it: alula run --resume NAME")


@group.command()
@click.argument("name", default="", required=False)
@click.option("--logs", is_flag=True, help="Show what each attempt printed, too.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def show(name: str, logs: bool, output: str) -> None:
    """Show one run: its tree, attempts, inputs, outputs, error and logs.

    NAME is the name of the run or the beginning of it; the newest run is shown without it.
    """
    if logs and output == "json":
        raise UsageError(
            "--logs cannot be given together with --output json, which is one document",
            hint="Logs as JSON, line by line: alula runs logs --output json",
        )
    with history() as opened:
        record = find_run(opened, name)
        actions = actions_of(opened, record, say_warning)
        click.echo(run_json(record, actions) if output == "json" else _shown(record, actions), nl=False)
        if logs:
            from .run_logs import print_logs

            click.echo("\nlogs")
            print_logs(opened, record.name)


@group.command("logs")
@click.argument("name", default="", required=False)
@click.argument("action", default="", required=False)
@click.option("--attempt", type=click.IntRange(min=1), default=None, metavar="N", help="Only attempts of this number.")
@click.option("-f", "--follow", is_flag=True, help="Go on until the run has ended.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def logs_command(name: str, action: str, attempt: int | None, follow: bool, output: str) -> None:
    """Show what the attempts of a run printed, also while they run.

    NAME is the name of the run or the beginning of it; the newest run is taken without it. ACTION is the name or the id of
    an action. Each attempt has a heading, unless ACTION and --attempt are given.
    """
    from .run_logs import print_logs

    with history() as opened:
        record = find_run(opened, name)
        print_logs(opened, record.name, action=action, attempt=attempt or 0, follow=follow, output=output)


@group.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
def delete(names: tuple[str, ...]) -> None:
    """Forget runs, with what their attempts printed. What they stored and cached stays."""
    with history() as opened:
        forget_runs(opened, names)
    say(f"forgot {_runs(len(names))}")


@group.command()
@click.option("--yes", is_flag=True, help="Do not ask.")
def clear(yes: bool) -> None:
    """Forget every run that is not under way, with what attempts printed. What they stored and cached stays."""
    with history() as opened:
        count = sum(status_of(record) != "running" for record in opened.runs())
        if count and not yes:
            click.confirm(f"Forget {_runs(count)}?", abort=True, err=True)
        say(f"forgot {_runs(clear_runs(opened))}")


def _runs(count: int) -> str:
    return f"{count:,} run{'s' * (count != 1)}"


def _took(record: RunRecord) -> str:
    from .._tree import duration_text

    return "-" if record.ended_at is None else duration_text(record.ended_at - record.started_at)


def _shown(record: RunRecord, actions: Sequence[Action]) -> str:
    from .._tree import tree_text

    options, status = record.options, status_of(record)
    message = f"go on with it: alula run --resume {record.name}" if status == LOST else record.message
    facts = [
        ("run", record.name),
        ("status", status + (f" ({message})" if message else "")),
        ("entity", f"{record.entity.name} ({record.entity.kind.replace('_', ' ')})"),
        ("source", options.source),
        ("project", f"{options.project}/{options.domain}"),
        ("started", time_text(record.started_at)),
        ("ended", time_text(record.ended_at)),
        ("took", _took(record)),
        ("labels", ", ".join(f"{key}={value}" for key, value in options.labels.items())),
    ]
    parts = ["\n".join(f"{name:<8} {value}" for name, value in facts if value)]
    parts += [_literals(title, record) for title in ("inputs", "outputs")]
    if actions:
        parts.append(f"actions\n{_indented(printable(tree_text(actions)))}")
        missing = record.action_count - len(actions)
        if missing > 0:
            parts.append(f"  {missing:,} actions that succeeded were not kept")
    parts += [_attempts(actions), _reports(actions), _error(record)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _literals(title: str, record: RunRecord) -> str:
    literals = getattr(record, title)
    lines = [_indented(f"{name}: {preview(literal)}") for name, literal in literals.items()]
    return "\n".join([title, *lines]) if lines else ""


def _attempts(actions: Sequence[Action]) -> str:
    """List the attempts: of many actions, only where there was more than one, or the only one did not succeed."""
    from .._tree import duration_text

    tried = [action for action in actions if action.attempts]
    if len(tried) > _MOST_ATTEMPTS:
        tried = [action for action in tried if len(action.attempts) > 1 or action.attempts[0].outcome != "succeeded"]
    rows = []
    for action in tried:
        for attempt in action.attempts:
            took = "-" if attempt.ended_at is None else duration_text(attempt.ended_at - attempt.started_at)
            error = f"{attempt.error.code}: {printable(attempt.error.message)}" if attempt.error is not None else ""
            name = f"{action.name} #{attempt.number}"
            outcome = attempt.outcome or ("-" if action.final else "running")
            rows.append((name, attempt.executor, outcome, _clock(attempt.started_at), took, error[:200]))
    if not rows:
        return ""
    shown = table(rows[:_MOST_ROWS], header=("ATTEMPT", "EXECUTOR", "OUTCOME", "STARTED", "TOOK", "ERROR"))
    if len(rows) > _MOST_ROWS:
        shown += f"\n... and {len(rows) - _MOST_ROWS:,} more"
    return f"attempts\n{_indented(shown)}"


def _clock(seconds: float) -> str:
    """Show a time of day to the millisecond, so that delays between attempts can be seen."""
    import time

    return f"{time.strftime('%H:%M:%S', time.localtime(seconds))}.{int(seconds * 1e3) % 1_000:03d}"


def _reports(actions: Sequence[Action]) -> str:
    lines = [f"  {action.name}: {action.report}" for action in actions if action.report]
    return "\n".join(["reports", *lines]) if lines else ""


def _error(record: RunRecord) -> str:
    error = record.error
    if error is None:
        return ""
    text = printable((error.traceback or f"{error.code}: {error.message}").rstrip())
    return f"error in {error.name or record.entity.name}\n{_indented(text)}"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
