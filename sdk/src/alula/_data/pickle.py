"""`Pickle`: values of any class, by cloudpickle, for authors who ask for it."""

from __future__ import annotations

import types
import typing
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import msgspec

from alula_kernel.contracts import ConversionContext, Converter, TypeRequest, TypeTransformer
from alula_kernel.errors import ValueConversionError
from alula_kernel.literals import Blob, Literal, unwrap
from alula_kernel.types import Opaque

T = TypeVar("T")

if TYPE_CHECKING:
    Pickle = typing.Annotated[T, "pickled"]
else:

    class Pickle(Generic[T]):
        """``Pickle[Model]`` in an annotation: values of a class that no other transformer handles.

        The value that a task gets and returns is a ``Model``. It is stored by cloudpickle, so it can be read only by a
        Python with the same libraries, and reading it runs code: do not read what you do not trust. ``Pickle`` alone
        takes any value, and ``Annotated[Model, PickleTransformer()]`` means the same as ``Pickle[Model]``.
        """

        def __class_getitem__(cls, item: Any) -> types.GenericAlias:
            # `typing.get_type_hints` puts an alias together again from its arguments, which are a tuple.
            return types.GenericAlias(cls, item if isinstance(item, tuple) else (item,))

        def __new__(cls, *args: Any, **kwargs: Any) -> Any:
            raise TypeError("Pickle is an annotation; use the value itself")


FORMAT = "pickle"
"""Format of the blobs."""


class PickleConverter(Converter[Any]):
    """Converts values of one class, or of any.

    Args:
        python_type: The type as annotated.
        inner: The class; `Any` for any.
    """

    def __init__(self, python_type: Any, inner: Any) -> None:
        self.python_type = python_type
        self._inner = typing.get_origin(inner) or inner
        self.literal_type = Opaque(_qualified(self._inner))

    def to_literal(self, value: Any, context: ConversionContext) -> Literal:
        """Store a value by cloudpickle; None as well.

        Raises:
            ValueConversionError: It is of another class, or cannot be pickled; the message says why.
            StorageError: It cannot be written.
        """
        import cloudpickle  # type: ignore[import-untyped] # ships no types

        if not self.accepts(value):
            raise self.refuse(value)
        with context.storage.writer(name="value.pickle", format=FORMAT) as stream:
            try:
                cloudpickle.dump(value, stream, protocol=5)
            except OSError:
                raise
            except Exception as error:
                raise ValueConversionError(
                    f"a {type(value).__qualname__} cannot be pickled: {error}",
                    hint="Return data that can be, without open files, locks or connections.",
                ) from error
        return msgspec.structs.replace(stream.blob, format=FORMAT)

    def to_python(self, literal: Literal, context: ConversionContext) -> Any:
        """Read a value; this runs code that is in the pickle.

        Raises:
            ValueConversionError: The literal is no pickle, or it cannot be read by this Python and its libraries.
            StorageError: It cannot be read.
        """
        import pickle

        blob = unwrap(literal)
        if not isinstance(blob, Blob):
            raise self.refuse(blob)
        with context.storage.open(blob.uri, "rb") as stream:
            try:
                return pickle.load(stream)
            except OSError:
                raise
            except Exception as error:
                raise ValueConversionError(
                    f"the pickled {self.describe()} cannot be read: {type(error).__name__}: {error}",
                    hint="Use the Python and libraries that wrote it.",
                ) from error

    def accepts(self, value: Any) -> bool:
        """Tell whether it is None or of the class."""
        if value is None or self._inner is Any:
            return True
        return not isinstance(self._inner, type) or isinstance(value, self._inner)

    def from_text(self, text: str, context: ConversionContext) -> Any:
        """Take the text itself, if anything is taken.

        Raises:
            ValueConversionError: A class is asked for.
        """
        return text if self._inner is Any or self._inner is object else super().from_text(text, context)


class PickleTransformer(TypeTransformer):
    """Makes converters that pickle: for `Pickle`, and for any class in whose ``Annotated`` it stands."""

    name = "pickle"
    python_types: Sequence[type | str] = (Pickle,)

    def converter(self, request: TypeRequest) -> PickleConverter:
        """Make a converter."""
        if request.origin is Pickle:
            return PickleConverter(request.python_type, request.args[0] if request.args else Any)
        return PickleConverter(request.python_type, request.python_type)


def _qualified(inner: Any) -> str:
    if inner is Any or inner is object or isinstance(inner, TypeVar):
        return "Pickle"
    module, name = getattr(inner, "__module__", ""), getattr(inner, "__qualname__", str(inner))
    return name if module in {"", "builtins"} else f"{module}.{name}"
