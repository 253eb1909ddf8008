"""dict and Mapping, typed and untyped.

- ``dict[str, T]`` is a map on the wire.
- ``dict``, ``dict[str, Any]``, ``dict[Any, Any]`` are plain data.
- ``dict[K, V]`` with other keys is a list of pairs, sorted by key: keys and values keep their types, may be anything
  that has a converter (files and dates included), and equal dicts are equal on the wire.
"""

from __future__ import annotations

import collections
import collections.abc as abc
from collections.abc import Callable, Mapping
from typing import Any

from ... import types
from ...contracts import ConversionContext, Converter, TypeRequest, TypeTransformer, brief
from ...errors import UnsupportedTypeError, ValueConversionError
from ...literals import ListLiteral, Literal, MapLiteral
from ...registry import type_name
from .base import BuiltinConverter, StructureConverter
from .members import member_converter
from .plain import PlainDictConverter
from .previews import bracketed, delimited, table
from .scalars import check_text
from .sequences import convert_all, restore_all, sorting_key


class MappingConverter(StructureConverter[Any]):
    """What the converters of typed dicts have in common.

    Args:
        python_type: The type as annotated.
        key: Converts keys.
        value: Converts values.
        make: Makes the result from a dict; `dict` for dicts.
    """

    __slots__ = ("_make", "key", "value")

    example = '{"a": 1}'

    def __init__(
        self, python_type: Any, key: Converter[Any], value: Converter[Any], make: Callable[[dict[Any, Any]], Any]
    ) -> None:
        self.python_type = python_type
        self.key = key
        self.value = value
        self._make = make

    def accepts(self, value: Any) -> bool:
        """Tell whether the value is a mapping and each key and value would be taken."""
        return (
            isinstance(value, Mapping)
            and all(map(self.key.accepts, value))
            and all(map(self.value.accepts, value.values()))
        )

    def from_plain(self, value: Any, context: ConversionContext) -> Any:
        """Take a dict of plain data, a list of ``[key, value]`` pairs where keys are not strings, or the JSON of either.

        Raises:
            ValueConversionError: It is something else, or does not describe the keys and values.
        """
        if isinstance(value, str):
            return self.from_text(value, context)
        made: dict[Any, Any] = {}
        for key, item in self._plain_items(value):
            try:
                made[self.key.from_plain(key, context)] = self.value.from_plain(item, context)
            except ValueConversionError as error:
                raise error.within(f"[{key!r}]") from error.__cause__
        return self._make(made)

    def _plain_items(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return value.items()
        raise self.refuse(value)

    def to_html(self, value: Any) -> str:
        """Show keys and values as a table."""
        return table(([brief(k, 200), brief(v, 200)] for k, v in value.items()), total_rows=len(value))

    def to_text(self, value: Any) -> str:
        """Show keys and values as their converters do."""
        items = ((delimited(self.key.to_text(k)), delimited(self.value.to_text(v))) for k, v in value.items())
        return bracketed("{}", map(": ".join, items))


class StringMapConverter(MappingConverter):
    """Converts dicts with string keys."""

    __slots__ = ()

    def __init__(
        self, python_type: Any, key: Converter[Any], value: Converter[Any], make: Callable[[dict[Any, Any]], Any]
    ) -> None:
        super().__init__(python_type, key, value, make)
        self.literal_type = types.MapOf(value.literal_type)

    def to_literal(self, value: Any, context: ConversionContext) -> Literal:
        """Convert a mapping.

        Raises:
            ValueConversionError: The value is not a mapping, a key is not a string, or a value is not of its type.
        """
        if not isinstance(value, Mapping):
            raise self.refuse(value)
        if isinstance(self.value, BuiltinConverter) and set(map(type, value)) == {str} and all(map(str.isascii, value)):
            try:
                return MapLiteral(dict(zip(value, self.value.to_literals(list(value.values()), context), strict=True)))
            except ValueConversionError:
                pass  # once more, to say under which key
        convert = self.value.to_literal
        entries: dict[str, Literal] = {}
        key: Any = None
        try:
            for key, item in value.items():
                if type(key) is not str:
                    if not isinstance(key, str):
                        raise self.key.refuse(key)
                    key = str.__str__(key)
                if not key.isascii():
                    check_text(key)
                entries[key] = convert(item, context)
        except ValueConversionError as error:
            raise error.within(f"[{key!r}]") from error.__cause__
        return MapLiteral(entries)

    def to_python(self, literal: Literal, context: ConversionContext) -> Any:
        """Convert back.

        Raises:
            ValueConversionError: The literal is not a map, or a value is not of its type.
        """
        if type(literal) is not MapLiteral:
            return self.unwrapped(literal, context)
        made: dict[str, Any] = {}
        if isinstance(self.value, BuiltinConverter):
            try:
                values = self.value.to_values(list(literal.entries.values()), context)
                made = dict(zip(literal.entries, values, strict=True))
                return made if self._make is dict else self._make(made)
            except ValueConversionError:
                pass  # once more, to say under which key
        convert = self.value.to_python
        key = ""
        try:
            for key, item in literal.entries.items():
                made[key] = convert(item, context)
        except ValueConversionError as error:
            raise error.within(f"[{key!r}]") from error.__cause__
        return made if self._make is dict else self._make(made)


class PairsConverter(MappingConverter):
    """Converts dicts whose keys are not strings."""

    __slots__ = ()

    example = "[[1, 2]]"

    def __init__(
        self, python_type: Any, key: Converter[Any], value: Converter[Any], make: Callable[[dict[Any, Any]], Any]
    ) -> None:
        super().__init__(python_type, key, value, make)
        self.literal_type = types.ListOf(types.TupleOf((key.literal_type, value.literal_type)))

    def to_literal(self, value: Any, context: ConversionContext) -> Literal:
        """Convert a mapping.

        Raises:
            ValueConversionError: The value is not a mapping, or a key or value is not of its type.
        """
        if not isinstance(value, Mapping):
            raise self.refuse(value)
        python_keys = list(value)
        keys = convert_all(self.key, python_keys, context)
        literals: list[Literal] = []
        try:
            for item in value.values():
                literals.append(self.value.to_literal(item, context))  # noqa: PERF401 - its length tells the key
        except ValueConversionError as error:
            raise error.within(f"[{python_keys[len(literals)]!r}]") from error.__cause__
        pairs = sorted(zip(keys, literals, strict=True), key=lambda pair: sorting_key(pair[0]))
        return ListLiteral([ListLiteral([key, item]) for key, item in pairs])

    def to_python(self, literal: Literal, context: ConversionContext) -> Any:
        """Convert back.

        Raises:
            ValueConversionError: The literal is not a list of pairs, or a key or value is not of its type.
        """
        if type(literal) is not ListLiteral:
            return self.unwrapped(literal, context)
        pairs = literal.items
        if not all(type(pair) is ListLiteral and len(pair.items) == 2 for pair in pairs):
            raise self.refuse_literal(literal)
        keys = restore_all(self.key, [pair.items[0] for pair in pairs], context)  # type: ignore[union-attr]
        values = restore_all(self.value, [pair.items[1] for pair in pairs], context)  # type: ignore[union-attr]
        return self._make(dict(zip(keys, values, strict=True)))

    def _plain_items(self, value: Any) -> Any:
        if isinstance(value, list) and all(isinstance(pair, (list, tuple)) and len(pair) == 2 for pair in value):
            return ((_hashable(key), item) for key, item in value)
        return super()._plain_items(value)


def _hashable(key: Any) -> Any:
    """Turn lists, which JSON has instead of tuples, into tuples."""
    return tuple(map(_hashable, key)) if isinstance(key, list) else key


_FACTORIES: dict[type, Callable[[dict[Any, Any]], Any]] = {
    dict: dict,
    collections.OrderedDict: collections.OrderedDict,
    collections.defaultdict: lambda made: collections.defaultdict(None, made),
    collections.Counter: collections.Counter,
    abc.Mapping: dict,
    abc.MutableMapping: dict,
}


class MappingTransformer(TypeTransformer):
    """Makes the converters of dicts and of the abstract classes for them."""

    name = "mappings"
    python_types = tuple(_FACTORIES)

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Make the converter of a dict.

        Raises:
            UnsupportedTypeError: The types of keys or values are not supported, or the class is a subclass that nobody
                knows how to make.
        """
        make = _FACTORIES.get(request.origin)
        if make is None:
            raise UnsupportedTypeError(
                f"no type transformer handles {type_name(request.python_type)}, a subclass of a built-in mapping",
                hint="Use dict[str, T], or a dataclass with a field of that type.",
            )
        args = request.args
        if request.origin is collections.Counter and len(args) == 1:
            args = (args[0], int)
        if len(args) != 2 or any(type(arg).__name__ == "TypeVar" for arg in args) or _is_any(args[0]):
            return PlainDictConverter(request.python_type, make)
        if args[0] is str and _is_any(args[1]):
            return PlainDictConverter(request.python_type, make)
        key = member_converter(request, args[0])
        value = member_converter(request, args[1])
        if args[0] is str:
            return StringMapConverter(request.python_type, key, value, make)
        return PairsConverter(request.python_type, key, value, make)


def _is_any(python_type: Any) -> bool:
    return python_type is Any or python_type is object
