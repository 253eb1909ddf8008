"""``alula init``: a new project from a template."""

from __future__ import annotations

from pathlib import Path

import click

TEMPLATES = {
    "workflow": "tasks connected by a workflow, with a launch plan",
    "plain": "a task environment whose tasks call each other in plain, partly async Python",
}
"""The templates, and what is in them."""


@click.command(
    epilog="Templates: " + "; ".join(f"{name}, {what}" for name, what in TEMPLATES.items()) + ".",
)
@click.argument("name")
@click.option(
    "--template", type=click.Choice(list(TEMPLATES)), default="workflow", show_default=True, help="What it begins with."
)
@click.option(
    "--directory",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    metavar="DIR",
    help="Where the new folder is made; here if left out.",
)
def command(name: str, template: str, directory: Path) -> None:
    """Make a small project that runs and whose tests pass. NAME is that of its folder and package."""
    from .._scaffold import package_name, render

    package = package_name(name)
    made = render(f"project/{template}", directory / name, {"name": name, "package": package})
    click.echo(f"made {made}")
    click.echo(f"\nnext:\n  cd {made}\n  alula run {package}/workflows.py main\n  python -m pytest")
