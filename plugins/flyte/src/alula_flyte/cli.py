"""``alula flyte``: run, check and rewrite programs written for Flyte."""

from __future__ import annotations

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
