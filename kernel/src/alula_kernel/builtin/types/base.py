"""What the built-in converters have in common: wrappers on literals, errors, plain data given as JSON text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from ...contracts import ConversionContext, Converter
from ...errors import ValueConversionError
from ...literals import (
    Blob,
    Bytes,
    Dataset,
    Hashed,
    Json,
    ListLiteral,
    Literal,
    MapLiteral,
    NonFinite,
    Scalar,
    UnionLiteral,
    unwrap,
)
from ...registry import too_deep, type_name

T = TypeVar("T")

_KIND_NAMES: dict[type, str] = {
    NonFinite: "a float",
    Bytes: "bytes",
    Json: "plain data",
    Blob: "a file or directory",
    Dataset: "a data frame",
    ListLiteral: "a list",
    MapLiteral: "a map",
    UnionLiteral: "a union",
    Hashed: "a hashed value",
}


class BuiltinConverter(Converter[T]):
    """A converter whose messages name the Python type as written."""

    __slots__ = ("literal_type", "python_type")

    def describe(self) -> str:
        """Name the Python type as its author writes it."""
        return type_name(self.python_type)

    def to_literals(self, values: Sequence[Any], context: ConversionContext) -> list[Literal]:
        """Convert many values; converters of simple types do it in fewer steps than one call each.

        Raises:
            ValueConversionError: One of them is not of this type; its location is its index.
        """
        convert = self.to_literal
        literals: list[Literal] = []
        try:
            for value in values:
                literals.append(convert(value, context))  # noqa: PERF401 - its length is the index of what failed
        except ValueConversionError as error:
            raise error.within(f"[{len(literals)}]") from error.__cause__
        return literals

    def to_values(self, literals: Sequence[Literal], context: ConversionContext) -> list[T]:
        """Convert many literals back.

        Raises:
            ValueConversionError: One of them is not of this type; its location is its index.
        """
        convert = self.to_python
        values: list[T] = []
        try:
            for literal in literals:
                values.append(convert(literal, context))  # noqa: PERF401 - as above
        except ValueConversionError as error:
            raise error.within(f"[{len(values)}]") from error.__cause__
        return values

    def unwrapped(self, literal: Literal, context: ConversionContext) -> T:
        """Convert what a wrapper holds; the way out of `to_python` for literals of unexpected kinds.

        Raises:
            ValueConversionError: There is no wrapper, so the literal is not of this type.
        """
        inner = unwrap(literal)
        if inner is literal:
            raise self.refuse_literal(literal)
        return self.to_python(inner, context)

    def refuse_literal(self, literal: Literal) -> ValueConversionError:
        """Build the error for a literal that is not of this type."""
        if isinstance(literal, Scalar):
            return self.refuse(literal.value)
        return ValueConversionError(f"expected {self.describe()}, found {_KIND_NAMES[type(literal)]}")


class StructureConverter(BuiltinConverter[T]):
    """A converter of values that are given as JSON where only text can be given.

    Attributes:
        example: What such a text looks like, for messages.
    """

    __slots__ = ()

    example = ""

    def from_text(self, text: str, context: ConversionContext) -> T:
        """Make a value from JSON.

        Raises:
            ValueConversionError: The text is not JSON, or does not describe a value of this type.
        """
        plain = self.parse_json(text)
        if isinstance(plain, str):  # else from_plain would bring it back here
            raise self.refuse(plain)
        return self.from_plain(plain, context)

    def parse_json(self, text: str) -> Any:
        """Parse the text that a person gave.

        Raises:
            ValueConversionError: It is not JSON.
        """
        import json

        try:
            return json.loads(text)
        except RecursionError:
            raise too_deep() from None
        except ValueError as error:
            example = f", as {self.example}" if self.example else ""
            refusal = self.refuse(text, f"it is not valid JSON, {error}")
            raise ValueConversionError(refusal.message, hint=f"Give it as JSON{example}.") from None
