"""Plain data: what JSON can express, without a declared shape.

``dict``, ``dict[str, Any]`` and ``Any`` inside another type are plain data. On the wire it is what JSON has, and three
things that JSON has not are written as maps with one key that begins with ``$``:

- a float that is not finite: ``{"$float": "nan"}``,
- a dict with keys that are not strings, or that looks like one of these maps: ``{"$pairs": [[key, value], ...]}``.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from ... import types
from ...contracts import ConversionContext
from ...errors import ValueConversionError
from ...literals import (
    INT64_MAX,
    INT64_MIN,
    Json,
    ListLiteral,
    Literal,
    MapLiteral,
    NonFinite,
    Scalar,
    unwrap,
)
from ...registry import MAX_DEPTH, too_deep, type_name
from .base import StructureConverter
from .previews import table
from .scalars import check_text

FLOAT_KEY = "$float"
PAIRS_KEY = "$pairs"
_MARKS = frozenset({FLOAT_KEY, PAIRS_KEY})


def encode_plain(value: Any, depth: int = 0) -> Any:
    """Copy plain data into what JSON and msgpack carry unchanged.

    Args:
        value: None, booleans, numbers of Python or numpy, strings, lists, tuples (which become lists) and dicts.
        depth: How deep the value is nested already.

    Raises:
        ValueConversionError: There is something else in it, an integer beyond 64 bits, or too many levels; its location
            says where.
    """
    kind = type(value)
    if kind is str:
        if not value.isascii():
            check_text(value)
        return value
    if kind is bool or value is None:
        return value
    if kind is int:
        if INT64_MIN <= value <= INT64_MAX:
            return value
        raise ValueConversionError(
            f"expected plain data, found an integer of {value.bit_length() + 1:,} bits; JSON has 64",
            hint="Use a string for it.",
        )
    if kind is float:
        return value if isfinite(value) else {FLOAT_KEY: repr(value)}
    if depth >= MAX_DEPTH:
        raise too_deep()
    if kind is list or kind is tuple:
        return _encode_items(value, depth)
    if isinstance(value, Mapping):
        return _encode_mapping(value, depth)
    return _encode_other(value, depth)


def _encode_items(items: Any, depth: int) -> list[Any]:
    made: list[Any] = []
    try:
        for item in items:
            made.append(encode_plain(item, depth + 1))  # noqa: PERF401 - its length is the index of what failed
    except ValueConversionError as error:
        raise error.within(f"[{len(made)}]") from None
    return made


def _encode_mapping(mapping: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    if not all(type(key) is str for key in mapping):
        return _encode_pairs(mapping, depth)
    made: dict[str, Any] = {}
    key = ""
    try:
        for key, item in mapping.items():
            if not key.isascii():
                check_text(key)
            made[key] = encode_plain(item, depth + 1)
    except ValueConversionError as error:
        raise error.within(f"[{key!r}]") from None
    if len(made) == 1 and not _MARKS.isdisjoint(made):
        return _encode_pairs(mapping, depth)
    return made


def _encode_pairs(mapping: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    import msgspec

    pairs = []
    for key, item in mapping.items():
        try:
            pairs.append([encode_plain(key, depth + 1), encode_plain(item, depth + 1)])
        except ValueConversionError as error:
            raise error.within(f"[{key!r}]") from None
    # The order of a dict is no part of what it is, and must not change its hash.
    return {PAIRS_KEY: sorted(pairs, key=lambda pair: msgspec.msgpack.encode(pair[0], order="sorted"))}


def _encode_other(value: Any, depth: int) -> Any:
    for base in (str, bool, int, float):  # enums with such a base, and other subclasses
        if isinstance(value, base):
            return encode_plain(base.__str__(value) if base is str else base(value), depth)
    if isinstance(value, (list, tuple)):
        return _encode_items(value, depth)
    if type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0:
        return encode_plain(value.item(), depth + 1)
    raise ValueConversionError(
        f"expected plain data (None, bool, int, float, str, list, dict), found {type_name(type(value))}",
        hint="Declare what it holds with a dataclass or TypedDict; their fields may have any supported type.",
    )


def decode_plain(value: Any) -> Any:
    """Copy plain data out of its wire form, so that whoever gets it may change it.

    Raises:
        ValueConversionError: It is nested too deeply.
    """
    try:
        return _decode(value)
    except RecursionError:
        raise too_deep() from None


def _decode(value: Any) -> Any:
    kind = type(value)
    if kind is list:
        return [_decode(item) for item in value]
    if kind is dict:
        if len(value) == 1:
            if FLOAT_KEY in value:
                return float(value[FLOAT_KEY])
            if PAIRS_KEY in value:
                return {_decode(key): _decode(item) for key, item in value[PAIRS_KEY]}
        return {key: _decode(item) for key, item in value.items()}
    return value


def plain_value(literal: Literal) -> Any:
    """Return the plain data that a literal of any plain kind holds, as when a record is bound to an input of plain data.

    Raises:
        ValueConversionError: It holds a file, a data frame or bytes, or is nested too deeply.
    """
    try:
        return _plain_value(literal)
    except RecursionError:
        raise too_deep() from None


def _plain_value(literal: Literal) -> Any:
    literal = unwrap(literal)
    kind = type(literal)
    if kind is Json:
        return _decode(literal.value)  # type: ignore[union-attr]
    if kind is Scalar:
        return literal.value  # type: ignore[union-attr]
    if kind is NonFinite:
        return float(literal.value)  # type: ignore[union-attr, arg-type]
    if kind is ListLiteral:
        return [_plain_value(item) for item in literal.items]  # type: ignore[union-attr]
    if kind is MapLiteral:
        return {name: _plain_value(item) for name, item in literal.entries.items()}  # type: ignore[union-attr]
    raise PLAIN.refuse_literal(literal)


class PlainConverter(StructureConverter[Any]):
    """Converts plain data of any shape."""

    __slots__ = ()

    example = '{"a": 1}'

    def __init__(self) -> None:
        self.python_type = Any
        self.literal_type = types.JSON

    def describe(self) -> str:
        """Say "plain data"; the Python type says nothing."""
        return "plain data"

    def to_literal(self, value: Any, context: ConversionContext) -> Literal:
        """Copy plain data into a literal.

        Raises:
            ValueConversionError: There is something else in it; its location says where.
        """
        return Json(encode_plain(value))

    def to_python(self, literal: Literal, context: ConversionContext) -> Any:
        """Copy plain data out of a literal; records and collections become dicts and lists.

        Raises:
            ValueConversionError: There is something else in it.
        """
        return decode_plain(literal.value) if type(literal) is Json else plain_value(literal)

    def accepts(self, value: Any) -> bool:
        """Tell whether the value is of a class that plain data has; what it holds is not looked at."""
        return value is None or isinstance(value, (bool, int, float, str, list, tuple, dict))

    def from_plain(self, value: Any, context: ConversionContext) -> Any:
        """Take anything."""
        return value

    def from_text(self, text: str, context: ConversionContext) -> Any:
        """Take JSON.

        Raises:
            ValueConversionError: It is not JSON.
        """
        return self.parse_json(text)


class PlainDictConverter(PlainConverter):
    """Converts dicts of undeclared shape.

    Args:
        python_type: The type as annotated, as ``dict`` or ``dict[str, Any]``.
        make: Makes the value from a dict.
    """

    __slots__ = ("_make",)

    def __init__(self, python_type: Any, make: Any = dict) -> None:
        self.python_type = python_type
        self.literal_type = types.JSON
        self._make = make

    def describe(self) -> str:
        """Name the Python type as its author writes it."""
        return type_name(self.python_type)

    def to_literal(self, value: Any, context: ConversionContext) -> Literal:
        """Copy a dict of plain data into a literal.

        Raises:
            ValueConversionError: It is no dict, or holds something else than plain data.
        """
        if not self.accepts(value):
            raise self.refuse(value)
        return Json(encode_plain(value))

    def to_python(self, literal: Literal, context: ConversionContext) -> Any:
        """Copy a dict out of a literal.

        Raises:
            ValueConversionError: The literal is no dict.
        """
        value = super().to_python(literal, context)
        if type(value) is list:  # a dict with declared keys that are not strings travels as pairs
            try:
                value = dict(value)
            except (TypeError, ValueError):
                raise self.refuse(value) from None
        return self._made(value)

    def _made(self, value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise self.refuse(value)
        return value if self._make is dict else self._make(value)

    def accepts(self, value: Any) -> bool:
        """Tell whether the value is a mapping."""
        return isinstance(value, Mapping)

    def from_plain(self, value: Any, context: ConversionContext) -> Any:
        """Take a dict, or its JSON.

        Raises:
            ValueConversionError: It is something else.
        """
        return self.from_text(value, context) if isinstance(value, str) else self._made(value)

    def from_text(self, text: str, context: ConversionContext) -> Any:
        """Take a JSON object.

        Raises:
            ValueConversionError: It is something else.
        """
        return self._made(self.parse_json(text))

    def to_html(self, value: Any) -> str:
        """Show keys and values as a table."""
        from ...contracts import brief

        return table(((str(k), brief(v, 200)) for k, v in value.items()), total_rows=len(value))


PLAIN = PlainConverter()
