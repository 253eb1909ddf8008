"""Columns of data frames: how authors declare them, and how their types are written.

The type of a column is written as Arrow writes it (``int64``, ``string``, ``timestamp[us]``), whatever the author used:
Python classes, numpy or Arrow types, or that text itself. Nothing here imports any of these libraries.
"""

from __future__ import annotations

import collections
import dataclasses
import datetime as dt
import decimal
import enum
import re
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from alula_kernel.errors import UnsupportedTypeError, ValueConversionError
from alula_kernel.literals import Column

_BY_CLASS: dict[Any, str] = {
    int: "int64",
    float: "double",
    str: "string",
    bool: "bool",
    bytes: "binary",
    dt.datetime: "timestamp[us]",
    dt.date: "date32[day]",
    dt.time: "time64[us]",
    dt.timedelta: "duration[us]",
    decimal.Decimal: "decimal128(38, 9)",
}
_BY_NUMPY_NAME = {
    **{name: name for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")},
    "float16": "halffloat",
    "float32": "float",
    "float64": "double",
    "bool": "bool",
    "bool_": "bool",
    "str_": "string",
    "str": "string",
    "bytes_": "binary",
    "datetime64": "timestamp[ns]",
    "timedelta64": "duration[ns]",
    "object": "string",
    "object_": "string",
    "longlong": "int64",
}
_SHORT = {"float64": "double", "float32": "float", "float16": "halffloat", "str": "string", "int": "int64"}


def kwtypes(**kwargs: Any) -> collections.OrderedDict[str, Any]:
    """Declare named types in order, as the columns of a data frame: ``kwtypes(name=str, age=int)``."""
    return collections.OrderedDict(kwargs)


def declared_columns(metadata: Sequence[Any]) -> tuple[Column, ...]:
    """Return the columns that stand in ``Annotated``, in order; empty if none do.

    A dictionary of types (also nested), a dataclass, and an Arrow schema declare columns; the first of them counts.

    Raises:
        UnsupportedTypeError: A type cannot be the type of a column.
    """
    for extra in metadata:
        if (columns := columns_of(extra)) is not None:
            return columns
    return ()


def columns_of(declared: Any) -> tuple[Column, ...] | None:
    """Return the columns that a value declares, or None if it declares none.

    Raises:
        UnsupportedTypeError: A type cannot be the type of a column.
    """
    if isinstance(declared, Mapping):
        return tuple(Column(name, arrow_text(declared[name], name)) for name in declared)
    if isinstance(declared, type) and dataclasses.is_dataclass(declared):
        return tuple(Column(name, arrow_text(kind, name)) for name, kind in _fields(declared).items())
    if type(declared).__module__ == "pyarrow.lib" and type(declared).__name__ == "Schema":
        return tuple(Column(field.name, canonical(str(field.type))) for field in declared)
    return None


def _fields(cls: type) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    return {field.name: hints[field.name] for field in dataclasses.fields(cls)}


def arrow_text(kind: Any, column: str) -> str:
    """Write a type as Arrow does.

    Raises:
        UnsupportedTypeError: It cannot be the type of a column.
    """
    if isinstance(kind, str):
        return canonical(kind)
    if kind in _BY_CLASS if isinstance(kind, type) else False:
        return _BY_CLASS[kind]
    found = _library_text(kind) or _nested_text(kind, column)
    if found is None:
        raise UnsupportedTypeError(
            f"column {column!r} cannot be of type {getattr(kind, '__name__', kind)!s}",
            hint="Use int, float, str, bool, bytes, date, datetime, timedelta, list[T], a dict of types, or an Arrow or "
            "numpy type.",
        )
    return found


def _library_text(kind: Any) -> str | None:
    """Write a numpy or Arrow type."""
    module = (kind if isinstance(kind, type) else type(kind)).__module__.partition(".")[0]
    if module == "pyarrow":
        return canonical(str(kind))
    if module == "numpy":
        name = kind.__name__ if isinstance(kind, type) else kind.name
        return _BY_NUMPY_NAME.get(name)
    return None


def _nested_text(kind: Any, column: str) -> str | None:
    """Write a container, a union with None, an enum or a class with fields."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in {typing.Union, types.UnionType}:
        some = [arg for arg in args if arg is not type(None)]
        return arrow_text(some[0], column) if len(some) == 1 else None
    if origin in {list, collections.abc.Sequence} and args:
        return f"list<item: {arrow_text(args[0], column)}>"
    if origin is dict and len(args) == 2:
        return f"map<{arrow_text(args[0], column)}, {arrow_text(args[1], column)}>"
    if isinstance(kind, Mapping):
        return _struct_text(kind, column)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        return _struct_text(_fields(kind), column)
    return "string" if isinstance(kind, type) and issubclass(kind, enum.Enum) else None


def _struct_text(fields: Mapping[str, Any], column: str) -> str:
    inner = ", ".join(f"{name}: {arrow_text(fields[name], f'{column}.{name}')}" for name in fields)
    return f"struct<{inner}>"


def canonical(text: str) -> str:
    """Return one spelling for types that differ only in how they lie in memory, as ``large_string`` and ``string``."""
    text = _SHORT.get(text, text)
    text = re.sub(r"\b(?:large_|(?=\w+_view))(string|binary|list|utf8)(?:_view)?\b", r"\1", text)
    return re.sub(r"\butf8\b", "string", text)


_FAMILIES = (
    ("number", re.compile(r"u?int\d+|float|double|halffloat|decimal")),
    ("text", re.compile(r"string")),
    ("truth value", re.compile(r"bool")),
    ("date", re.compile(r"timestamp|date")),
    ("time", re.compile(r"time(32|64)")),
    ("duration", re.compile(r"duration")),
    ("bytes", re.compile(r"binary|fixed_size_binary")),
    ("list", re.compile(r"list|fixed_size_list")),
    ("record", re.compile(r"struct|map")),
)


def family(text: str) -> str:
    """Return the kind of values that a type has, as ``number``; empty if it can be anything, as ``null``."""
    dictionary = re.match(r"dictionary<values=([^,]+),", text)
    inner = dictionary[1] if dictionary else text
    return next((name for name, pattern in _FAMILIES if pattern.match(inner)), "")


def check_columns(declared: Sequence[Column], found: Sequence[Column], what: str) -> None:
    """Refuse a data frame that has not all declared columns, or one of quite another kind.

    Kinds are compared, not widths: a column declared ``int`` may be of 32 bits, or of floats when numbers are missing.

    Args:
        declared: What must be there.
        found: What is there.
        what: Name of the data frame for the message.

    Raises:
        ValueConversionError: A column is missing or of another kind.
    """
    have = {column.name: column.type for column in found}
    for column in declared:
        if column.name not in have:
            there = ", ".join(list(have)[:20]) or "none"
            raise ValueConversionError(
                f"column {column.name!r} is missing from {what}",
                hint=f"The columns are: {there}. Declare the ones that are there, or rename them.",
            )
        wanted, actual = family(column.type), family(have[column.name])
        if wanted and actual and wanted != actual:
            raise ValueConversionError(
                f"column {column.name!r} of {what} was declared as {column.type} ({wanted}), and is "
                f"{have[column.name]} ({actual})",
                hint="Convert the column, or declare the type that it has.",
            )
