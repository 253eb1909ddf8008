"""None, bool, int, float, str and bytes."""

from __future__ import annotations

import numbers
from collections.abc import Callable, Sequence
from math import isfinite
from operator import attrgetter
from typing import Any, TypeVar

from ... import types
from ...contracts import ConversionContext, Converter, TypeRequest, TypeTransformer
from ...errors import ValueConversionError
from ...literals import INT64_MAX, INT64_MIN, NONE, Bytes, Literal, NonFinite, Scalar
from .base import BuiltinConverter

T = TypeVar("T")

TRUE = Scalar(True)
FALSE = Scalar(False)

_TEXT_OF_BOOL = {
    **dict.fromkeys(("true", "yes", "on", "1", "t", "y"), True),
    **dict.fromkeys(("false", "no", "off", "0", "f", "n"), False),
}
_TEXT_OF_NONE = frozenset({"none", "null", ""})

_values_of = attrgetter("value")


class NoneConverter(BuiltinConverter[None]):
    """Converts None."""

    __slots__ = ()

    def __init__(self) -> None:
        self.python_type = type(None)
        self.literal_type = types.NONE

    def to_literal(self, value: None, context: ConversionContext) -> Literal:
        """Return the literal of None.

        Raises:
            ValueConversionError: The value is not None.
        """
        if value is None:
            return NONE
        raise self.refuse(value)

    def to_python(self, literal: Literal, context: ConversionContext) -> None:
        """Return None.

        Raises:
            ValueConversionError: The literal is not None.
        """
        if type(literal) is Scalar and literal.value is None:
            return None
        return self.unwrapped(literal, context)

    def accepts(self, value: Any) -> bool:
        """Tell whether the value is None."""
        return value is None

    def from_plain(self, value: Any, context: ConversionContext) -> None:
        """Take None, or a text that means it.

        Raises:
            ValueConversionError: It is something else.
        """
        if value is None or (isinstance(value, str) and value.strip().lower() in _TEXT_OF_NONE):
            return
        raise self.refuse(value)

    def from_text(self, text: str, context: ConversionContext) -> None:
        """Take ``none``, ``null`` or nothing.

        Raises:
            ValueConversionError: It is something else.
        """
        return self.from_plain(text, context)


class ScalarConverter(BuiltinConverter[T]):
    """A converter of values that are one Python object on the wire too, with short cuts for many of them.

    Args:
        python_type: The class; a subclass of the plain one makes its values from plain ones.
    """

    __slots__ = ("_subclass",)

    plain_type: type
    simple: types.Simple

    def __init__(self, python_type: Any) -> None:
        self.python_type = python_type
        self.literal_type = self.simple
        self._subclass = None if python_type is self.plain_type else python_type

    def to_values(self, literals: Sequence[Literal], context: ConversionContext) -> list[T]:
        """Convert many literals back, at once where all are of the plain type.

        Raises:
            ValueConversionError: One of them is not of this type; its location is its index.
        """
        if self._subclass is None and set(map(type, literals)) == {Scalar}:
            values = list(map(_values_of, literals))
            if set(map(type, values)) == {self.plain_type}:
                return values
        return super().to_values(literals, context)


class BoolConverter(ScalarConverter[bool]):
    """Converts booleans; integers are refused."""

    __slots__ = ()

    plain_type = bool
    simple = types.BOOL

    def to_literal(self, value: Any, context: ConversionContext) -> Literal:
        """Convert a boolean, Python's or numpy's.

        Raises:
            ValueConversionError: The value is not a boolean.
        """
        if value is True:
            return TRUE
        if value is False:
            return FALSE
        if _is_numpy_bool(value):
            return TRUE if value else FALSE
        raise self.refuse(value)

    def to_python(self, literal: Literal, context: ConversionContext) -> bool:
        """Convert back.

        Raises:
            ValueConversionError: The literal is not a boolean.
        """
        if type(literal) is Scalar and type(literal.value) is bool:
            return literal.value
        return self.unwrapped(literal, context)

    def accepts(self, value: Any) -> bool:
        """Tell whether the value is a boolean."""
        return value is True or value is False or _is_numpy_bool(value)

    def from_plain(self, value: Any, context: ConversionContext) -> bool:
        """Take a boolean or a text that means one.

        Raises:
            ValueConversionError: It is something else.
        """
        if isinstance(value, str):
            return self.from_text(value, context)
        if self.accepts(value):
            return bool(value)
        raise self.refuse(value)

    def from_text(self, text: str, context: ConversionContext) -> bool:
        """Take true, yes, on or 1, false, no, off or 0, in any case.

        Raises:
            ValueConversionError: It is something else.
        """
        found = _TEXT_OF_BOOL.get(text.strip().lower())
        if found is None:
            raise _with_hint(self.refuse(text), "Use true, yes, on or 1, or false, no, off or 0.")
        return found


def _is_numpy_bool(value: Any) -> bool:
    kind = type(value)
    return kind.__module__ == "numpy" and kind.__name__ in {"bool", "bool_"}


class IntConverter(ScalarConverter[int]):
    """Converts integers of 64 bits; booleans and floats are refused."""

    __slots__ = ()

    plain_type = int
    simple = types.INT

    def to_literal(self, value: int, context: ConversionContext) -> Literal:
        """Convert an integer, Python's or numpy's.

        Raises:
            ValueConversionError: The value is not an integer, or is beyond 64 bits.
        """
        if type(value) is int and INT64_MIN <= value <= INT64_MAX:
            return Scalar(value)
        if not self.accepts(value):
            reason = "true and false are not numbers" if isinstance(value, bool) else ""
            raise self.refuse(value, reason)
        number = int(value)
        if INT64_MIN <= number <= INT64_MAX:
            return Scalar(number)
        raise self._too_large(number)

    def _too_large(self, value: int) -> ValueConversionError:
        bits = value.bit_length() + 1
        shown = str(value) if bits < 200 else f"a number of {bits:,} bits"
        return ValueConversionError(
            f"expected {self.describe()} between -2**63 and 2**63 - 1, found {shown}",
            hint="Use float, or str with int(...) in the task, for larger numbers.",
        )

    def to_literals(self, values: Sequence[Any], context: ConversionContext) -> list[Literal]:
        """Convert many integers, at once where all are plain and in range.

        Raises:
            ValueConversionError: One of them is not an integer, or beyond 64 bits; its location is its index.
        """
        if set(map(type, values)) == {int} and min(values) >= INT64_MIN and max(values) <= INT64_MAX:
            return list(map(Scalar, values))
        return super().to_literals(values, context)

    def to_python(self, literal: Literal, context: ConversionContext) -> int:
        """Convert back.

        Raises:
            ValueConversionError: The literal is not an integer.
        """
        if type(literal) is Scalar and type(literal.value) is int:
            return literal.value if self._subclass is None else self._subclass(literal.value)
        return self.unwrapped(literal, context)

    def accepts(self, value: Any) -> bool:
        """Tell whether the value is an integer and no boolean."""
        return type(value) is int or (isinstance(value, numbers.Integral) and not isinstance(value, bool))

    def from_plain(self, value: Any, context: ConversionContext) -> int:
        """Take an integer, a float with an integral value (JavaScript has no other numbers), or digits.

        Raises:
            ValueConversionError: It is something else, or beyond 64 bits.
        """
        if isinstance(value, str):
            return self.from_text(value, context)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        return self._checked(value, context)

    def from_text(self, text: str, context: ConversionContext) -> int:
        """Take digits with an optional sign; ``1_000``, ``0x1f``, ``0o17`` and ``0b11`` as in Python.

        Raises:
            ValueConversionError: It is something else, or beyond 64 bits.
        """
        stripped = text.strip()
        try:
            number = int(stripped)
        except ValueError:
            try:
                number = int(stripped, 0)
            except ValueError:
                raise self.refuse(text) from None
        return self._checked(number, context)

    def _checked(self, value: Any, context: ConversionContext) -> int:
        return self.to_python(self.to_literal(value, context), context)


class FloatConverter(ScalarConverter[float]):
    """Converts floats; integers become floats, booleans are refused."""

    __slots__ = ()

    plain_type = float
    simple = types.FLOAT

    def to_literal(self, value: float, context: ConversionContext) -> Literal:
        """Convert a number, Python's or numpy's.

        Raises:
            ValueConversionError: The value is not a number, or is an integer beyond the range of floats.
        """
        if type(value) is not float:
            value = self._as_float(value)
        if isfinite(value):
            return Scalar(value)
        return NonFinite(repr(value))

    def _as_float(self, value: Any) -> float:
        if not self.accepts(value):
            reason = "true and false are not numbers" if isinstance(value, bool) else ""
            raise self.refuse(value, reason)
        try:
            return float(value)
        except OverflowError:
            raise self.refuse(value, "it is beyond the range of floats") from None

    def to_literals(self, values: Sequence[Any], context: ConversionContext) -> list[Literal]:
        """Convert many numbers, at once where all are finite floats.

        Raises:
            ValueConversionError: One of them is not a number; its location is its index.
        """
        if set(map(type, values)) == {float} and all(map(isfinite, values)):
            return list(map(Scalar, values))
        return super().to_literals(values, context)

    def to_python(self, literal: Literal, context: ConversionContext) -> float:
        """Convert back; an integer, which an int output bound to a float input gives, becomes a float.

        Raises:
            ValueConversionError: The literal is not a number.
        """
        kind = type(literal)
        if kind is Scalar:
            number = literal.value  # type: ignore[union-attr]
            if type(number) is not float:
                if type(number) is not int:
                    raise self.refuse(number)
                number = float(number)
        elif kind is NonFinite:
            number = float(literal.value)  # type: ignore[union-attr, arg-type]
        else:
            return self.unwrapped(literal, context)
        return number if self._subclass is None else self._subclass(number)

    def accepts(self, value: Any) -> bool:
        """Tell whether the value is a real number and no boolean."""
        return type(value) is float or (isinstance(value, numbers.Real) and not isinstance(value, bool))

    def from_plain(self, value: Any, context: ConversionContext) -> float:
        """Take a number, or its text.

        Raises:
            ValueConversionError: It is something else.
        """
        if isinstance(value, str):
            return self.from_text(value, context)
        return self.to_python(self.to_literal(value, context), context)

    def from_text(self, text: str, context: ConversionContext) -> float:
        """Take a number as Python writes it, ``nan``, ``inf`` and ``-inf`` included.

        Raises:
            ValueConversionError: It is something else.
        """
        try:
            number = float(text)
        except ValueError:
            raise self.refuse(text) from None
        return number if self._subclass is None else self._subclass(number)


class StrConverter(ScalarConverter[str]):
    """Converts text."""

    __slots__ = ()

    plain_type = str
    simple = types.STR

    def to_literal(self, value: str, context: ConversionContext) -> Literal:
        """Convert a text.

        Raises:
            ValueConversionError: The value is not a string, or holds half a character (a lone surrogate).
        """
        if type(value) is not str:
            if not isinstance(value, str):
                raise self.refuse(value)
            value = str.__str__(value)
        if not value.isascii():
            check_text(value)
        return Scalar(value)

    def to_literals(self, values: Sequence[Any], context: ConversionContext) -> list[Literal]:
        """Convert many texts, at once where all are ASCII.

        Raises:
            ValueConversionError: One of them is not a string; its location is its index.
        """
        if set(map(type, values)) == {str} and all(map(str.isascii, values)):
            return list(map(Scalar, values))
        return super().to_literals(values, context)

    def to_python(self, literal: Literal, context: ConversionContext) -> str:
        """Convert back.

        Raises:
            ValueConversionError: The literal is not a string.
        """
        if type(literal) is Scalar and type(literal.value) is str:
            return literal.value if self._subclass is None else self._subclass(literal.value)
        return self.unwrapped(literal, context)

    def accepts(self, value: Any) -> bool:
        """Tell whether the value is a string."""
        return isinstance(value, str)

    def from_plain(self, value: Any, context: ConversionContext) -> str:
        """Take a string.

        Raises:
            ValueConversionError: It is something else.
        """
        if not isinstance(value, str):
            raise _with_hint(self.refuse(value), "Put it in quotes if text is meant.")
        return self.from_text(value, context)

    def from_text(self, text: str, context: ConversionContext) -> str:
        """Take the text as it is."""
        return text if self._subclass is None or isinstance(text, self._subclass) else self._subclass(text)


def check_text(text: str) -> None:
    """Refuse a text that UTF-8 cannot express.

    Raises:
        ValueConversionError: It holds a lone surrogate.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueConversionError(
            f"the text holds a lone surrogate (U+{ord(text[error.start]):04X} at position {error.start:,}), which UTF-8 "
            "cannot express",
            hint="Decode it with errors='replace', or pass bytes.",
        ) from None


class BytesConverter(BuiltinConverter[bytes]):
    """Converts bytes; they travel inline, so large ones belong in a file."""

    __slots__ = ("_subclass",)

    def __init__(self, python_type: Any) -> None:
        self.python_type = python_type
        self.literal_type = types.BYTES
        self._subclass = None if python_type is bytes else python_type

    def to_literal(self, value: bytes, context: ConversionContext) -> Literal:
        """Convert bytes or a bytearray.

        Raises:
            ValueConversionError: The value is something else.
        """
        if type(value) is bytes:
            return Bytes(value)
        if isinstance(value, (bytes, bytearray)):
            return Bytes(bytes(value))
        raise self.refuse(value)

    def to_python(self, literal: Literal, context: ConversionContext) -> bytes:
        """Convert back.

        Raises:
            ValueConversionError: The literal is not bytes.
        """
        if type(literal) is Bytes:
            return literal.value if self._subclass is None else self._subclass(literal.value)
        return self.unwrapped(literal, context)

    def accepts(self, value: Any) -> bool:
        """Tell whether the value is bytes or a bytearray."""
        return isinstance(value, (bytes, bytearray))

    def from_plain(self, value: Any, context: ConversionContext) -> bytes:
        """Take bytes, or base64 (RFC 4648 section 4), which is how JSON carries them.

        Raises:
            ValueConversionError: It is something else.
        """
        if not isinstance(value, str):
            return self.to_python(self.to_literal(value, context), context)
        import base64
        import binascii

        try:
            data = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            raise self.refuse(value, "it is not base64") from None
        return self.to_python(Bytes(data), context)

    def from_text(self, text: str, context: ConversionContext) -> bytes:
        """Take the text as UTF-8, or as base64 behind ``base64:``.

        Raises:
            ValueConversionError: It begins with ``base64:`` and the rest is not base64.
        """
        if text.startswith("base64:"):
            return self.from_plain(text[7:], context)
        return self.to_python(Bytes(text.encode("utf-8", "surrogateescape")), context)


def _with_hint(error: ValueConversionError, hint: str) -> ValueConversionError:
    return ValueConversionError(error.message, hint=hint, location=error.location)


class ScalarTransformer(TypeTransformer):
    """Makes the converters of None, bool, int, float, str and bytes, and of subclasses that their values make."""

    name = "scalars"
    python_types = (type(None), bool, int, float, str, bytes)

    _converters: dict[type, Callable[[Any], Converter[Any]]] = {
        bool: BoolConverter,
        int: IntConverter,
        float: FloatConverter,
        str: StrConverter,
        bytes: BytesConverter,
    }
    _python_types: dict[types.LiteralType, Any] = {
        types.NONE: type(None),
        types.BOOL: bool,
        types.INT: int,
        types.FLOAT: float,
        types.STR: str,
        types.BYTES: bytes,
    }

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Make the converter of a class."""
        if request.origin is type(None):
            return NoneConverter()
        for base, made in self._converters.items():
            if issubclass(request.origin, base):
                return made(request.python_type)
        raise AssertionError(f"{request.python_type} is no scalar")

    def python_type(self, literal_type: types.LiteralType) -> Any | None:
        """Return the built-in class of a simple literal type."""
        return self._python_types.get(literal_type)
