"""``alula flyte``: run, check and rewrite programs written for Flyte."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from .run_command import command as run_command


@click.group()
def group() -> None:
    """Run, check and rewrite programs written for Flyte."""


group.add_command(run_command)


@group.command()
@click.argument("module", required=False)
def names(module: str | None) -> None:
    """List what becomes of the names of a MODULE of Flyte's, as flytekit.types.file; of all modules without one."""
    from .listing import listing

    click.echo(listing(module), nl=False)


@group.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def check(path: Path, output: str) -> int:
    """Say which names of Flyte's the file or folder PATH uses, and what becomes of each.

    Sources and notebooks are read, and nothing is imported. The exit code is 1 if a name is missing or unknown, or a
    file cannot be read.
    """
    import msgspec

    from .check import as_text
    from .check import check as checked

    report = checked(path)
    click.echo(msgspec.json.encode(report).decode() if output == "json" else as_text(report), nl=output == "json")
    return 0 if report.is_complete else 1


@group.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--write", is_flag=True, help="Write the files, instead of showing the changes.")
@click.option("--check", "checks", is_flag=True, help="Exit with 1 if there is something to rewrite.")
def migrate(path: Path, write: bool, checks: bool) -> int:
    """Rewrite the imports and names of the file or folder PATH to Alula's own.

    Comments and layout are kept. The changes go to stdout as a diff, and what is left to do by hand to stderr. Running
    it again changes nothing.
    """
    from .migrate import diff, summary
    from .migrate import migrate as migrated
    from .migrate import write as written

    migration = migrated(path, _show_progress if sys.stderr.isatty() else lambda done, total: None)
    if write:
        written(migration)
    else:
        for line in diff(migration):
            click.secho(line, fg=_color(line))
    click.echo(summary(migration, written=write), err=True, nl=False)
    return 1 if checks and migration.changed else 0


def _show_progress(done: int, total: int) -> None:
    click.echo(f"\r{done:,} of {total:,} files" if done < total else "\r\x1b[K", err=True, nl=False)


def _color(line: str) -> str | None:
    """Return the color of a line of a diff."""
    if line.startswith(("---", "+++")):
        return None
    return {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
