"""The commands, by name, and the group that imports one when it is used."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from alula_kernel.contracts import Command


class LazyGroup(click.Group):
    """A group whose commands are imported when they are used.

    Args:
        homes: For each command its module and attribute, as ``".run:command"``, and its line in the group's help, which
            is kept here so that ``--help`` imports nothing.
        attrs: As `click.Group` takes them.
    """

    def __init__(self, homes: Mapping[str, tuple[str, str]], **attrs: Any) -> None:
        super().__init__(**attrs)
        self._homes = homes

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._homes)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._homes:
            return None
        return _imported(self._homes[cmd_name][0])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = args and (args[0] in self._homes or args[0] in self.list_commands(ctx))
        if args and not known and not ctx.resilient_parsing:
            from alula_kernel.errors import UnknownNameError

            if args[0].endswith(".py"):
                raise click.UsageError(f"unknown command {args[0]!r}\n  To run a file: alula run {args[0]}", ctx)
            raise UnknownNameError.among("command", args[0], self.list_commands(ctx))
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_home, line) in self._homes.items()])


def _imported(target: str) -> click.Command:
    module, _, attribute = target.partition(":")
    command: click.Command = getattr(importlib.import_module(module, __package__), attribute)
    return command


class ProgramGroup(LazyGroup):
    """All of ``alula``: its own commands, and those of plugins, which are asked for any other command and for help."""

    @functools.cached_property
    def _of_plugins(self) -> dict[str, Command]:
        from .._app import current_app

        found = [command for command, _source in current_app().plugins.commands()]
        return {command.name: command for command in found if command.name not in self._homes}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*self._homes, *self._of_plugins]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self._homes:
            return super().get_command(ctx, cmd_name)
        command = self._of_plugins.get(cmd_name)
        return None if command is None else _imported(command.target)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_commands(ctx, formatter)
        if self._of_plugins:
            with formatter.section("Commands of plugins"):
                formatter.write_dl([(command.name, command.summary) for command in self._of_plugins.values()])


COMMANDS = {
    "run": (".run:command", "Run a task, workflow or launch plan here and now."),
    "run-script": (".run_script:command", "Run a Python script that needs nothing of Alula in it."),
    "signal": (".signal:command", "Answer a question that a run waits for."),
    "inspect": (".inspect:command", "Show the entities of a file, and the graph of one."),
    "runs": (".runs:group", "Show and forget the runs of this machine."),
    "tui": (".tui:command", "Browse the runs of this machine in a full-screen view."),
    "cache": (".cache:group", "Show, explain and clear cached outputs."),
    "image": (".image:group", "Show and build what images describe."),
    "secret": (".secret:group", "Keep secrets for the runs of this machine."),
    "plugins": (".plugins:group", "List and check plugins; begin a new one."),
    "init": (".init:command", "Make a new project from a template."),
    "completion": (".completion:command", "Print the completion script for a shell."),
}
"""Where each command is, and what it does, in one line."""

_HELP = """Run typed Python workflows.

\b
  alula run hello.py                      what is in a file
  alula run hello.py hello --help         the inputs of a workflow
  alula run hello.py hello --name Ada     run it, here and now
  alula runs show                         what became of it
"""

_EPILOG = """Exit codes: 0 success, 1 a run failed, 2 wrong use or a script that cannot be loaded, 130 interrupted.
Settings come from the environment: ALULA_HOME (~/.alula), ALULA_DATA, ALULA_CACHE, ALULA_PROJECT, ALULA_DOMAIN."""


def _print_version(ctx: click.Context, _param: click.Parameter, value: bool) -> None:
    if value and not ctx.resilient_parsing:
        from .. import __version__

        click.echo(f"alula {__version__}")
        ctx.exit()


def build() -> click.Group:
    """Build the command line; no command is imported."""
    return ProgramGroup(
        COMMANDS,
        name="alula",
        help=_HELP,
        epilog=_EPILOG,
        context_settings={"help_option_names": ["-h", "--help"]},
        params=[
            click.Option(
                ["--version"],
                is_flag=True,
                expose_value=False,
                is_eager=True,
                callback=_print_version,
                help="Show the version and exit.",
            )
        ],
    )
