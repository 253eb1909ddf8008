"""Options made from the interface of an entity."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from alula_kernel.errors import UsageError
from alula_kernel.types import BOOL, NONE, EnumOf, LiteralType, UnionOf

from .values import value_from_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from click.shell_completion import CompletionItem

    from .._entity import Entity
    from .._interface import CompiledInterface

_DEFAULT_CHARS = 60


class InputOption(click.Option):
    """The option of one input. It keeps its text; `input_values` makes the value.

    Args:
        name: Name of the input.
        compiled: The interface that it belongs to.
        spelled_no: Whether ``--no-NAME`` is free to mean false.
    """

    def __init__(self, name: str, compiled: CompiledInterface, *, spelled_no: bool) -> None:
        dashed = f"--{name.replace('_', '-')}"
        super().__init__([*dict.fromkeys([dashed, f"--{name}"]), name], multiple=True, type=str)
        self.input = name
        self.compiled = compiled
        self.option = dashed
        self.switch = _is_switch(compiled.interface.inputs[name].type)
        self.negations = [f"--no-{dashed[2:]}", f"--no-{name}", f"--no_{name}"] if self.switch and spelled_no else []

    def get_help_record(self, ctx: click.Context) -> tuple[str, str]:
        converter = self.compiled.inputs[self.input]
        shown = f"{self.option} / {self.negations[0]}" if self.negations else f"{self.option} {_metavar(converter)}"
        notes = []
        if self.compiled.interface.inputs[self.input].required:
            notes.append("required")
        elif (default := self._default_text()) is not None:
            notes.append(f"default: {default}")
        description = _descriptions(ctx.command).get(self.input, "")
        return shown, f"{description}  [{'; '.join(notes)}]".strip() if notes else description

    def _default_text(self) -> str | None:
        default = self.compiled.interface.inputs[self.input].default
        if default is None:
            return None
        from .._plain import preview

        text = " ".join(preview(default, _DEFAULT_CHARS).split())
        return {"": '""', "None": "null", "True": "true", "False": "false"}.get(text, text)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        literal_type = self.compiled.interface.inputs[self.input].type
        if self.switch:
            return [CompletionItem(text) for text in ("true", "false") if text.startswith(incomplete)]
        if isinstance(literal_type, EnumOf):
            return [CompletionItem(str(v)) for v in literal_type.values if str(v).startswith(incomplete)]
        return [CompletionItem(incomplete, type="file")]


def _is_switch(literal_type: LiteralType) -> bool:
    """Tell whether an input is true or false, or perhaps nothing."""
    if isinstance(literal_type, UnionOf):
        return set(literal_type.variants) == {BOOL, NONE}
    return literal_type == BOOL


def _metavar(converter: Any) -> str:
    text: str = converter.describe()
    literal_type = converter.literal_type
    if isinstance(literal_type, EnumOf):
        text = "|".join(str(value) for value in literal_type.values)
    return text.upper() if text in {"int", "float", "str", "bytes", "date", "datetime", "timedelta", "json"} else text


def _descriptions(command: click.Command) -> Mapping[str, str]:
    return command.descriptions if isinstance(command, EntityCommand) else {}


class EntityCommand(click.Command):
    """``alula run FILE ENTITY``: the last part of the command line, with one option for each input.

    Args:
        entity: What is run.
        name: The name under which the user found it.
        where: The file or module that it was found in.
        compiled: Its interface.
        outer: Options of ``alula run``, for hints.
    """

    def __init__(
        self, entity: Entity, name: str, where: str, compiled: CompiledInterface, outer: Iterable[click.Parameter]
    ) -> None:
        names = set(compiled.inputs)
        options = [InputOption(n, compiled, spelled_no=f"no_{n}" not in names) for n in compiled.inputs]
        super().__init__(name, params=list(options), context_settings={"allow_extra_args": True})
        self.entity = entity
        self.where = where
        self.compiled = compiled
        self.options = options
        self.outer = {opt for param in outer for opt in param.opts}

    @functools.cached_property
    def descriptions(self) -> Mapping[str, str]:
        """What each input means, from the docstring."""
        from .._docs import parameter_descriptions

        return parameter_descriptions(documented_function(self.entity))

    def invoke(self, ctx: click.Context) -> Any:
        from .execution import execute

        return execute(self, ctx.params, ctx.obj)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if ctx.resilient_parsing:
            return super().parse_args(ctx, args)
        try:
            rest = super().parse_args(ctx, list(self._spelled_out(args)))
        except click.NoSuchOption as problem:
            raise self._unknown_option(problem.option_name, ctx) from None
        if rest:
            raise UsageError(
                f"unexpected argument {rest[0]!r} after {self.name}", hint="Inputs are given as --NAME VALUE."
            )
        return rest

    def _spelled_out(self, args: list[str]) -> Iterator[str]:
        """Give switches a value where none was typed: ``--x`` is ``--x=true``, ``--no-x`` is ``--x=false``."""
        options = {opt: option for option in self.options for opt in option.opts}
        negations = {negation: option for option in self.options for negation in option.negations}
        rest = iter([*args, None])
        current = next(rest)
        while current is not None:
            following = next(rest)
            option = options.get(current)
            if current in negations:
                yield f"{negations[current].option}=false"
            elif option is not None and option.switch and (following is None or following.startswith("-")):
                yield f"{current}=true"
            elif option is not None and following is not None:
                yield f"{current}={following}"
                following = next(rest)
            else:
                yield current
            current = following

    def _unknown_option(self, name: str, ctx: click.Context) -> UsageError:
        if name in self.outer:
            path = ctx.command_path.split(" ")
            before = " ".join(path[:2])
            return UsageError(
                f"{name} is an option of `{before}`, and {self.entity.title} has no such input",
                hint=f"Write it before the file: {before} {name} ... {' '.join(path[2:])}",
            )
        import difflib

        known = sorted({option.option for option in self.options})
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        if near:
            hint = f"Did you mean {' or '.join(near)}?"
        else:
            hint = f"Its options are {', '.join(known)}." if known else "It has no inputs."
        return UsageError(f"{self.entity.title} has no option {name}", hint=hint)

    def format_help_text(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text(f"{self.entity.title}{self.compiled.interface}")
            text = _long_text(self.entity)
            for paragraph in text.split("\n\n") if text else ():
                formatter.write_paragraph()
                formatter.write_text(" ".join(paragraph.split()))

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        if self.options:
            formatter.write_paragraph()
            formatter.write_text(
                "Lists, dicts and dataclasses are written as JSON; @FILE takes a value from a file; files and data frames "
                "are paths or URIs."
            )


def documented_function(entity: Entity) -> object:
    """Return the function whose docstring describes an entity's inputs."""
    for attribute in ("function", "workflow", "mapped_entity"):
        inner = getattr(entity, attribute, None)
        if inner is not None:
            return documented_function(inner) if attribute != "function" else inner
    return None


def _long_text(entity: Entity) -> str:
    """Return the docstring without its description of parameters."""
    import inspect

    docs = getattr(entity, "docs", None) or getattr(getattr(entity, "settings", None), "docs", None)
    if docs is not None and (docs.short_description or docs.long_description):
        return "\n\n".join(part for part in (docs.short_description, docs.long_description) if part)
    text = inspect.getdoc(documented_function(entity)) if documented_function(entity) is not None else None
    if not text:
        return ""
    import docstring_parser

    parsed = docstring_parser.parse(text)
    return "\n\n".join(part for part in (parsed.short_description, parsed.long_description) if part)


def input_values(command: EntityCommand, texts: Mapping[str, tuple[str, ...]]) -> dict[str, Any]:
    """Make the values of the inputs that were given as options.

    Raises:
        UsageError: One is given twice, or does not fit its type.
    """
    values = {}
    for option in command.options:
        given = texts[option.name or ""]
        if len(given) > 1:
            raise UsageError(
                "given more than once",
                hint=f"A list is written as JSON: {option.option} '[1, 2]'",
                location=option.option,
            )
        if given:
            converter = command.compiled.inputs[option.input]
            values[option.input] = value_from_text(given[0], option.option, converter, command.compiled)
    return values
