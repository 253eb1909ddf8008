"""Documentation of entities."""

from __future__ import annotations

import dataclasses


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


def parameter_descriptions(function: object) -> dict[str, str]:
    """Return the description of each parameter from a docstring in Google, NumPy, ReST or Epydoc style."""
    import inspect

    text = inspect.getdoc(function)
    if not text or "\n" not in text:
        return {}
    import docstring_parser

    parsed = docstring_parser.parse(text)
    return {p.arg_name: (p.description or "").strip() for p in parsed.params}
