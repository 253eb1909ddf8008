"""What can be told of a query without asking BigQuery: which parameters it names."""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r"""
    (?P<quoted>'''(?:\\.|(?!''').)*''' | \"\"\"(?:\\.|(?!\"\"\").)*\"\"\" | '(?:\\.|[^'\\\n])*' | "(?:\\.|[^"\\\n])*")
    | `(?:\\.|[^`\\])*`
    | --[^\n]* | \#[^\n]* | /\*.*?\*/
    | @@[A-Za-z_][\w.]*
    | @(?P<parameter>[A-Za-z_]\w*)
    """,
    re.VERBOSE | re.DOTALL,
)
# GoogleSQL's lexical structure: strings of one or three quotes with escapes by backslash, quoted identifiers, three kinds of
# comments, system variables, and named query parameters.

_TEMPLATE = re.compile(r"\{\{\s*\.?[iI]nputs\.(\w+)\s*\}\}")


def parameters_of(query: str) -> tuple[str, ...]:
    """Return the names of a query's parameters, as they are first written; BigQuery ignores their case."""
    found: dict[str, str] = {}
    for match in _TOKEN.finditer(query):
        if name := match["parameter"]:
            found.setdefault(name.lower(), name)
    return tuple(found.values())


def template_inputs(query: str) -> tuple[str, ...]:
    """Return the names of inputs that a query asks to be pasted in, as ``{{ .inputs.x }}``."""
    return tuple(_TEMPLATE.findall(query))
