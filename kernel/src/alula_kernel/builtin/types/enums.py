"""Enum classes and ``typing.Literal``."""

from __future__ import annotations

import enum
import typing
from collections.abc import Mapping
from typing import Any

from ... import types
from ...contracts import ConversionContext, Converter, TypeRequest, TypeTransformer
from ...errors import UnsupportedTypeError, ValueConversionError
from ...literals import INT64_MAX, INT64_MIN, Literal, Scalar
from ...registry import type_name
from .base import BuiltinConverter

Wire = typing.Union[str, int, bool]  # noqa: UP007 - evaluated on Python 3.10


class ChoiceConverter(BuiltinConverter[Any]):
    """Converts values out of a fixed set.

    Args:
        python_type: The type as annotated.
        name: Name of the literal type; empty for ``typing.Literal``.
        choices: The Python value of each value on the wire, in order; the latter are of one type.
        names: Further texts that people may give, with their Python values.
    """

    __slots__ = ("_by_wire", "_names", "_wire_type", "_writers")

    def __init__(
        self, python_type: Any, name: str, choices: Mapping[Wire, Any], names: Mapping[str, Any] | None = None
    ) -> None:
        self.python_type = python_type
        self.literal_type = types.EnumOf(name, tuple(choices))
        self._wire_type = type(next(iter(choices)))
        self._by_wire = dict(choices)
        self._writers = {id(value): Scalar(wire) for wire, value in choices.items()}
        self._names = dict(names or {})

    def to_literal(self, value: Any, context: ConversionContext) -> Literal:
        """Convert one of the values; for an Enum, also the plain value of a member.

        Raises:
            ValueConversionError: It is none of them.
        """
        literal = self._writers.get(id(value))  # members of an enum are unique objects
        if literal is not None:
            return literal
        if type(value) is self._wire_type and value in self._by_wire:
            return Scalar(value)
        raise self._unknown(value)

    def to_python(self, literal: Literal, context: ConversionContext) -> Any:
        """Convert back.

        Raises:
            ValueConversionError: The literal is none of the values.
        """
        if type(literal) is not Scalar:
            return self.unwrapped(literal, context)
        wire = literal.value
        if type(wire) is not self._wire_type or wire not in self._by_wire:
            raise self._unknown(wire)
        return self._by_wire[wire]  # type: ignore[index]

    def accepts(self, value: Any) -> bool:
        """Tell whether the value is one of them."""
        return id(value) in self._writers or (type(value) is self._wire_type and value in self._by_wire)

    def from_plain(self, value: Any, context: ConversionContext) -> Any:
        """Take one of the values, by value or by name.

        Raises:
            ValueConversionError: It is none of them.
        """
        if isinstance(value, float) and value.is_integer():  # JavaScript has no other numbers
            value = int(value)
        if self.accepts(value):
            return self._by_wire[value] if type(value) is self._wire_type else value
        if isinstance(value, str) and not isinstance(value, enum.Enum):
            return self.from_text(value, context)
        raise self._unknown(value)

    def from_text(self, text: str, context: ConversionContext) -> Any:
        """Take the value, or the name, of one of them; a name in any case.

        Raises:
            ValueConversionError: It is none of them.
        """
        stripped = text.strip()
        for wire, value in self._by_wire.items():
            if str(wire) == stripped or (isinstance(wire, bool) and str(wire).lower() == stripped.lower()):
                return value
        if stripped in self._names:
            return self._names[stripped]
        for name, value in self._names.items():
            if name.lower() == stripped.lower():
                return value
        raise self._unknown(text)

    def _unknown(self, value: Any) -> ValueConversionError:
        from ...errors import UnknownNameError

        shown = [str(wire) for wire in self._by_wire]
        near = UnknownNameError.among("value", str(value)[:100], shown).hint if isinstance(value, str) else ""
        hint = near or f"Known: {', '.join(shown[:20])}{', ...' if len(shown) > 20 else ''}."
        return ValueConversionError(self.refuse(value).message, hint=hint)

    def to_text(self, value: Any) -> str:
        """Show the value on the wire."""
        return str(value.value) if isinstance(value, enum.Enum) else str(value)


class EnumTransformer(TypeTransformer):
    """Makes the converters of Enum classes.

    Members whose values are all strings, or all integers of 64 bits, are these values on the wire; members of any other
    enum are their names.
    """

    name = "enums"
    python_types = (enum.Enum,)

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Make the converter of an Enum class.

        Raises:
            UnsupportedTypeError: It has no members, or its members combine (``Flag``).
        """
        cls = request.origin
        members = list(cls)
        if issubclass(cls, enum.Flag) or not members:
            reason = "combines its members" if members else "has no members"
            raise UnsupportedTypeError(
                f"the enum {type_name(cls)} {reason}", hint="Use an enum of single values, or int for a set of flags."
            )
        wires = [_plain(member.value) for member in members]
        if not _one_type(wires):
            wires = [member.name for member in members]
        choices = dict(zip(wires, members, strict=True))
        return ChoiceConverter(cls, type_name(cls), choices, cls.__members__)


def _plain(value: Any) -> Any:
    return str.__str__(value) if isinstance(value, str) else value


def _one_type(values: list[Any]) -> bool:
    """Tell whether values are all strings, or all integers of 64 bits, or all booleans."""
    kinds = {type(value) for value in values}
    if kinds == {int}:
        return all(INT64_MIN <= value <= INT64_MAX for value in values)
    return kinds == {str} or kinds == {bool}


class LiteralTransformer(TypeTransformer):
    """Makes the converters of ``typing.Literal``."""

    name = "literals"
    python_types = ("typing.Literal", "typing_extensions.Literal")

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Make the converter of a set of values.

        Values of several types are a union of one set for each type; None among them makes it optional.

        Raises:
            UnsupportedTypeError: A value is neither a string, an integer, a boolean, None nor an Enum member with such a
                value.
        """
        groups: dict[Any, list[Any]] = {}
        for arg in request.args:
            groups.setdefault(None if arg is None else _group(arg), []).append(arg)
        if len(groups) > 1:
            parts = [None if group is None else typing.Literal[tuple(args)] for group, args in groups.items()]
            return request.registry.converter(typing.Union[tuple(parts)])  # noqa: UP007 - made from a list
        if None in groups:
            return request.registry.converter(None)
        choices = {_wire(arg): arg for arg in request.args}
        if not _one_type(list(choices)):
            raise UnsupportedTypeError(
                f"{type_name(request.python_type)} has a value that is neither a string, an integer of 64 bits nor a boolean",
                hint="Use an Enum.",
            )
        names = {arg.name: arg for arg in request.args if isinstance(arg, enum.Enum)}
        return ChoiceConverter(request.python_type, "", choices, names)


def _wire(arg: Any) -> Any:
    return _plain(arg.value) if isinstance(arg, enum.Enum) else arg


def _group(arg: Any) -> Any:
    return (type(arg), type(_wire(arg))) if isinstance(arg, enum.Enum) else type(arg)
