"""Union, Optional and ``X | Y``.

A value's variant is chosen by looking at the value, never by trying conversions: by its class, else by its nearest base
class, else by the first variant whose converter accepts it. A literal says its variant itself, unless it came from a
producer whose type is no union; then it is chosen by its shape.
"""

from __future__ import annotations

import types as python_types
import typing
from typing import Any

from ... import types
from ...contracts import ConversionContext, Converter, TypeRequest, TypeTransformer
from ...errors import UnsupportedTypeError, ValueConversionError
from ...literals import NONE, Hashed, Literal, Scalar, UnionLiteral, unwrap
from ...registry import type_name
from .base import BuiltinConverter
from .fitting import fits, plain_class
from .members import member_converter


class OptionalConverter(BuiltinConverter[Any]):
    """Converts None and values of one other type; neither is tagged on the wire.

    Args:
        python_type: The type as annotated.
        inner: Converts what is not None.
    """

    __slots__ = ("_read", "_write", "inner")

    def __init__(self, python_type: Any, inner: Converter[Any]) -> None:
        self.python_type = python_type
        self.inner = inner
        self.literal_type = types.UnionOf((inner.literal_type, types.NONE))
        self._write = inner.to_literal
        self._read = inner.to_python

    def to_literal(self, value: Any, context: ConversionContext) -> Literal:
        """Convert None or a value.

        Raises:
            ValueConversionError: The value is neither None nor of the type.
        """
        return NONE if value is None else self._write(value, context)

    def to_python(self, literal: Literal, context: ConversionContext) -> Any:
        """Convert back.

        Raises:
            ValueConversionError: The literal is neither None nor of the type.
        """
        if type(literal) is Scalar:
            return None if literal.value is None else self._read(literal, context)
        inner = unwrap(literal)
        return None if type(inner) is Scalar and inner.value is None else self._read(literal, context)

    def accepts(self, value: Any) -> bool:
        """Tell whether the value is None or would be taken."""
        return value is None or self.inner.accepts(value)

    def from_plain(self, value: Any, context: ConversionContext) -> Any:
        """Take None, or what describes a value.

        Raises:
            ValueConversionError: It is neither.
        """
        return None if value is None else self._unless_none(self.inner.from_plain, value, context)

    def from_text(self, text: str, context: ConversionContext) -> Any:
        """Take what describes a value, else ``none`` or ``null``; so an optional text may be "none".

        Raises:
            ValueConversionError: It is neither.
        """
        return self._unless_none(self.inner.from_text, text, context)

    def _unless_none(self, make: Any, value: Any, context: ConversionContext) -> Any:
        try:
            return make(value, context)
        except ValueConversionError:
            if isinstance(value, str) and value.strip().lower() in {"none", "null"}:
                return None
            raise

    def to_html(self, value: Any) -> str:
        """Show as the inner converter does."""
        return super().to_html(value) if value is None else self.inner.to_html(value)

    def to_text(self, value: Any) -> str:
        """Show as the inner converter does."""
        return "None" if value is None else self.inner.to_text(value)


class UnionConverter(BuiltinConverter[Any]):
    """Converts values of several types, None perhaps among them.

    Args:
        python_type: The type as annotated.
        variants: Convert the variants, in order, at least two besides None.
    """

    __slots__ = ("_by_class", "_by_name", "_names", "variants")

    def __init__(self, python_type: Any, variants: list[Converter[Any]]) -> None:
        self.python_type = python_type
        self.variants = tuple(variants)
        self.literal_type = types.UnionOf(tuple(variant.literal_type for variant in variants))
        self._names = [types.display(variant.literal_type) for variant in variants]
        self._by_name: dict[str, list[Converter[Any]]] = {}
        for name, variant in zip(self._names, variants, strict=True):
            self._by_name.setdefault(name, []).append(variant)
        self._by_class = _decisive_classes(variants)

    def _variant_of(self, value: Any) -> int:
        """Choose the variant of a value.

        Raises:
            ValueConversionError: It is of none of them.
        """
        by_class = self._by_class
        index = by_class.get(type(value))
        if index is not None:
            return index
        # A class that several variants share decides nothing: list[int] | list[str].
        for base in type(value).__mro__:
            index = by_class.get(base, -1)
            if index is None:
                break
            if index >= 0 and self.variants[index].accepts(value):
                return index
        for index, variant in enumerate(self.variants):
            if variant.accepts(value):
                return index
        raise self.refuse(value)

    def to_literal(self, value: Any, context: ConversionContext) -> Literal:
        """Convert a value of one of the variants.

        Raises:
            ValueConversionError: It is of none of them, or what it holds is not of the declared type.
        """
        if value is None and self.accepts(None):
            return NONE
        index = self._variant_of(value)
        return UnionLiteral(self._names[index], self.variants[index].to_literal(value, context))

    def to_python(self, literal: Literal, context: ConversionContext) -> Any:
        """Convert back by the variant that the literal names, else by the shape of the literal.

        Raises:
            ValueConversionError: The literal fits no variant.
        """
        while type(literal) is Hashed:
            literal = literal.value
        named: list[Converter[Any]] = []
        if type(literal) is UnionLiteral:
            named = self._by_name.get(literal.variant, [])
            literal = literal.value
            if len(named) == 1:
                return named[0].to_python(literal, context)
        for exactly in (True, False):
            for variant in named or self.variants:
                if fits(literal, variant.literal_type, exactly=exactly):
                    return variant.to_python(literal, context)
        raise self.refuse_literal(literal)

    def accepts(self, value: Any) -> bool:
        """Tell whether one of the variants would take the value."""
        return any(variant.accepts(value) for variant in self.variants)

    def from_plain(self, value: Any, context: ConversionContext) -> Any:
        """Take what describes a value of a variant: those whose plain data is of the value's class first, then in order.

        Raises:
            ValueConversionError: It describes none of them; the message gives the reason of each.
        """
        return self._first_that_takes("from_plain", value, self._of_class(type(value)), context)

    def _of_class(self, cls: type) -> list[Converter[Any]]:
        """Return the variants whose plain data is of a class; an integer is a float if no variant is an integer."""
        found = [variant for variant in self.variants if plain_class(variant.literal_type) is cls]
        return found if found or cls is not int else self._of_class(float)

    def from_text(self, text: str, context: ConversionContext) -> Any:
        """Take what describes a value of a variant.

        A text that is JSON of exactly the class of a variant is that: ``5`` for ``str | int`` is the number, ``"5"`` the
        text. Any other goes to the variants in order.

        Raises:
            ValueConversionError: It describes none of them; the message gives the reason of each.
        """
        import json

        try:
            plain = json.loads(text)
        except (ValueError, RecursionError):
            plain = text
        if plain is not text:
            for variant in self._of_class(type(plain)):
                try:
                    return variant.from_plain(plain, context)
                except ValueConversionError:
                    continue
        return self._first_that_takes("from_text", text, [], context)

    def _first_that_takes(
        self, method: str, value: Any, first: list[Converter[Any]], context: ConversionContext
    ) -> Any:
        reasons: list[str] = []
        for variant in [*first, *(v for v in self.variants if v not in first)]:
            try:
                return getattr(variant, method)(value, context)
            except ValueConversionError as error:
                where = f"{error.location}: " if error.location else ""
                reasons.append(f"as {variant.describe()}: {where}{error.message[:200]}")
        raise ValueConversionError(self.refuse(value).message, hint="\n  ".join(reasons[:10]))

    def to_html(self, value: Any) -> str:
        """Show as the converter of the value's variant does."""
        return self.variants[self._variant_of(value)].to_html(value)

    def to_text(self, value: Any) -> str:
        """Show as the converter of the value's variant does."""
        return self.variants[self._variant_of(value)].to_text(value)


def _decisive_classes(variants: list[Converter[Any]]) -> dict[type, int | None]:
    """Map each class to the one variant that it decides for, or to None if there are several."""
    found: dict[type, int | None] = {}
    for index, variant in enumerate(variants):
        cls = typing.get_origin(variant.python_type) or variant.python_type
        if isinstance(cls, type):
            found[cls] = None if cls in found else index
        elif cls is typing.Literal:
            for arg in typing.get_args(variant.python_type):
                found[type(arg)] = None
    # A Literal's class decides nothing, wherever it stands: Literal["auto"] | int | str.
    return found


class UnionTransformer(TypeTransformer):
    """Makes the converters of unions."""

    name = "unions"
    python_types = ("typing.Union", python_types.UnionType)

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Make the converter of a union.

        Raises:
            UnsupportedTypeError: A variant is not supported, or two variants are the same on the wire and would be read
                back as the first.
        """
        variants = [member_converter(request, arg) for arg in _flattened(request)]
        others = [variant for variant in variants if variant.literal_type != types.NONE]
        if len(others) == 1:
            return OptionalConverter(request.python_type, others[0])
        for index, variant in enumerate(others):
            for earlier in others[:index]:
                if variant.literal_type == earlier.literal_type and not _interchangeable(variant.literal_type):
                    raise UnsupportedTypeError(
                        f"{type_name(request.python_type)}: {earlier.describe()} and {variant.describe()} cannot be told "
                        f"apart, both travel as {types.display(variant.literal_type)}",
                        hint="Use one of them, or a dataclass with a field for each.",
                    )
        return UnionConverter(request.python_type, variants)


def _flattened(request: TypeRequest) -> list[Any]:
    """Return the variants; those of a union inside an alias are variants too."""
    found: list[Any] = []
    for arg in request.args:
        aliased = getattr(arg, "__value__", arg) if type(arg).__name__ == "TypeAliasType" else arg
        origin = typing.get_origin(aliased)
        is_union = origin is typing.Union or origin is python_types.UnionType
        found.extend(typing.get_args(aliased) if is_union else [arg])
    return found


def _interchangeable(literal_type: types.LiteralType) -> bool:
    """Tell whether values may be read as any Python type that stands for the type: ``pandas`` or ``polars`` frames."""
    return isinstance(literal_type, (types.DatasetOf, types.BlobOf))
