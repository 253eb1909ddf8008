"""``pyflyte`` as a command of click's, for programs that call it themselves, as by click's `CliRunner`."""

from __future__ import annotations

import click

from alula.__main__ import main as alula


def _call(rest: tuple[str, ...], verbose: int, **_ignored: object) -> None:
    """Run ``alula flyte`` with the arguments."""
    command, *arguments = rest
    code = alula(["flyte", command, *["-v"] * verbose, *arguments])
    click.get_current_context().exit(code)


main = click.Command(
    "pyflyte",
    params=[
        click.Option(["-v", "--verbose"], count=True),
        click.Option(["-k", "--pkgs"], multiple=True, hidden=True),
        click.Option(["-c", "--config"], hidden=True),
        click.Argument(["rest"], nargs=-1, required=True, type=click.UNPROCESSED, metavar="COMMAND [ARGUMENT]..."),
    ],
    callback=_call,
    context_settings={"allow_interspersed_args": False},
    help="Run programs written for Flyte: what `alula flyte` does.",
)
"""``pyflyte``."""
