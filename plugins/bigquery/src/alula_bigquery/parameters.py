"""Inputs as query parameters: a type for each, decided before anything runs, and a value, bound and never pasted."""

from __future__ import annotations

import base64
import datetime as dt
import json
from typing import Any

from alula_kernel.errors import UnsupportedTypeError
from alula_kernel.literals import NONE as NULL
from alula_kernel.literals import Bytes, ListLiteral, Literal, MapLiteral, NonFinite, Scalar, is_none, unwrap
from alula_kernel.types import (
    NONE,
    BlobOf,
    DatasetOf,
    EnumOf,
    ListOf,
    LiteralType,
    MapOf,
    Record,
    Simple,
    UnionOf,
    display,
)

_SCALARS = {
    "int": "INT64",
    "float": "FLOAT64",
    "str": "STRING",
    "bool": "BOOL",
    "bytes": "BYTES",
    "date": "DATE",
    "datetime": "TIMESTAMP",
    "json": "JSON",
}

_HINTS = {
    "timedelta": "Pass seconds as a float, and write MAKE_INTERVAL or TIMESTAMP_ADD in the query.",
    "list": "BigQuery has no arrays of arrays: use a list of dataclasses that hold the inner lists.",
    "table": "Tables are named in the query, as `project.dataset.table`; store a data frame in one with "
    'DataFrame(frame, uri="bq://project.dataset.table").',
}


def check_parameter(name: str, literal_type: LiteralType) -> None:
    """Refuse an input whose type no parameter can have.

    Raises:
        UnsupportedTypeError: BigQuery has no type for it; the message says what to use.
    """
    problem = _problem(literal_type)
    if problem is not None:
        raise UnsupportedTypeError(
            f"input {name!r} is {display(literal_type)}, for which BigQuery has no type", hint=problem
        )


def _problem(literal_type: LiteralType) -> str | None:
    """Return what to do instead, if a type is none of BigQuery's."""
    match _without_none(literal_type):
        case Simple(kind):
            return None if kind in _SCALARS else _HINTS.get(kind, "")
        case EnumOf(_, values):
            return None if len({type(value) for value in values}) == 1 else "Use values of one type."
        case ListOf(item):
            inner = _without_none(item)
            if item != inner:
                return "BigQuery's arrays hold no NULL: use a list of items that cannot be None."
            return _HINTS["list"] if isinstance(inner, ListOf) else _problem(inner)
        case Record(_, fields):
            return next((problem for field in fields if (problem := _problem(field.type)) is not None), None)
        case MapOf(value):
            return None if _is_json(value) else "Use a dict of plain values, which becomes JSON, or a dataclass."
        case BlobOf() | DatasetOf():
            return _HINTS["table"]
        case _:
            return "Use int, float, str, bool, bytes, date, datetime, a dataclass, or a list of one of these."


def _is_json(literal_type: LiteralType) -> bool:
    match literal_type:
        case Simple(kind):
            return kind in {"none", "int", "float", "str", "bool", "json"}
        case ListOf(item) | MapOf(item):
            return _is_json(item)
        case UnionOf(variants):
            return all(map(_is_json, variants))
        case _:
            return False


def _without_none(literal_type: LiteralType) -> LiteralType:
    if isinstance(literal_type, UnionOf):
        kept = [variant for variant in literal_type.variants if variant != NONE]
        if len(kept) == 1:
            return kept[0]
    return literal_type


def parameter(name: str, literal_type: LiteralType, literal: Literal) -> dict[str, Any]:
    """Make the parameter of an input, in the form of BigQuery's REST API (``QueryParameter``).

    A ``datetime`` is a TIMESTAMP if it has a time zone, and a DATETIME if it has none; None is NULL.

    Args:
        name: Its name.
        literal_type: The input's type, which `check_parameter` has accepted.
        literal: Its value.
    """
    return {
        "name": name,
        "parameterType": _type(literal_type, literal),
        "parameterValue": _value(literal_type, literal),
    }


def _type(literal_type: LiteralType, literal: Literal) -> dict[str, Any]:
    value = unwrap(literal)
    match _without_none(literal_type):
        case ListOf(item):
            items = value.items if isinstance(value, ListLiteral) else []
            return {"type": "ARRAY", "arrayType": _type(item, items[0] if items else NULL)}
        case Record(_, fields):
            entries = value.entries if isinstance(value, MapLiteral) else {}
            types = [{"name": f.name, "type": _type(f.type, entries.get(f.name, NULL))} for f in fields]
            return {"type": "STRUCT", "structTypes": types}
        case EnumOf(_, values):
            return {"type": _SCALARS[type(values[0]).__name__]}
        case Simple("datetime") if isinstance(value, Scalar) and value.value is not None:
            return {"type": "TIMESTAMP" if _moment(value).tzinfo is not None else "DATETIME"}
        case Simple(kind):
            return {"type": _SCALARS[kind]}
        case _:
            return {"type": "JSON"}


def _value(literal_type: LiteralType, literal: Literal) -> dict[str, Any]:
    value = unwrap(literal)
    match _without_none(literal_type):
        case ListOf(item):
            items = value.items if isinstance(value, ListLiteral) else []
            return {"arrayValues": [_value(item, each) for each in items]}
        case _ if is_none(value):
            return {"value": None}
        case Record(_, fields) if isinstance(value, MapLiteral):
            return {"structValues": {f.name: _value(f.type, value.entries.get(f.name, NULL)) for f in fields}}
        case Simple("datetime") if isinstance(value, Scalar):
            return {"value": _moment(value).isoformat(" ")}
        case Simple("json") | MapOf():
            return {"value": json.dumps(_plain(value))}
        case _:
            return {"value": _text(value)}


def _text(value: Any) -> str:
    if isinstance(value, Bytes):
        return base64.b64encode(value.value).decode()
    if isinstance(value, NonFinite):
        return {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}[value.value]
    found = value.value
    return ("true" if found else "false") if isinstance(found, bool) else str(found)


def _plain(literal: Literal) -> Any:
    value = unwrap(literal)
    if isinstance(value, MapLiteral):
        return {key: _plain(each) for key, each in value.entries.items()}
    if isinstance(value, ListLiteral):
        return [_plain(each) for each in value.items]
    return _text(value) if isinstance(value, NonFinite) else value.value  # type: ignore[union-attr] # plain by its type


def _moment(value: Scalar) -> dt.datetime:
    # A zone that has a name stands in brackets after the offset; BigQuery keeps moments, not zones.
    return dt.datetime.fromisoformat(str(value.value).partition("[")[0])
