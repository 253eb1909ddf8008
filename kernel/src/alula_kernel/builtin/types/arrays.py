"""numpy arrays, stored as ``.npy`` files. numpy is imported only when an array is converted."""

from __future__ import annotations

import importlib
from typing import Any

from ... import types
from ...contracts import ConversionContext, Converter, TypeRequest, TypeTransformer
from ...errors import StorageError, UnsupportedTypeError, ValueConversionError
from ...literals import Blob, Literal
from .base import StructureConverter

FORMAT = "npy"
OPTIONS = frozenset({"allow_pickle", "mmap_mode"})


class ArrayConverter(StructureConverter[Any]):
    """Converts arrays of any shape and data type.

    Args:
        python_type: The type as annotated.
        allow_pickle: Whether arrays of objects are stored, as pickles, and read.
        mmap_mode: Mode of ``numpy.memmap`` in which arrays are read where their file is local, as ``r``; None to read them
            into memory.
    """

    __slots__ = ("allow_pickle", "mmap_mode")

    example = "[[1, 2], [3, 4]]"

    def __init__(self, python_type: Any, *, allow_pickle: bool = False, mmap_mode: str | None = None) -> None:
        self.python_type = python_type
        self.literal_type = types.BlobOf(FORMAT)
        self.allow_pickle = allow_pickle
        self.mmap_mode = mmap_mode

    def describe(self) -> str:
        """Name the type."""
        return "numpy.ndarray"

    def to_literal(self, value: Any, context: ConversionContext) -> Literal:
        """Write an array to storage.

        Raises:
            ValueConversionError: The value is not an array, or holds objects and pickling them is not allowed.
            StorageError: It cannot be written.
        """
        numpy: Any = importlib.import_module("numpy")
        if not isinstance(value, numpy.ndarray):
            raise self.refuse(value)
        if value.dtype.hasobject and not self.allow_pickle:
            raise ValueConversionError(
                f"expected {self.describe()} of numbers, found one of Python objects (dtype {value.dtype})",
                hint='Give it a numeric or string dtype, or allow pickling: Annotated[np.ndarray, {"allow_pickle": True}].',
            )
        with context.storage.writer(name="array.npy", format=FORMAT) as stream:
            numpy.save(stream, value, allow_pickle=self.allow_pickle)
        return stream.blob

    def to_python(self, literal: Literal, context: ConversionContext) -> Any:
        """Read an array from storage, or map its file into memory.

        Raises:
            ValueConversionError: The literal is not a file, or the file is not an array.
            StorageError: It cannot be read.
        """
        if type(literal) is not Blob:
            return self.unwrapped(literal, context)
        numpy: Any = importlib.import_module("numpy")
        path = context.storage.local_path(literal.uri) if self.mmap_mode is not None else None
        try:
            if path is not None:
                return numpy.load(path, mmap_mode=self.mmap_mode, allow_pickle=self.allow_pickle)
            with context.storage.open(literal.uri) as file:
                return numpy.load(file, allow_pickle=self.allow_pickle)
        except StorageError:
            raise
        except (ValueError, EOFError) as error:
            raise ValueConversionError(
                f"expected {self.describe()}, found {literal.uri}, which is not one that may be read: {error}"
            ) from error

    def accepts(self, value: Any) -> bool:
        """Tell whether the value is an array."""
        return any(base.__module__ == "numpy" and base.__name__ == "ndarray" for base in type(value).__mro__)

    def from_plain(self, value: Any, context: ConversionContext) -> Any:
        """Take an array, nested lists of numbers, or the JSON of such lists.

        Raises:
            ValueConversionError: It is something else, or the lists are ragged.
        """
        if self.accepts(value):
            return value
        if isinstance(value, str):
            return self.from_text(value, context)
        if not isinstance(value, (list, int, float)):
            raise self.refuse(value)
        numpy: Any = importlib.import_module("numpy")
        try:
            return numpy.array(value)
        except ValueError as error:
            raise self.refuse(value, str(error)) from error

    def to_text(self, value: Any) -> str:
        """Show shape, data type and the values at both ends."""
        return f"array of shape {value.shape}, {value.dtype}\n{value}"[:1_000]


class ArrayTransformer(TypeTransformer):
    """Makes the converters of ``numpy.ndarray``; options are given as ``Annotated[np.ndarray, {"mmap_mode": "r"}]``."""

    name = "numpy"
    python_types = ("numpy.ndarray",)

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Make the converter of arrays.

        Raises:
            UnsupportedTypeError: An option is unknown.
        """
        options: dict[str, Any] = {}
        for extra in request.metadata:
            if isinstance(extra, dict):
                unknown = extra.keys() - OPTIONS
                if unknown:
                    raise UnsupportedTypeError(
                        f"unknown option {min(map(str, unknown))!r} of numpy.ndarray",
                        hint=f"Known: {', '.join(sorted(OPTIONS))}.",
                    )
                options.update(extra)
        return ArrayConverter(
            request.python_type,
            allow_pickle=bool(options.get("allow_pickle", False)),
            mmap_mode=options.get("mmap_mode"),
        )

    def python_type(self, literal_type: types.LiteralType) -> Any | None:
        """Return ``numpy.ndarray`` for a file in format npy."""
        if literal_type == types.BlobOf(FORMAT):
            return importlib.import_module("numpy").ndarray
        return None
