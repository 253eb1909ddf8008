"""Whether a literal may be a value of a literal type, as far as the literal itself tells."""

from __future__ import annotations

import re

from ...literals import (
    Blob,
    Bytes,
    Dataset,
    Json,
    ListLiteral,
    Literal,
    MapLiteral,
    NonFinite,
    Scalar,
    unwrap,
)
from ...types import (
    BlobOf,
    DatasetOf,
    EnumOf,
    ListOf,
    LiteralType,
    MapOf,
    Opaque,
    Record,
    RecordRef,
    Simple,
    TupleOf,
    UnionOf,
)

_SCALAR_CLASSES: dict[str, type] = {"none": type(None), "bool": bool, "int": int, "float": float, "str": str}
_TIME_PATTERNS = {
    "date": re.compile(r"\d{4}-\d\d-\d\d"),
    "datetime": re.compile(r"\d{4}-\d\d-\d\d[T ].+"),
    "timedelta": re.compile(r"-?P.+"),
}


def fits(literal: Literal, literal_type: LiteralType, *, exactly: bool) -> bool:
    """Tell whether a literal may be a value of a type.

    Args:
        literal: The literal; wrappers are looked through.
        literal_type: The type.
        exactly: Whether a conversion does not count: an integer is no float, a string that looks like a date no date, a
            map with more names than a record has no such record.
    """
    literal = unwrap(literal)
    match literal_type:
        case Simple(kind):
            return _fits_simple(literal, kind, exactly)
        case ListOf(item):
            return type(literal) is ListLiteral and all(fits(x, item, exactly=exactly) for x in literal.items)
        case TupleOf(items):
            return (
                type(literal) is ListLiteral
                and len(literal.items) == len(items)
                and all(fits(x, t, exactly=exactly) for x, t in zip(literal.items, items, strict=True))
            )
        case MapOf(value):
            return type(literal) is MapLiteral and all(
                fits(x, value, exactly=exactly) for x in literal.entries.values()
            )
        case Record():
            return type(literal) is MapLiteral and _fits_record(literal, literal_type, exactly)
        case RecordRef():
            return type(literal) is MapLiteral
        case EnumOf(_, values):
            return type(literal) is Scalar and any(
                type(v) is type(literal.value) and v == literal.value for v in values
            )
        case UnionOf(variants):
            return any(fits(literal, variant, exactly=exactly) for variant in variants)
        case BlobOf(format, directory):
            if type(literal) is not Blob or literal.directory != directory:
                return False
            return literal.format == format or (not exactly and not (format and literal.format))
        case DatasetOf():
            return type(literal) is Dataset
        case Opaque():
            return not exactly


def _fits_simple(literal: Literal, kind: str, exactly: bool) -> bool:
    if kind == "bytes":
        return type(literal) is Bytes
    if kind == "json":
        return type(literal) is Json or (not exactly and type(literal) in {Scalar, NonFinite, ListLiteral, MapLiteral})
    if type(literal) is NonFinite:
        return kind == "float"
    if type(literal) is not Scalar:
        return False
    if kind in _TIME_PATTERNS:
        return not exactly and type(literal.value) is str and bool(_TIME_PATTERNS[kind].fullmatch(literal.value))
    return type(literal.value) is _SCALAR_CLASSES[kind] or (
        not exactly and kind == "float" and type(literal.value) is int
    )


def _fits_record(literal: MapLiteral, record: Record, exactly: bool) -> bool:
    entries = literal.entries
    if exactly and len(entries.keys() - {field.name for field in record.fields}) > 0:
        return False
    return all(
        fits(entries[field.name], field.type, exactly=exactly) if field.name in entries else not field.required
        for field in record.fields
    )


def plain_class(literal_type: LiteralType) -> type | None:
    """Return the class that values of a type have in plain data, or None if that is not one class."""
    match literal_type:
        case Simple(kind):
            return dict if kind == "json" else _SCALAR_CLASSES.get(kind)
        case ListOf() | TupleOf():
            return list
        case MapOf() | Record() | RecordRef():
            return dict
        case EnumOf(_, values):
            return type(values[0])
        case _:
            return None
