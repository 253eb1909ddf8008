"""Hashes that the author of a type computes, for caching by content."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import msgspec

from .contracts import ConversionContext, Converter
from .errors import ValueConversionError
from .literals import Blob, Dataset, Hashed, Literal

T = TypeVar("T")


class HashMethod(Generic[T]):
    """Says how the identity of a value is computed: ``Annotated[Model, HashMethod(weights_digest)]``.

    It counts wherever the annotated type stands, also inside a list, dict or dataclass; of several for one type, the
    first. Equal hashes mean equal values: a cache does not look further.

    Args:
        function: Takes the Python value and returns a string. It is called in the process that converts the value.
    """

    __slots__ = ("_function",)

    def __init__(self, function: Callable[[T], str]) -> None:
        self._function = function

    def calculate(self, value: T) -> str:
        """Return the hash of a value.

        Raises:
            ValueConversionError: The function did not return a string.
        """
        found: Any = self._function(value)
        if not isinstance(found, str):
            name = getattr(self._function, "__qualname__", repr(self._function))
            raise ValueConversionError(
                f"the hash function {name} returned {type(found).__qualname__}, expected str",
                hint="Return a string from it, as a hexadecimal digest.",
            )
        return str(found)


class HashingConverter(Converter[Any]):
    """Converts as another converter does and gives literals the hash that the author computes.

    Args:
        inner: Converts the values.
        method: Computes the hash.
    """

    __slots__ = ("inner", "literal_type", "method", "python_type")

    def __init__(self, inner: Converter[Any], method: HashMethod[Any]) -> None:
        self.inner = inner
        self.method = method
        self.python_type = inner.python_type
        self.literal_type = inner.literal_type

    def to_literal(self, value: Any, context: ConversionContext) -> Literal:
        """Convert a value; a blob or data frame gets the hash as its own, anything else is wrapped in `Hashed`.

        Raises:
            ValueConversionError: The value is not of the type, or the hash function returned no string.
        """
        literal = self.inner.to_literal(value, context)
        digest = self.method.calculate(value)
        if isinstance(literal, (Blob, Dataset)):
            return msgspec.structs.replace(literal, hash=digest)
        return Hashed(literal, digest)

    def to_python(self, literal: Literal, context: ConversionContext) -> Any:
        """Convert back; the hash is not checked.

        Raises:
            ValueConversionError: The literal is not of the type.
        """
        while isinstance(literal, Hashed):
            literal = literal.value
        return self.inner.to_python(literal, context)

    def accepts(self, value: Any) -> bool:
        """Tell as the wrapped converter does."""
        return self.inner.accepts(value)

    def from_plain(self, value: Any, context: ConversionContext) -> Any:
        """Make a value as the wrapped converter does.

        Raises:
            ValueConversionError: The data does not describe a value of the type.
        """
        return self.inner.from_plain(value, context)

    def from_text(self, text: str, context: ConversionContext) -> Any:
        """Make a value as the wrapped converter does.

        Raises:
            ValueConversionError: The text does not describe a value of the type.
        """
        return self.inner.from_text(text, context)

    def to_html(self, value: Any) -> str:
        """Show as the wrapped converter does."""
        return self.inner.to_html(value)

    def to_text(self, value: Any) -> str:
        """Show as the wrapped converter does."""
        return self.inner.to_text(value)

    def describe(self) -> str:
        """Name the wrapped type."""
        return self.inner.describe()
