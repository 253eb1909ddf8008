"""Import statements, taken apart into what they import, and put together again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import libcst as cst
import msgspec
from libcst.helpers import get_full_name_for_node

WIDTH = 88
"""How long a line of imports may be, if none was longer before."""


class Entry(msgspec.Struct, frozen=True):
    """One thing that an import statement imports.

    Attributes:
        module: The module.
        name: What is taken from it; empty for the module itself.
        alias: The name after ``as``; empty without.
        before: The comments on lines of their own above it.
        after: The comment behind it.
    """

    module: str
    name: str = ""
    alias: str = ""
    before: tuple[str, ...] = ()
    after: str = ""

    @property
    def local(self) -> str:
        """The name that it binds."""
        return self.alias or self.name or self.module.partition(".")[0]

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from others, whatever its comments are."""
        return self.module, self.name, self.alias

    @property
    def text(self) -> str:
        """Its part of the statement."""
        return f"{self.name or self.module} as {self.alias}" if self.alias else self.name or self.module


def entries_of(statement: cst.Import | cst.ImportFrom) -> list[Entry]:
    """Return what a statement imports, in its order, with the comments inside it."""
    module = _module_of(statement)
    if isinstance(statement.names, cst.ImportStar):
        return [Entry(module, "*")]
    above: list[str] = []
    entries = []
    if isinstance(statement, cst.ImportFrom) and statement.lpar is not None:
        opening, above = _comments(statement.lpar.whitespace_after)
        above = [*([opening] if opening else []), *above]
    for alias in statement.names:
        name = get_full_name_for_node(alias.name) or ""
        comma = alias.comma
        after, below = _comments(comma.whitespace_after) if isinstance(comma, cst.Comma) else ("", [])
        if not isinstance(comma, cst.Comma) and isinstance(statement, cst.ImportFrom) and statement.rpar is not None:
            after, below = _comments(statement.rpar.whitespace_before)
        bound = alias.evaluated_alias or ""
        parts = (module, name) if module else (name, "")
        entries.append(Entry(*parts, bound, tuple(above), after))
        above = below
    return entries


def _module_of(statement: cst.Import | cst.ImportFrom) -> str:
    if isinstance(statement, cst.Import):
        return ""
    module = get_full_name_for_node(statement.module) if statement.module else ""
    return "." * len(statement.relative) + (module or "")


def _comments(space: cst.BaseParenthesizableWhitespace) -> tuple[str, list[str]]:
    """Return the comment at the end of a line, and those on lines of their own below it."""
    if not isinstance(space, cst.ParenthesizedWhitespace):
        return "", []
    first = space.first_line.comment
    return first.value if first else "", [line.comment.value for line in space.empty_lines if line.comment]


def is_exploded(statement: cst.Import | cst.ImportFrom) -> bool:
    """Tell whether a statement has one name a line."""
    if not isinstance(statement, cst.ImportFrom) or statement.lpar is None:
        return False
    return isinstance(statement.lpar.whitespace_after, cst.ParenthesizedWhitespace)


def lines_of(
    entries: Iterable[Entry], *, width: int = WIDTH, exploded: bool = False, newline: str = "\n", indent: str = "    "
) -> list[str]:
    """Return the statements that import the entries, one for each module, sorted.

    Args:
        entries: What to import; what is there twice is imported once.
        width: How long a line may be.
        exploded: Whether to write one name a line, where there is more than one.
        newline: How lines end within a statement.
        indent: The indentation of names on lines of their own.
    """
    once = {entry.key: entry for entry in reversed(list(entries))}
    whole = sorted((entry for entry in once.values() if not entry.name), key=lambda entry: entry.text)
    lines = [f"import {entry.text}{_behind(entry.after)}" for entry in whole]
    modules = sorted({entry.module for entry in once.values() if entry.name})
    for module in modules:
        names = sorted((entry for entry in once.values() if entry.name and entry.module == module), key=_order)
        flat = f"from {module} import {', '.join(entry.text for entry in names)}"
        commented = any(entry.before or entry.after for entry in names)
        if len(names) == 1 and not names[0].before:
            lines.append(flat + _behind(names[0].after))
        elif commented or len(flat) > width or (exploded and len(names) > 1):
            lines.append(_exploded(module, names, newline, indent))
        else:
            lines.append(flat)
    return lines


def _order(entry: Entry) -> tuple[int, str, str]:
    """Constants, then classes, then the rest: the order of isort and ruff."""
    name = entry.name
    kind = 0 if name.isupper() and len(name) > 1 else 1 if name[:1].isupper() else 2
    return kind, name, entry.alias


def _behind(comment: str) -> str:
    return f"  {comment}" if comment else ""


def _exploded(module: str, names: Sequence[Entry], newline: str, indent: str) -> str:
    lines = [f"from {module} import ("]
    for entry in names:
        lines += [f"{indent}{comment}" for comment in entry.before]
        lines.append(f"{indent}{entry.text},{_behind(entry.after)}")
    return newline.join([*lines, ")"])
