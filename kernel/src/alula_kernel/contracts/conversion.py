"""Type transformers: how values of Python become literals, and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from ..errors import ValueConversionError
from ..literals import Literal
from ..types import LiteralType

if TYPE_CHECKING:
    from ..registry import TypeRegistry
    from ..storage import Storage
else:  # `help` resolves the annotations of structs, and these modules import this one
    Storage = TypeRegistry = Any

T = TypeVar("T")


def brief(value: Any, limit_chars: int) -> str:
    """Show any value in at most about `limit_chars` characters.

    Works for values whose ``repr`` raises or recurses too deeply, and looks only at the beginning of huge strings, bytes
    and built-in containers.
    """
    import reprlib

    shown = reprlib.Repr()
    shown.maxlevel = 6
    shown.maxlist = shown.maxtuple = shown.maxset = shown.maxfrozenset = shown.maxdict = max(limit_chars // 4, 1)
    shown.maxstring = shown.maxother = shown.maxlong = limit_chars
    try:
        text = shown.repr(value[:limit_chars] if isinstance(value, bytes) else value)
    except Exception:  # noqa: BLE001 - a repr of the user's may raise anything
        text = f"<{type(value).__qualname__} object>"
    if isinstance(value, (str, bytes)) and len(value) > limit_chars:
        return f"{text} ({len(value):,} {'bytes' if isinstance(value, bytes) else 'characters'})"
    return text if len(text) <= limit_chars else f"{text[: limit_chars - 3]}..."


class ConversionContext(msgspec.Struct, frozen=True, gc=False):
    """What a converter may use.

    Attributes:
        storage: Where blobs are read and written.
        output_prefix: URI prefix for values that have a place of their own; content-addressed data goes to `storage`.
    """

    storage: Storage
    output_prefix: str = ""


class TypeRequest(msgspec.Struct, frozen=True):
    """A Python type that wants a converter.

    Attributes:
        python_type: The type as annotated, without ``Annotated``.
        origin: ``typing.get_origin`` of it, or the type itself.
        args: ``typing.get_args`` of it.
        metadata: What stood beside it in ``Annotated``.
        registry: Where converters of inner types are found.
    """

    python_type: Any
    origin: Any
    args: tuple[Any, ...]
    metadata: tuple[Any, ...]
    registry: TypeRegistry


class Converter(ABC, Generic[T]):
    """Converts values of one Python type; made once per type and then shared, so it holds no state of a value.

    Attributes:
        literal_type: The literal type of its values.
        python_type: The Python type of its values, as annotated.
    """

    __slots__ = ()

    literal_type: LiteralType
    python_type: Any

    @abstractmethod
    def to_literal(self, value: T, context: ConversionContext) -> Literal:
        """Convert a Python value to a literal. Large data is written to `context.storage`.

        Raises:
            ValueConversionError: The value is not of this type; the message says what was expected and found.
        """

    @abstractmethod
    def to_python(self, literal: Literal, context: ConversionContext) -> T:
        """Convert a literal back. Reading large data may be put off until the value is used.

        The literal may be in a `Hashed`, if the task that it comes from computes its identity; `literals.unwrap` takes it
        out.

        Raises:
            ValueConversionError: The literal is not of this type.
        """

    def accepts(self, value: Any) -> bool:
        """Tell cheaply, without side effects, whether `to_literal` would take the value; chooses among variants."""
        return isinstance(self.python_type, type) and isinstance(value, self.python_type)

    def from_plain(self, value: Any, context: ConversionContext) -> T:
        """Make a value from plain data (None, bool, number, string, list, dict), as read from JSON or YAML.

        The default takes values that are already of the type, and else gives strings to `from_text`.

        Raises:
            ValueConversionError: The data does not describe a value of this type.
        """
        if isinstance(value, str):
            return self.from_text(value, context)
        if self.accepts(value):
            return value  # type: ignore[no-any-return]
        raise self.refuse(value)

    def from_text(self, text: str, context: ConversionContext) -> T:
        """Make a value from what a person typed on a command line.

        Raises:
            ValueConversionError: The text does not describe a value of this type.
        """
        raise ValueConversionError(
            f"a {self.describe()} cannot be given as text", hint="Call the workflow from Python instead."
        )

    def to_html(self, value: T) -> str:
        """Show a value as an HTML fragment; text is escaped. The default shows `to_text`."""
        import html

        return f"<pre>{html.escape(self.to_text(value))}</pre>"

    def to_text(self, value: T) -> str:
        """Show a value in one line or a few, at most about 1,000 characters."""
        return brief(value, 1_000)

    def describe(self) -> str:
        """Name the type for messages."""
        from ..types import display

        return display(self.literal_type)

    def refuse(self, value: Any, reason: str = "") -> ValueConversionError:
        """Build the error for a value that is not of this type."""
        tail = f": {reason}" if reason else ""
        found = type(value).__qualname__ if value is not None else ""
        shown = f"{found} {brief(value, 120)}".strip()
        return ValueConversionError(f"expected {self.describe()}, found {shown}{tail}")


class TypeTransformer(ABC):
    """Makes converters for a family of Python types.

    Attributes:
        name: Unique name, shown by ``alula plugins list``.
        python_types: Classes that it handles together with their subclasses, as classes or as
            ``"package.module.Class"``, so that a heavy library is never imported for a program that does not use it.
        priority: Among transformers whose `matches` says yes, the highest wins; ties go to the one registered first.
        takes_refused: Whether it is asked for types that the one whose family they are has refused.
    """

    name: str
    python_types: Sequence[type | str] = ()
    priority: int = 0
    takes_refused: bool = False

    def matches(self, request: TypeRequest) -> bool:
        """Tell whether it handles a type that no `python_types` covers. Called once per type; must be cheap."""
        return False

    @abstractmethod
    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Make the converter of a type.

        Raises:
            UnsupportedTypeError: The type is of the family, but cannot be converted; the message says why.
        """

    def python_type(self, literal_type: LiteralType) -> Any | None:
        """Return the Python type that best stands for a literal type, or None if it is not this family's."""
        return None
