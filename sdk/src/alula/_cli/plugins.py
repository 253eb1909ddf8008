"""``alula plugins``: what is installed, what is wrong with it, and beginning a new one."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from .failures import FAILED
from .tables import table

if TYPE_CHECKING:
    from alula_kernel.plugins import PluginInfo


@click.group()
def group() -> None:
    """List and check plugins; begin a new one."""


@group.command("list")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def list_plugins(output: str) -> None:
    """List the plugins: version, what each registers, how long its import takes, and what is wrong with it."""
    infos = _described()
    if output == "json":
        import msgspec

        click.echo(json.dumps([_document(info) for info in msgspec.to_builtins(infos)], indent=2))
        return
    rows = [(i.name, _origin(i), _state(i), f"{i.import_milliseconds:.1f} ms") for i in infos]
    click.echo(table(rows, header=("PLUGIN", "DISTRIBUTION", "STATE", "IMPORT")))
    for info in infos:
        for kind, names in info.registers.items():
            click.echo(f"\n{info.name}: {kind.replace('_', ' ')}\n  {', '.join(names)}")
        if info.listens:
            click.echo(f"\n{info.name}: listens to changes of actions")
    for info in infos:
        if info.error:
            click.echo(f"\n{_complaint(info)}")


@group.command()
def doctor() -> int:
    """Import every plugin and check what it registers; exit code 1 if anything is wrong."""
    infos = _described()
    wrong = [info for info in infos if info.error]
    for info in wrong:
        click.echo(_complaint(info))
    for info in infos:
        if not info.error:
            click.echo(f"{info.name} ({_origin(info)}): {'switched off' if info.disabled else 'ok'}")
    return FAILED if wrong else 0


@group.command()
@click.argument("name")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    metavar="DIR",
    help="Where the new folder is made; here if left out.",
)
def new(name: str, directory: Path) -> None:
    """Begin a plugin package with its own tests, which pass. NAME is that of the distribution, as alula-demo."""
    from .._scaffold import new_plugin

    made = new_plugin(name, directory)
    click.echo(f"made {made}")
    click.echo(f"\nnext:\n  pip install -e '{made}[test]'\n  python -m pytest {made}/tests\n  alula plugins list")


def _described() -> list[PluginInfo]:
    from .._app import current_app

    with _quiet():  # what is wrong is part of the answer, and need not be logged too
        return list(current_app().plugins.describe())


@contextmanager
def _quiet() -> Iterator[None]:
    logger = logging.getLogger("alula.plugins")
    before = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _document(info: dict[str, object]) -> dict[str, object]:
    return {"distribution": "", "version": "", "error": "", "registers": {}, **info}


def _origin(info: PluginInfo) -> str:
    return f"{info.distribution} {info.version}".strip() or ("built in" if info.builtin else "?")


def _state(info: PluginInfo) -> str:
    return "broken" if info.error else "switched off" if info.disabled else "ok"


def _complaint(info: PluginInfo) -> str:
    return f"{info.name} ({_origin(info)}): {info.error}" + (f"\n  {info.hint}" if info.hint else "")
