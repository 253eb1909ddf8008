"""``alula flyte``: run, check and rewrite programs written for Flyte."""

from __future__ import annotations

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
