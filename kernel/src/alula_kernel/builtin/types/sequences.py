"""list, tuple, set and frozenset, and the abstract classes of ``collections.abc`` for them."""

from __future__ import annotations

import collections
import collections.abc as abc
import typing
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec

from ... import types
from ...contracts import ConversionContext, Converter, TypeRequest, TypeTransformer, brief
from ...errors import UnsupportedTypeError, ValueConversionError
from ...literals import ListLiteral, Literal, Scalar, identity_bytes
from ...registry import type_name
from .base import BuiltinConverter, StructureConverter
from .members import member_converter
from .previews import bracketed, delimited, table
from .records import RecordConverter


def convert_all(item: Converter[Any], values: Sequence[Any], context: ConversionContext) -> list[Literal]:
    """Convert values with one converter.

    Raises:
        ValueConversionError: One of them is not of its type; the location is its index.
    """
    if isinstance(item, BuiltinConverter):
        return item.to_literals(values, context)
    return _each(item.to_literal, values, context)


def restore_all(item: Converter[Any], literals: Sequence[Literal], context: ConversionContext) -> list[Any]:
    """Convert literals back with one converter.

    Raises:
        ValueConversionError: One of them is not of its type; the location is its index.
    """
    if isinstance(item, BuiltinConverter):
        return item.to_values(literals, context)
    return _each(item.to_python, literals, context)


def _each(
    convert: Callable[[Any, ConversionContext], Any], values: Iterable[Any], context: ConversionContext
) -> list[Any]:
    made: list[Any] = []
    try:
        for value in values:
            made.append(convert(value, context))  # noqa: PERF401 - its length is the index of what failed
    except ValueConversionError as error:
        raise error.within(f"[{len(made)}]") from error.__cause__
    return made


def sorting_key(literal: Literal) -> tuple[int, Any]:
    """Order literals the same way in every process: numbers by size, texts by characters, others by their identity."""
    if type(literal) is Scalar:
        value = literal.value
        if type(value) is str:
            return (1, value)
        if type(value) is int or type(value) is float:
            return (0, value)
    return (2, identity_bytes(literal))


class ListConverter(StructureConverter[Any]):
    """Converts collections of any length whose items have one type.

    Args:
        python_type: The type as annotated.
        item: Converts the items.
        accepted: Classes of values that are taken.
        make: Makes the value from a list; `list` for lists.
    """

    __slots__ = ("_accepted", "_make", "item")

    example = "[1, 2]"
    brackets = "[]"

    def __init__(
        self,
        python_type: Any,
        item: Converter[Any],
        accepted: type | tuple[type, ...],
        make: Callable[[list[Any]], Any],
    ) -> None:
        self.python_type = python_type
        self.item = item
        self.literal_type = types.ListOf(item.literal_type)
        self._accepted = accepted
        self._make = make

    def to_literal(self, value: Any, context: ConversionContext) -> Literal:
        """Convert a collection; an iterable is read to its end.

        Raises:
            ValueConversionError: The value is not such a collection, or an item is not of its type.
        """
        if type(value) is not list or self._make is not list:
            # A text is a sequence of texts, but nobody means that.
            if not isinstance(value, self._accepted) or isinstance(value, (str, bytes)):
                raise self.refuse(value)
            items: Any = value
            value = list(items)
        return ListLiteral(convert_all(self.item, value, context))

    def to_python(self, literal: Literal, context: ConversionContext) -> Any:
        """Convert back.

        Raises:
            ValueConversionError: The literal is not a list, or an item is not of its type.
        """
        if type(literal) is not ListLiteral:
            return self.unwrapped(literal, context)
        values = restore_all(self.item, literal.items, context)
        return values if self._make is list else self._make(values)

    def accepts(self, value: Any) -> bool:
        """Tell whether the value is such a collection and each item would be taken."""
        if not isinstance(value, self._accepted) or isinstance(value, (str, bytes)):
            return False
        return not isinstance(value, abc.Sized) or all(map(self.item.accepts, value))  # type: ignore[call-overload]

    def from_plain(self, value: Any, context: ConversionContext) -> Any:
        """Take a list of plain data, or its JSON.

        Raises:
            ValueConversionError: It is something else, or does not describe the items.
        """
        if isinstance(value, str):
            return self.from_text(value, context)
        if not isinstance(value, (list, tuple, set, frozenset)):
            raise self.refuse(value)
        return self._make(_each(self.item.from_plain, value, context))

    def to_html(self, value: Any) -> str:
        """Show records as a table with a column for each field, other items as a table with one column."""
        if not isinstance(value, abc.Sized):
            return super().to_html(value)
        total = len(value)
        items: Iterable[Any] = value  # type: ignore[assignment]
        if isinstance(self.item, RecordConverter):
            return table(
                (self.item.cells(item) for item in items), total_rows=total, header=[f.name for f in self.item.fields]
            )
        return table(([str(i), brief(item, 200)] for i, item in enumerate(items)), total_rows=total)

    def to_text(self, value: Any) -> str:
        """Show the items as their converter does."""
        return bracketed(self.brackets, (delimited(self.item.to_text(item)) for item in value))


class SetConverter(ListConverter):
    """Converts sets; on the wire they are sorted, so that equal sets are equal there."""

    __slots__ = ()

    brackets = "{}"

    def to_literal(self, value: Any, context: ConversionContext) -> Literal:
        """Convert a set.

        Raises:
            ValueConversionError: The value is not a set, or an item is not of its type.
        """
        if not isinstance(value, self._accepted):
            raise self.refuse(value)
        items: Any = value
        return ListLiteral(sorted(convert_all(self.item, list(items), context), key=sorting_key))


class TupleConverter(StructureConverter[Any]):
    """Converts tuples of a fixed number of items, each with its own type.

    Args:
        python_type: The type as annotated.
        items: Convert the items.
    """

    __slots__ = ("_readers", "_writers", "items")

    example = '[1, "a"]'

    def __init__(self, python_type: Any, items: Sequence[Converter[Any]]) -> None:
        self.python_type = python_type
        self.items = tuple(items)
        self.literal_type = types.TupleOf(tuple(item.literal_type for item in items))
        self._writers = tuple(item.to_literal for item in items)
        self._readers = tuple(item.to_python for item in items)

    def to_literal(self, value: Any, context: ConversionContext) -> Literal:
        """Convert a tuple.

        Raises:
            ValueConversionError: The value is not a tuple of this length, or an item is not of its type.
        """
        if not isinstance(value, tuple):
            raise self.refuse(value)
        return ListLiteral(self._each(self._writers, value, context))

    def to_python(self, literal: Literal, context: ConversionContext) -> Any:
        """Convert back.

        Raises:
            ValueConversionError: The literal is not a list of this length, or an item is not of its type.
        """
        if type(literal) is not ListLiteral:
            return self.unwrapped(literal, context)
        return tuple(self._each(self._readers, literal.items, context))

    def _each(
        self,
        converts: Sequence[Callable[[Any, ConversionContext], Any]],
        values: Sequence[Any],
        context: ConversionContext,
    ) -> list[Any]:
        if len(values) != len(self.items):
            raise ValueConversionError(
                f"expected {self.describe()}, found {len(values)} items instead of {len(self.items)}"
            )
        made: list[Any] = []
        try:
            for convert, value in zip(converts, values, strict=True):
                made.append(convert(value, context))
        except ValueConversionError as error:
            raise error.within(f"[{len(made)}]") from error.__cause__
        return made

    def accepts(self, value: Any) -> bool:
        """Tell whether the value is a tuple of this length and each item would be taken."""
        return (
            isinstance(value, tuple)
            and len(value) == len(self.items)
            and all(item.accepts(member) for item, member in zip(self.items, value, strict=True))
        )

    def from_plain(self, value: Any, context: ConversionContext) -> Any:
        """Take a list of plain data of this length, or its JSON.

        Raises:
            ValueConversionError: It is something else, or does not describe the items.
        """
        if isinstance(value, str):
            return self.from_text(value, context)
        if not isinstance(value, (list, tuple)):
            raise self.refuse(value)
        return tuple(self._each([item.from_plain for item in self.items], value, context))

    def to_html(self, value: Any) -> str:
        """Show the items as a table."""
        return table(([str(i), brief(item, 200)] for i, item in enumerate(value)), total_rows=len(value))

    def to_text(self, value: Any) -> str:
        """Show the items as their converters do."""
        members = zip(self.items, value, strict=True)
        return bracketed("()", (delimited(item.to_text(member)) for item, member in members))


class _Family(msgspec.Struct, frozen=True):
    """How one class of collections is converted."""

    accepted: type | tuple[type, ...]
    make: Callable[[list[Any]], Any]
    converter: type[ListConverter] = ListConverter


_FAMILIES: dict[type, _Family] = {
    list: _Family(list, list),
    collections.deque: _Family(collections.deque, collections.deque),
    set: _Family((set, frozenset), set, SetConverter),
    frozenset: _Family((set, frozenset), frozenset, SetConverter),
    abc.Sequence: _Family(abc.Sequence, list),
    abc.MutableSequence: _Family(abc.MutableSequence, list),
    abc.Collection: _Family(abc.Collection, list),
    abc.Iterable: _Family(abc.Iterable, list),
    abc.Set: _Family(abc.Set, set, SetConverter),
    abc.MutableSet: _Family(abc.MutableSet, set, SetConverter),
}


class SequenceTransformer(TypeTransformer):
    """Makes the converters of lists, tuples, sets and of the abstract classes for them."""

    name = "sequences"
    python_types = (tuple, *_FAMILIES)

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Make the converter of a collection.

        Raises:
            UnsupportedTypeError: What it holds is not declared or not supported, or the class is a subclass that nobody
                knows how to make.
        """
        if request.origin is tuple:
            return self._tuple(request)
        family = _FAMILIES.get(request.origin)
        if family is None:
            raise UnsupportedTypeError(
                f"no type transformer handles {type_name(request.python_type)}, a subclass of a built-in collection",
                hint="Use list[T], set[T] or tuple[T, ...], or a dataclass with a field of that type.",
            )
        if len(request.args) != 1:
            raise _undeclared(request)
        item = member_converter(request, request.args[0])
        return family.converter(request.python_type, item, family.accepted, family.make)

    def _tuple(self, request: TypeRequest) -> Converter[Any]:
        args = request.args
        if request.python_type is tuple or request.python_type is typing.Tuple:  # noqa: UP006 - as users write it
            raise _undeclared(request)
        if len(args) == 2 and args[1] is ...:
            return ListConverter(request.python_type, member_converter(request, args[0]), tuple, tuple)
        if args == ((),):  # tuple[()] on Python 3.10
            args = ()
        return TupleConverter(request.python_type, [member_converter(request, arg) for arg in args])


def _undeclared(request: TypeRequest) -> UnsupportedTypeError:
    name = _NAMES.get(request.origin, type_name(request.python_type))
    example = f"{name}[int, str] or {name}[int, ...]" if request.origin is tuple else f"{name}[int]"
    return UnsupportedTypeError(
        f"{name} does not say what it holds",
        hint=f"Write {example}, or {name}[{'Any, ...' if request.origin is tuple else 'Any'}] for plain JSON data.",
    )


_NAMES: dict[Any, str] = {list: "list", tuple: "tuple", set: "set", frozenset: "frozenset"}
