"""``alula run``: the options of the run, then a file, then an entity, then its inputs."""

from __future__ import annotations

import contextlib
import importlib
import io
from types import ModuleType
from typing import TYPE_CHECKING, Any

import click
import msgspec

from alula_kernel.errors import UsageError

from .._loading import compile_spec, entities_of, find_entity, load, load_module
from .collector import leave_out_what_there_is, working
from .entity_options import EntityCommand

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from .streams import ResultStream


class RunRequest(msgspec.Struct, frozen=True):
    """The options of ``alula run``.

    Attributes:
        module: Module to load instead of a file; empty for a file.
        inputs_file: File with inputs; empty for none.
        name: Name of the run; empty to have one made.
        resume: Name of the run to go on with; empty to begin one.
        cache_overwrite: Compute although there is a cached output, and replace it.
        no_cache: Neither read nor write the cache.
        env: Environment variables, as ``KEY=VALUE``.
        label: Labels, as ``KEY=VALUE``.
        flyte: Whether programs written for Flyte find its modules.
        executor: Name of the executor of Python tasks; empty for that of the process.
        max_parallelism: Most attempts at once.
        answer: Answers to gates, as ``NAME=VALUE``.
        output: ``text``, ``json`` or ``python``.
        verbose: 0, 1 or 2.
    """

    module: str = ""
    inputs_file: str = ""
    name: str = ""
    resume: str = ""
    cache_overwrite: bool = False
    no_cache: bool = False
    env: tuple[str, ...] = ()
    label: tuple[str, ...] = ()
    flyte: bool = False
    executor: str = ""
    max_parallelism: int | None = None
    answer: tuple[str, ...] = ()
    output: str = "text"
    verbose: int = 0


class Session(msgspec.Struct, frozen=True):
    """What the last part of the command line is handed by the first.

    Attributes:
        request: The options of the run.
        results: Where results are printed.
    """

    request: RunRequest
    results: ResultStream


def _options() -> list[click.Parameter]:
    return [
        click.Option(["-m", "module"], metavar="MODULE", help="Load a module instead of a FILE.", default=""),
        click.Option(
            ["--inputs-file"],
            metavar="FILE",
            default="",
            help="Take inputs from a JSON or YAML file, - for stdin. Options after ENTITY win.",
        ),
        click.Option(["--name"], default="", metavar="NAME", help="Name of the run; it must be new."),
        click.Option(
            ["--resume"],
            default="",
            metavar="NAME",
            help="Go on with a run whose process has died. It has its code, inputs and options already.",
        ),
        click.Option(["--cache-overwrite"], is_flag=True, help="Compute everything, and replace what is cached."),
        click.Option(["--no-cache"], is_flag=True, help="Neither read nor write the cache."),
        click.Option(
            ["--env"], multiple=True, metavar="KEY=VALUE", help="Environment variable for the tasks. Repeatable."
        ),
        click.Option(["--label"], multiple=True, metavar="KEY=VALUE", help="Label of the run. Repeatable."),
        click.Option(
            ["--flyte"],
            is_flag=True,
            help="Run a program that is written for Flyte: flytekit and flyte are Alula's then. Needs alula-flyte.",
        ),
        click.Option(
            ["--executor"],
            default="",
            metavar="NAME",
            help="Where Python tasks run: inline, in this process, as if left out; process, each in one of its own.",
        ),
        click.Option(
            ["-j", "--jobs", "--max-parallelism", "max_parallelism"],
            type=click.IntRange(min=1),
            metavar="N",
            help="Most attempts at once; no limit if left out.",
        ),
        click.Option(
            ["--answer"],
            multiple=True,
            metavar="NAME=VALUE",
            help="Answer to an approval or an input gate. Repeatable.",
        ),
        click.Option(
            ["--output"],
            type=click.Choice(["text", "json", "python"]),
            default="text",
            help="How results are printed on stdout: by name, as one JSON document (what tasks print goes to stderr then), or "
            "as Python prints what a call returns.",
            show_default=True,
        ),
        click.Option(["-v", "--verbose"], count=True, help="Say more; twice for debugging."),
    ]


class RunCommand(click.Group):
    """The group whose commands are files, or with ``-m`` the entities of a module."""

    def invoke(self, ctx: click.Context) -> Any:
        from . import execution  # noqa: F401 - now, so that it is left out of collections with all the rest
        from .logs import logged
        from .streams import ResultStream

        request = RunRequest(**ctx.params)
        if request.resume:
            _check_resume(request)
            if request.flyte:
                _use_flyte_names()
        leave_out_what_there_is()
        with ResultStream(machine=request.output == "json") as results, logged(request.verbose):
            ctx.obj = Session(request, results)
            return super().invoke(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if ctx.params.get("module"):
            module = _loaded(ctx, ctx.params["module"], is_file=False)
            return EntityGroup(module, ctx.params["module"], self.params).get_command(ctx, cmd_name)
        return EntityGroup(_loaded(ctx, cmd_name, is_file=True), cmd_name, self.params)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if ctx.params.get("resume") and not ctx.resilient_parsing:
            raise UsageError(
                f"--resume takes no file and no inputs, found {args[0]!r}",
                hint=f"The run has them already: alula run --resume {ctx.params['resume']}",
            )
        command = self.get_command(ctx, args[0])
        return args[0], command, args[1:]

    def list_commands(self, ctx: click.Context) -> list[str]:
        return []

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        if ctx.params.get("module"):
            module = _loaded(ctx, ctx.params["module"], is_file=False)
            return EntityGroup(module, ctx.params["module"], self.params).shell_complete(ctx, incomplete)
        return [CompletionItem(incomplete, type="file")]


_OF_A_RESUMED_RUN = {"flyte", "resume", "answer", "output", "verbose"}


def _check_resume(request: RunRequest) -> None:
    """Refuse what a run that is gone on with has already."""
    fresh = RunRequest()
    for name in RunRequest.__struct_fields__:
        if name not in _OF_A_RESUMED_RUN and getattr(request, name) != getattr(fresh, name):
            option = "-m" if name == "module" else f"--{name.replace('_', '-')}"
            raise UsageError(
                f"{option} cannot be given together with --resume: the run keeps the options that it began with"
            )


def _without_entity(**_options: Any) -> int | None:
    """Do what there is to do if the command line ends before an entity."""
    ctx = click.get_current_context()
    if ctx.invoked_subcommand is not None:
        return None
    if ctx.params["resume"]:
        from .execution import resume

        return resume(ctx.obj)
    module = ctx.params["module"]
    if not module:
        raise click.UsageError("the FILE is missing", ctx)
    return list_entities(_loaded(ctx, module, is_file=False), f"-m {module}")


def _loaded(ctx: click.Context, target: str, *, is_file: bool) -> ModuleType:
    """Load what the user named; while the shell asks for completions, nothing may be printed."""
    quiet = contextlib.redirect_stdout(io.StringIO()) if ctx.resilient_parsing else contextlib.nullcontext()
    with quiet, working():
        if ctx.params.get("flyte"):
            _use_flyte_names()
        return load(target) if is_file else load_module(target)


def _use_flyte_names() -> None:
    """Let Flyte's modules be Alula's in this run, here and in the processes of its tasks."""
    from importlib.util import find_spec

    from alula_kernel.errors import MissingDependencyError

    if find_spec("alula_flyte") is None:
        raise MissingDependencyError("--flyte needs the plugin alula-flyte", hint="Install it: pip install alula-flyte")
    importlib.import_module("alula_flyte").install()


class EntityGroup(click.Group):
    """The group whose commands are the entities of a loaded file or module.

    Args:
        module: The module.
        where: What the user gave for it.
        outer: Options of ``alula run``, for hints.
    """

    def __init__(self, module: ModuleType, where: str, outer: list[click.Parameter]) -> None:
        super().__init__(where, invoke_without_command=True, callback=self._list, params=[])
        self.module = module
        self.where = where
        self.outer = outer

    def _list(self) -> int | None:
        listed = click.get_current_context().invoked_subcommand is None
        return list_entities(self.module, self.where) if listed else None

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(entities_of(self.module))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        return [
            CompletionItem(name, help=getattr(entity, "description", "") or None)
            for name, entity in entities_of(self.module).items()
            if name.startswith(incomplete)
        ]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        from .._app import current_app

        if ctx.resilient_parsing and cmd_name not in entities_of(self.module):
            return None
        entity = find_entity(self.module, cmd_name, self.where)
        compile_spec(entity)
        return EntityCommand(entity, cmd_name, self.where, entity.compiled(current_app()), self.outer)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        command = self.get_command(ctx, args[0])
        return args[0], command, args[1:]

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as problem:
            if problem.option_name in {opt for param in self.outer for opt in param.opts}:
                hint = f"Options of the run come before the file: alula run {problem.option_name} ... {self.where}"
            else:
                hint = f"Name the entity first: alula run {self.where} ENTITY {problem.option_name} ..."
            raise UsageError(f"{problem.option_name} stands where an entity is expected", hint=hint) from None

    def format_help(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write(_listing(self.module, self.where))


def list_entities(module: ModuleType, where: str) -> int:
    """Print the entities of a module; return the exit code."""
    if not entities_of(module):
        raise UsageError(f"{where} has no tasks, workflows or launch plans", hint="Decorate a function with @task.")
    click.echo(_listing(module, where), nl=False)
    return 0


def _listing(module: ModuleType, where: str) -> str:
    from .tables import table

    rows = [
        (name, entity.kind.replace("_", " "), getattr(entity, "description", ""))
        for name, entity in entities_of(module).items()
    ]
    return f"{table(rows)}\n\nIts inputs: alula run {where} ENTITY --help\n"


command = RunCommand(
    "run",
    params=_options(),
    callback=_without_entity,
    invoke_without_command=True,
    context_settings={"allow_interspersed_args": False},
    subcommand_metavar="FILE ENTITY [--INPUT VALUE]...",
    no_args_is_help=True,
    help="""Run a task, workflow or launch plan here and now.

FILE is a Python file, or the name of a module. Without ENTITY, its entities are listed. The options of the run stand
before FILE, the inputs of the entity after its name, so that names may be the same in both:

\b
  alula run --output json train.py train --epochs 5 --config @config.yaml
  alula run train.py train --help
""",
)
