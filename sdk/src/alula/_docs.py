"""Documentation of entities."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alula_kernel.specs import EntitySpec, Variable


@dataclasses.dataclass(frozen=True)
class SourceCode:
    """Where the source of an entity can be read.

    Attributes:
        link: A URL.
    """

    link: str | None = None


@dataclasses.dataclass(frozen=True)
class Documentation:
    """Documentation of a task or workflow.

    Attributes:
        short_description: One line.
        long_description: The rest.
        source_code: Where the source can be read.
    """

    short_description: str | None = None
    long_description: str | None = None
    source_code: SourceCode | None = None


def as_documentation(docs: Documentation | str | None) -> Documentation | None:
    """Take a text for the documentation that consists of it: its first line, and the rest."""
    if not isinstance(docs, str):
        return docs
    first, _, rest = docs.strip().partition("\n")
    return Documentation(first.strip(), rest.strip() or None)


def documentation_of(function: object) -> Documentation:
    """Return what the docstring of a function says of it as a whole."""
    import inspect

    text = inspect.getdoc(function) if function is not None else None
    if not text:
        return Documentation()
    import docstring_parser

    parsed = docstring_parser.parse(text)
    return Documentation(parsed.short_description, parsed.long_description)


def parameter_descriptions(function: object) -> dict[str, str]:
    """Return the description of each parameter from a docstring in Google, NumPy, ReST or Epydoc style."""
    import inspect

    text = inspect.getdoc(function)
    if not text or "\n" not in text:
        return {}
    import docstring_parser

    parsed = docstring_parser.parse(text)
    return {p.arg_name: (p.description or "").strip() for p in parsed.params}


def documented(spec: EntitySpec, function: object) -> EntitySpec:
    """Return a spec with what the docstring of a function says: long description, and a line for each input and output.

    What the spec says already is kept.
    """
    import inspect

    text = inspect.getdoc(function)
    if not text or "\n" not in text:
        return spec
    import docstring_parser
    from msgspec.structs import replace

    parsed = docstring_parser.parse(text)
    told = {p.arg_name: (p.description or "").strip() for p in parsed.params}
    results = [(r.description or "").strip() for r in parsed.many_returns]
    if len(results) == len(spec.interface.outputs):
        told_outputs = dict(zip(spec.interface.outputs, results, strict=True))
    else:
        told_outputs = {}
    interface = replace(
        spec.interface,
        inputs=_described(spec.interface.inputs, told),
        outputs=_described(spec.interface.outputs, told_outputs),
    )
    if not hasattr(spec, "documentation"):
        return replace(spec, interface=interface)
    return replace(spec, interface=interface, documentation=spec.documentation or (parsed.long_description or ""))


def _described(variables: dict[str, Variable], told: dict[str, str]) -> dict[str, Variable]:
    from msgspec.structs import replace

    return {
        name: replace(variable, description=variable.description or told.get(name, ""))
        for name, variable in variables.items()
    }
