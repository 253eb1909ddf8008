"""``alula run-script``: a Python script that knows nothing of Alula, as a run."""

from __future__ import annotations

import json
import os
from typing import Any

import click

from alula_kernel.errors import UsageError


@click.command("run-script", context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.option("--name", default="", metavar="NAME", help="Name of the run; it must be new.")
@click.option("--env", multiple=True, metavar="KEY=VALUE", help="Environment variable for the script. Repeatable.")
@click.option("--label", multiple=True, metavar="KEY=VALUE", help="Label of the run. Repeatable.")
@click.option("--output-dir", default="", metavar="FOLDER", help="Folder that the script writes to: the run's output.")
@click.option("--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.argument("script")
@click.argument("args", nargs=-1, type=click.UNPROCESSED)
def command(
    name: str,
    env: tuple[str, ...],
    label: tuple[str, ...],
    output_dir: str,
    output: str,
    script: str,
    args: tuple[str, ...],
) -> Any:
    """Run a Python script that needs nothing of Alula in it.

    It runs in a process of its own, as the only task of a run, which is shown by `alula runs show`. ARGS are its own.
    """
    path = os.path.abspath(os.path.expanduser(script))
    if not os.path.isfile(path):
        raise UsageError(f"the script {path} does not exist")
    from .run import command as run

    options = ["--output", output, *(["--name", name] if name else [])]
    options += [part for text in env for part in ("--env", text)]
    options += [part for text in label for part in ("--label", text)]
    inputs = ["--script", path, "--path", path, "--args", json.dumps(args), "--output-dir", output_dir]
    with run.make_context("run", [*options, "-m", "alula._script", "python_script", *inputs]) as context:
        return run.invoke(context)
