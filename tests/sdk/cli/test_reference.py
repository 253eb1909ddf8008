"""The reference page has every command and every option, and no others."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click

from alula._cli.commands import COMMANDS, build

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    yield path, group
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")
        else:
            yield f"{path} {name}", command


# Those of plugins that happen to be installed are not Alula's own.
ALL = {path: command for path, command in commands(build(), "alula") if path == "alula" or path.split()[1] in COMMANDS}


def sections() -> dict[str, str]:
    """Split the page by the commands in its headings; what stands before them is about the command as a whole."""
    parts = re.split(r"^##+ `(alula [a-z -]*[a-z])[^`]*`$", PAGE, flags=re.MULTILINE)
    return {"alula": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def test_every_command_has_a_section() -> None:
    assert sections().keys() == ALL.keys()


def test_every_option_is_described_where_it_belongs() -> None:
    for path, section in sections().items():
        described = {
            name
            for line in re.findall(r"^(`-.*)\n: ", section, re.MULTILINE)
            for name in re.findall(r"`(--?[a-z-]+)", line)
        }
        wanted = {name for param in ALL[path].params if isinstance(param, click.Option) for name in param.opts}
        if path == "alula":
            wanted |= {"-h", "--help"}
        assert described == wanted, path


def test_every_argument_is_in_the_usage() -> None:
    for path, section in sections().items():
        for param in ALL[path].params:
            if isinstance(param, click.Argument):
                heading = re.search(rf"^##+ `{path}([^`]*)`$", PAGE, re.MULTILINE)
                assert heading is not None
                shown = (param.metavar or param.name or "").upper().rstrip(".")
                choices = "|".join(param.type.choices) if isinstance(param.type, click.Choice) else shown
                assert choices in heading[1] + section, f"{path}: {shown}"


def test_choices_are_listed() -> None:
    for path, section in sections().items():
        for param in ALL[path].params:
            if isinstance(param, click.Option) and isinstance(param.type, click.Choice):
                for choice in param.type.choices:
                    assert re.search(rf"\b{choice}\b", section), f"{path} {param.opts[0]} {choice}"
