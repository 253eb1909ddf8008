"""Dataclasses whose subclasses are told apart by a field, as mashumaro's ``Config`` says: values keep their class."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any

from alula_kernel.builtin.types.record_classes import DataclassTransformer
from alula_kernel.contracts import ConversionContext, Converter, TypeRequest, TypeTransformer
from alula_kernel.literals import Literal, unwrap


def _field_of(cls: Any) -> str | None:
    """Return the field that tells the subclasses of a class apart; None if its ``Config`` names none."""
    told: Any = getattr(getattr(cls, "Config", None), "discriminator", None)
    field: str | None = told.field if getattr(told, "include_subtypes", False) else None
    return field


def _below(cls: Any) -> Iterator[Any]:
    for subclass in cls.__subclasses__():
        yield from _below(subclass)
        yield subclass


class DiscriminatedConverter(Converter[Any]):
    """Converts a value as its own class is; the field tells which that was.

    Args:
        request: The class that is declared.
    """

    def __init__(self, request: TypeRequest) -> None:
        self.python_type = request.python_type
        self._own = DataclassTransformer().converter(request)
        self.literal_type = self._own.literal_type
        self._registry = request.registry
        self._field = _field_of(request.origin) or ""

    def to_literal(self, value: Any, context: ConversionContext) -> Literal:
        """Convert a value of the class or of a subclass, with all of its fields, or a dict with those.

        Raises:
            ValueConversionError: It is something else, or a field is not of its type.
        """
        if isinstance(value, Mapping):
            value = self.from_plain(value, context)
        kind = type(value)
        below = isinstance(value, self.python_type) and kind is not self.python_type
        converter = self._registry.converter(kind) if below else self._own
        return converter.to_literal(value, context)

    def to_python(self, literal: Literal, context: ConversionContext) -> Any:
        """Convert back to the class that the value had.

        Raises:
            ValueConversionError: It is no such literal.
        """
        given = getattr(unwrap(literal), "entries", {}).get(self._field)
        for variant, tag, converter in self._variants():
            if given == converter.to_literal(tag, context):
                return self._registry.converter(variant).to_python(literal, context)
        return self._own.to_python(literal, context)

    def _variants(self) -> Iterator[tuple[Any, Any, Converter[Any]]]:
        """Return the subclasses, the one furthest below first, each with what its field says and what converts that."""
        for variant in _below(self.python_type):
            tag = vars(variant).get(self._field)
            if tag is not None and dataclasses.is_dataclass(variant):
                yield variant, tag, self._registry.converter(type(tag))

    def accepts(self, value: Any) -> bool:
        """Tell whether the value is of the class or of a subclass, or a dict with the fields of one."""
        return self._own.accepts(value) or (isinstance(value, Mapping) and self._field in value)

    def from_plain(self, value: Any, context: ConversionContext) -> Any:
        """Take an object, a dict of plain data for the fields of the class that its field tells, or its JSON.

        Raises:
            ValueConversionError: It is something else, or a field is not of its type.
        """
        if isinstance(value, Mapping) and self._field in value:
            for variant, tag, converter in self._variants():
                if converter.to_literal(converter.from_plain(value[self._field], context), context) == (
                    converter.to_literal(tag, context)
                ):
                    return self._registry.converter(variant).from_plain(value, context)
        return self._own.from_plain(value, context)

    def from_text(self, text: str, context: ConversionContext) -> Any:
        """Take JSON.

        Raises:
            ValueConversionError: It is none, or a field is not of its type.
        """
        try:
            given = json.loads(text)
        except ValueError:
            return self._own.from_text(text, context)  # whose message says what is wrong
        return self.from_plain(given, context)


class DiscriminatedTransformer(TypeTransformer):
    """Makes the converters."""

    name = "flyte-discriminated"
    python_types = ()
    priority = 10

    def matches(self, request: TypeRequest) -> bool:
        """Tell whether the type is a dataclass whose subclasses are told apart by a field."""
        return dataclasses.is_dataclass(request.origin) and _field_of(request.origin) is not None

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Return the converter of a type."""
        return DiscriminatedConverter(request)
