"""``alula flyte run``: the options of ``pyflyte run`` and of ``flyte run --local``, for the scripts that have them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from typing import Any

import click

from alula_kernel.errors import UsageError


def _ignored(*names: str, flag: bool = False, **attrs: Any) -> click.Option:
    return click.Option([*names], is_flag=flag, multiple=not flag, hidden=True, metavar="VALUE", **attrs)


_IGNORED = [
    _ignored("--cluster-pool"),
    _ignored("--copy"),
    _ignored("--copy-all", flag=True),
    _ignored("--copy-style"),
    _ignored("--destination-dir"),
    _ignored("--disable-notifications", flag=True),
    _ignored("--execution-cluster-label", "--ecl"),
    _ignored("--follow", "-f", flag=True),
    _ignored("--image", "-i"),
    _ignored("--interruptible", flag=True),
    _ignored("--limit"),
    _ignored("--no-sync-local-sys-paths", flag=True),
    _ignored("--annotations", "--annotation"),
    _ignored("--poll-interval"),
    _ignored("--queue"),
    _ignored("--resource-limits"),
    _ignored("--resource-requests"),
    _ignored("--root-dir"),
    _ignored("--service-account"),
    _ignored("--wait", "--wait-execution", flag=True),
]
"""Options for clusters: there is nothing that they could do here."""

_PASSED_ON = [
    click.Option(["--name"], metavar="NAME", help="Name of the run."),
    click.Option(["--inputs-file"], metavar="FILE", help="Take inputs from a JSON or YAML file; also after ENTITY."),
    click.Option(["--overwrite-cache"], is_flag=True, help="Compute everything, and replace what is cached."),
    click.Option(["--env", "-e", "--envvars"], multiple=True, metavar="KEY=VALUE", help="Environment variable."),
    click.Option(["--label", "--labels", "--tag", "--tags"], multiple=True, metavar="KEY=VALUE", help="Label."),
    click.Option(
        ["--max-parallelism", "--max-action-concurrency"], type=click.IntRange(min=1), help="Most attempts at once."
    ),
    click.Option(["-p", "--project"], metavar="NAME", help="Project of the run."),
    click.Option(["-d", "--domain"], metavar="NAME", help="Domain of the run."),
    click.Option(["--raw-output-data-prefix", "--raw-data-prefix", "--raw-data-path"], help="Where data is kept."),
    click.Option(["--local"], is_flag=True, help="As `flyte run --local`: say so at the end, as that does."),
    click.Option(["-r", "--remote"], is_flag=True, hidden=True),
    click.Option(["-v", "--verbose"], count=True, help="Say more."),
]


def _pairs(name: str, texts: Iterable[str]) -> Iterator[str]:
    """Give each text as an option of its own; a tag without a value is a label without one."""
    for text in texts:
        yield from (name, text if "=" in text else f"{text}=")


def _arguments(given: dict[str, Any], rest: list[str]) -> list[str]:
    """Return the arguments of ``alula run`` that mean the same."""
    arguments = ["--flyte", "--output", "python"]
    if "--inputs-file" in rest:
        place = rest.index("--inputs-file")
        given = {**given, "inputs_file": (rest[place + 1 : place + 2] or [""])[0]}
        rest = rest[:place] + rest[place + 2 :]
    if rest[2:] == ["-"]:
        given, rest = {**given, "inputs_file": "-"}, rest[:2]
    for name in ("name", "inputs_file", "max_parallelism"):
        if given[name]:
            arguments += [f"--{name.replace('_', '-')}", str(given[name])]
    if given["overwrite_cache"]:
        arguments.append("--cache-overwrite")
    arguments += ["-v"] * given["verbose"]
    arguments += [*_pairs("--env", given["env"]), *_pairs("--label", given["label"]), *rest]
    return arguments


def _run(rest: tuple[str, ...], **given: Any) -> int:
    ctx = click.get_current_context()
    if given["remote"]:
        raise UsageError("there is no cluster to run on", hint="Leave out --remote: the program runs on this machine.")
    for option in _IGNORED:
        if given[option.name or ""]:
            click.echo(f"note: {option.opts[0]} has no meaning on this machine and is ignored", err=True)
    for name, variable in (("project", "ALULA_PROJECT"), ("domain", "ALULA_DOMAIN")):
        if given[name]:
            os.environ[variable] = given[name]
    if given["raw_output_data_prefix"]:
        os.environ["ALULA_DATA"] = given["raw_output_data_prefix"]
    program = ctx.find_root()
    assert isinstance(program.command, click.Group)
    run = program.command.get_command(program, "run")
    assert run is not None
    runs = len(rest) > 1 and not {"-h", "--help"} & set(rest)
    if runs and not given["local"]:
        click.echo("Running Execution on local.")
    with run.make_context("run", _arguments(given, list(rest)), parent=program) as context:
        code = int(run.invoke(context) or 0)
    if runs and given["local"] and code == 0:
        click.echo("Completed Local Run")
    return code


command = click.Command(
    "run",
    params=[
        *_PASSED_ON,
        *_IGNORED,
        click.Argument(
            ["rest"], nargs=-1, required=True, type=click.UNPROCESSED, metavar="FILE ENTITY [--INPUT VALUE]..."
        ),
    ],
    callback=_run,
    context_settings={"allow_interspersed_args": False},
    no_args_is_help=True,
    help="""Run a program written for Flyte, with the options that `pyflyte run` and `flyte run` take.

The entity runs on this machine. Options that are for clusters alone are taken, and ignored with a note. Everything else
that a run can do is in `alula run --flyte`.

\b
  alula flyte run train.py training_workflow --epochs 3
  alula flyte run --local hello.py main --name Ada
""",
)
