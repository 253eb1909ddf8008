"""Literals for people and for other programs: previews as text, and plain data for JSON."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from typing import Any

from alula_kernel.literals import (
    Blob,
    Bytes,
    Dataset,
    Hashed,
    Json,
    ListLiteral,
    Literal,
    MapLiteral,
    NonFinite,
    Scalar,
    UnionLiteral,
    unwrap,
)

PREVIEW_CHARS = 1_000
"""About how long a preview of one value gets, in characters."""

_SHOWN_DEPTH = 6


def plain(literal: Literal) -> Any:
    """Return a literal as plain data.

    Files, directories and data frames become an object with ``uri`` and what else is known; bytes become
    ``{"base64": ...}``; floats that JSON cannot express become ``"nan"``, ``"inf"`` or ``"-inf"``.
    """
    literal = unwrap(literal)
    if isinstance(literal, (Scalar, NonFinite, Json)):
        return literal.value
    if isinstance(literal, ListLiteral):
        return [plain(item) for item in literal.items]
    if isinstance(literal, MapLiteral):
        return {name: plain(item) for name, item in literal.entries.items()}
    if isinstance(literal, Bytes):
        import base64

        return {"base64": base64.b64encode(literal.value).decode()}
    import msgspec

    described: dict[str, Any] = msgspec.to_builtins(literal)
    del described["kind"]
    return described


def plain_map(literals: Mapping[str, Literal]) -> dict[str, Any]:
    """Return named literals as plain data."""
    return {name: plain(literal) for name, literal in literals.items()}


def preview(literal: Literal, limit_chars: int = PREVIEW_CHARS) -> str:
    """Show a literal in about `limit_chars` characters at most, without reading any data that it points to.

    Text is shown as it is, but for control characters, which could steer a terminal; inside lists and maps it is quoted.
    """
    literal = unwrap(literal)
    if isinstance(literal, Scalar) and isinstance(literal.value, str):
        return _text(literal.value, limit_chars)
    return _cut(_shown(literal, limit_chars, _SHOWN_DEPTH), limit_chars)


def size_text(size_bytes: int) -> str:
    """Show a size: ``312 bytes``, ``4.1 kB``, ``2.0 GB``."""
    if size_bytes < 1_000:
        return f"{size_bytes} byte{'s' * (size_bytes != 1)}"
    size, units = size_bytes / 1_000, ["kB", "MB", "GB", "TB"]
    while size >= 999.95 and len(units) > 1:
        size /= 1_000
        del units[0]
    return f"{size:.1f} {units[0]}"


def _text(text: str, limit_chars: int) -> str:
    shown = printable(text[:limit_chars])
    return shown if len(text) <= limit_chars else f"{shown}... ({len(text):,} characters)"


def printable(text: str) -> str:
    """Replace control characters but line feeds and tabs by their escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text)


def _cut(text: str, limit_chars: int) -> str:
    return text if len(text) <= limit_chars else f"{text[: limit_chars - 3]}..."


def _shown(literal: Literal, limit_chars: int, depth: int) -> str:
    literal = unwrap(literal)
    if isinstance(literal, Scalar):
        value = literal.value
        return _quoted(value, limit_chars) if isinstance(value, str) else str(value)
    if isinstance(literal, ListLiteral):
        return _joined("[]", (_shown(item, limit_chars, depth - 1) for item in literal.items), literal.items, depth)
    if isinstance(literal, MapLiteral):
        parts = (f"{name}: {_shown(item, limit_chars, depth - 1)}" for name, item in literal.entries.items())
        return _joined("{}", parts, literal.entries, depth)
    if isinstance(literal, (Blob, Dataset)):
        return _described(literal)
    if isinstance(literal, NonFinite):
        return literal.value
    from alula_kernel.contracts import brief

    assert isinstance(literal, (Bytes, Json))
    return brief(literal.value, limit_chars)


def _quoted(text: str, limit_chars: int) -> str:
    return repr(text) if len(text) <= limit_chars else f"{text[:limit_chars]!r}..."


def _joined(brackets: str, parts: Iterable[str], items: list[Literal] | dict[str, Literal], depth: int) -> str:
    most = PREVIEW_CHARS // 4
    if depth <= 0 and items:
        return f"{brackets[0]}...{brackets[1]}"
    shown = list(itertools.islice(parts, most))
    if len(items) > most:
        shown.append(f"... {len(items):,} in all")
    return f"{brackets[0]}{', '.join(shown)}{brackets[1]}"


def _described(literal: Blob | Dataset) -> str:
    notes = []
    if isinstance(literal, Dataset):
        kind = f"data frame ({literal.format})" if literal.format else "data frame"
        if literal.rows is not None:
            notes.append(f"{literal.rows:,} rows")
        if literal.columns:
            notes.append(f"{len(literal.columns)} columns")
    else:
        kind = "directory" if literal.directory else "file"
        if literal.name:
            kind = f"{kind} {literal.name}"
    if literal.size is not None:
        notes.append(size_text(literal.size))
    return f"{kind}: {literal.uri}" + (f" ({', '.join(notes)})" if notes else "")


def cut_to_preview(literal: Literal, limit_bytes: int) -> Literal:
    """Return the literal itself if it is small, and else its preview as text."""
    if isinstance(literal, Scalar) and not isinstance(literal.value, str):
        return literal
    if isinstance(literal, (Scalar, UnionLiteral, Hashed, Bytes)):
        inner = unwrap(literal)
        quick = getattr(inner, "value", None)
        if isinstance(quick, (str, bytes)) and len(quick) > limit_bytes:
            return Scalar(preview(inner))
    if isinstance(literal, ListLiteral) and len(literal.items) > limit_bytes:
        return Scalar(preview(literal))
    from alula_kernel.literals import encode

    return literal if len(encode(literal)) <= limit_bytes else Scalar(preview(literal))
