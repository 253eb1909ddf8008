"""Literal types: what a value may be, independent of any language.

A literal type is a frozen msgspec struct. `mismatch` decides whether a value of one type may be bound to an input of
another, and says why not; `display` is how a type is shown to people and how the variants of a union are named.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Union

import msgspec

from .literals import Column

SIMPLE_KINDS = frozenset({"none", "int", "float", "str", "bool", "datetime", "date", "timedelta", "bytes", "json"})


class Simple(msgspec.Struct, frozen=True, tag="simple", tag_field="type"):
    """A type without parameters.

    Attributes:
        kind: One of `SIMPLE_KINDS`.
    """

    kind: str


class ListOf(msgspec.Struct, frozen=True, tag="list", tag_field="type"):
    """A list of any length whose items have one type."""

    item: LiteralType


class MapOf(msgspec.Struct, frozen=True, tag="map", tag_field="type"):
    """A map from strings to values of one type."""

    value: LiteralType


class TupleOf(msgspec.Struct, frozen=True, tag="tuple", tag_field="type"):
    """A fixed number of items, each with its own type."""

    items: tuple[LiteralType, ...]


class FieldType(msgspec.Struct, frozen=True):
    """One field of a record.

    Attributes:
        name: The field's name.
        type: The field's type.
        required: Whether a record without the field is refused.
    """

    name: str
    type: LiteralType
    required: bool = True


class Record(msgspec.Struct, frozen=True, tag="record", tag_field="type"):
    """Named fields: a dataclass, a model, a named tuple, a typed dictionary.

    Attributes:
        name: The class name, without module.
        fields: The fields in order of declaration.
    """

    name: str
    fields: tuple[FieldType, ...]


class RecordRef(msgspec.Struct, frozen=True, tag="ref", tag_field="type"):
    """A record inside its own definition, by name: a tree's child, a list's tail."""

    name: str


class EnumOf(msgspec.Struct, frozen=True, tag="enum", tag_field="type"):
    """One of a fixed set of values: an Enum or a ``typing.Literal``.

    Attributes:
        name: The class name; empty for ``typing.Literal``.
        values: The values, all strings or all of one primitive type.
    """

    name: str
    values: tuple[str | int | bool, ...]


class UnionOf(msgspec.Struct, frozen=True, tag="union", tag_field="type"):
    """A value of any of the variants; None is the variant ``Simple("none")``."""

    variants: tuple[LiteralType, ...]


class BlobOf(msgspec.Struct, frozen=True, tag="blob", tag_field="type"):
    """A file or directory.

    Attributes:
        format: Its format, as ``csv``; empty for any.
        directory: Whether it is a directory.
    """

    format: str = ""
    directory: bool = False


class DatasetOf(msgspec.Struct, frozen=True, tag="dataset", tag_field="type"):
    """A data frame.

    Attributes:
        columns: Columns that must be there; empty for any.
        format: How it is encoded, as ``parquet``; empty for any.
    """

    columns: tuple[Column, ...] = ()
    format: str = ""


class Opaque(msgspec.Struct, frozen=True, tag="opaque", tag_field="type"):
    """A value only Python can read (a pickle), or a plugin's own type.

    Attributes:
        name: Qualified name of the Python class.
    """

    name: str


LiteralType = Union[  # noqa: UP007 - evaluated by msgspec on Python 3.10
    Simple, ListOf, MapOf, TupleOf, Record, RecordRef, EnumOf, UnionOf, BlobOf, DatasetOf, Opaque
]

NONE = Simple("none")
INT = Simple("int")
FLOAT = Simple("float")
STR = Simple("str")
BOOL = Simple("bool")
DATETIME = Simple("datetime")
DATE = Simple("date")
TIMEDELTA = Simple("timedelta")
BYTES = Simple("bytes")
JSON = Simple("json")


def display(literal_type: LiteralType) -> str:
    """Return the type as people write it, as ``list[int]`` or ``File[csv]``."""
    match literal_type:
        case Simple(kind):
            return "None" if kind == "none" else kind
        case ListOf(item):
            return f"list[{display(item)}]"
        case MapOf(value):
            return f"dict[str, {display(value)}]"
        case TupleOf(items):
            return f"tuple[{', '.join(display(item) for item in items)}]"
        case Record(name, _) | RecordRef(name) | Opaque(name):
            return name
        case EnumOf(name, values):
            return name or f"Literal[{', '.join(repr(v) for v in values)}]"
        case UnionOf(variants):
            return " | ".join(display(v) for v in variants)
        case BlobOf(format, directory):
            name = "Directory" if directory else "File"
            return f"{name}[{format}]" if format else name
        case DatasetOf(columns, format):
            inner = ", ".join([f"{c.name}: {c.type}" for c in columns] + ([format] if format else []))
            return f"DataFrame[{inner}]" if inner else "DataFrame"


def optional(literal_type: LiteralType) -> LiteralType:
    """Return the type with None allowed."""
    if isinstance(literal_type, UnionOf):
        return literal_type if NONE in literal_type.variants else UnionOf((*literal_type.variants, NONE))
    return literal_type if literal_type == NONE else UnionOf((literal_type, NONE))


def mismatch(source: LiteralType, target: LiteralType) -> str | None:
    """Say why a value of type `source` may not be bound to an input of type `target`.

    Rules: equal types fit; an int fits a float; an enum of strings fits str; containers fit item by item; every
    variant of a source union must fit; any variant of a target union may accept; a file with a format fits a file of
    any format; a data frame fits one that asks for a subset of its columns, or whose columns are not known; records
    fit when every required field of the target is there and fits; any value made of plain data fits json.

    Returns:
        None if it fits, else the reason in one sentence.
    """
    if source == target:
        return None
    if isinstance(source, UnionOf):
        for variant in source.variants:
            if mismatch(variant, target) is not None:
                return f"{display(variant)}, one of the variants, does not fit {display(target)}"
        return None
    if isinstance(target, UnionOf):
        fits = any(mismatch(source, variant) is None for variant in target.variants)
        return None if fits else _no_fit(source, target)
    if target == JSON:
        return None if _is_plain(source) else _no_fit(source, target)
    compare = _COMPARISONS.get((type(source), type(target)))
    return _no_fit(source, target) if compare is None else compare(source, target)


def _no_fit(source: LiteralType, target: LiteralType) -> str:
    return f"{display(source)} does not fit {display(target)}"


def _simple_mismatch(source: Simple, target: Simple) -> str | None:
    return None if source.kind == "int" and target.kind == "float" else _no_fit(source, target)


def _enum_as_simple_mismatch(source: EnumOf, target: Simple) -> str | None:
    fits = target.kind in {"str", "int", "bool"} and all(type(v).__name__ == target.kind for v in source.values)
    return None if fits else _no_fit(source, target)


def _enum_mismatch(source: EnumOf, target: EnumOf) -> str | None:
    extra = [value for value in source.values if value not in target.values]
    return f"{extra[0]!r} is not one of {', '.join(repr(v) for v in target.values)}" if extra else None


def _items_mismatch(items: tuple[LiteralType, ...], target: ListOf) -> str | None:
    reason = next((r for r in (mismatch(item, target.item) for item in items) if r), None)
    return None if reason is None else f"items differ: {reason}"


def _tuple_mismatch(source: TupleOf, target: TupleOf) -> str | None:
    if len(source.items) != len(target.items):
        return f"{len(source.items)} items, not {len(target.items)}"
    for index, (item, wanted) in enumerate(zip(source.items, target.items, strict=True)):
        if (reason := mismatch(item, wanted)) is not None:
            return f"item {index} differs: {reason}"
    return None


def _map_mismatch(source: MapOf, target: MapOf) -> str | None:
    reason = mismatch(source.value, target.value)
    return None if reason is None else f"values differ: {reason}"


def _name_mismatch(source: Record | RecordRef, target: Record | RecordRef) -> str | None:
    return None if source.name == target.name else _no_fit(source, target)


def _blob_mismatch(source: BlobOf, target: BlobOf) -> str | None:
    same_format = not target.format or not source.format or source.format == target.format
    return None if source.directory == target.directory and same_format else _no_fit(source, target)


def _record_mismatch(source: Record, target: Record) -> str | None:
    have = {field.name: field for field in source.fields}
    for field in target.fields:
        if field.name not in have:
            if field.required:
                return f"{source.name} has no field {field.name!r}, which {target.name} requires"
        elif (reason := mismatch(have[field.name].type, field.type)) is not None:
            return f"field {field.name!r} differs: {reason}"
    return None


def _dataset_mismatch(source: DatasetOf, target: DatasetOf) -> str | None:
    if source.columns and target.columns:
        have = {column.name: column.type for column in source.columns}
        for column in target.columns:
            if column.name not in have:
                return f"column {column.name!r} is missing; there are {', '.join(have)}"
            if have[column.name] != column.type:
                return f"column {column.name!r} is {have[column.name]}, not {column.type}"
    if source.format and target.format and source.format != target.format:
        return f"format {source.format} is not {target.format}"
    return None


_COMPARISONS: dict[tuple[type, type], Callable[[Any, Any], str | None]] = {
    (Simple, Simple): _simple_mismatch,
    (EnumOf, Simple): _enum_as_simple_mismatch,
    (EnumOf, EnumOf): _enum_mismatch,
    (ListOf, ListOf): lambda source, target: _items_mismatch((source.item,), target),
    (TupleOf, ListOf): lambda source, target: _items_mismatch(source.items, target),
    (TupleOf, TupleOf): _tuple_mismatch,
    (MapOf, MapOf): _map_mismatch,
    (Record, Record): _record_mismatch,
    (Record, RecordRef): _name_mismatch,
    (RecordRef, Record): _name_mismatch,
    (BlobOf, BlobOf): _blob_mismatch,
    (DatasetOf, DatasetOf): _dataset_mismatch,
}
"""How types of two kinds are compared; kinds that are not here never fit."""


def _is_plain(literal_type: LiteralType) -> bool:
    match literal_type:
        case Simple(kind):
            return kind in {"none", "int", "float", "str", "bool", "json"}
        case ListOf(item):
            return _is_plain(item)
        case MapOf(value):
            return _is_plain(value)
        case TupleOf(items):
            return all(_is_plain(item) for item in items)
        case Record(_, fields):
            return all(_is_plain(field.type) for field in fields)
        case EnumOf():
            return True
        case UnionOf(variants):
            return all(_is_plain(variant) for variant in variants)
        case _:
            return False


def json_schema(literal_type: LiteralType) -> dict[str, Any]:
    """Describe a literal type as JSON Schema (draft 2020-12), for forms and tools.

    Files, directories and data frames are described as strings in format ``uri``; opaque values as any value.
    """
    match literal_type:
        case Simple(kind):
            return dict(_SIMPLE_SCHEMAS[kind])
        case ListOf(item):
            return {"type": "array", "items": json_schema(item)}
        case MapOf(value):
            return {"type": "object", "additionalProperties": json_schema(value)}
        case TupleOf(items):
            return {"type": "array", "prefixItems": [json_schema(i) for i in items], "items": False}
        case Record(name, fields):
            return {
                "title": name,
                "type": "object",
                "properties": {f.name: json_schema(f.type) for f in fields},
                "required": [f.name for f in fields if f.required],
            }
        case RecordRef(name):
            return {"title": name, "type": "object"}
        case EnumOf(_, values):
            return {"enum": list(values)}
        case UnionOf(variants):
            return {"anyOf": [json_schema(v) for v in variants]}
        case BlobOf() | DatasetOf():
            return {"type": "string", "format": "uri", "title": display(literal_type)}
        case Opaque(name):
            return {"title": name}


_SIMPLE_SCHEMAS: dict[str, dict[str, Any]] = {
    "none": {"type": "null"},
    "int": {"type": "integer"},
    "float": {"type": "number"},
    "str": {"type": "string"},
    "bool": {"type": "boolean"},
    "datetime": {"type": "string", "format": "date-time"},
    "date": {"type": "string", "format": "date"},
    "timedelta": {"type": "string", "format": "duration"},
    "bytes": {"type": "string", "contentEncoding": "base64"},
    "json": {},
}
