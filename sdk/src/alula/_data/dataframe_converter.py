"""Converters of data frames: the `DataFrame` handle, and frames annotated by the class of their library."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from alula_kernel.contracts import ConversionContext, Converter, TableStore, TypeRequest, TypeTransformer
from alula_kernel.errors import UnsupportedTypeError, ValueConversionError
from alula_kernel.literals import Column, Dataset, Literal, unwrap
from alula_kernel.types import DatasetOf, LiteralType

from .columns import columns_of, declared_columns
from .dataframe import DataFrame, frame_class
from .frames.builtin import FRAME_NAMES, add_tables, builtin_handlers
from .frames.handlers import DataFrameHandlers, frame_format
from .renderers import Renderer, TopFrameRenderer


class _Declared:
    """What stands beside a data frame's class in ``Annotated``.

    Attributes:
        columns: The columns.
        format: The format.
        renderer: What makes previews.
    """

    def __init__(self, metadata: tuple[Any, ...]) -> None:
        self.columns: tuple[Column, ...] = declared_columns(metadata)
        self.format = next((frame_format(extra) for extra in metadata if isinstance(extra, str)), "")
        found = (extra for extra in metadata if columns_of(extra) is None and not isinstance(extra, type))
        self.renderer = next((extra for extra in found if isinstance(extra, Renderer)), TopFrameRenderer())


class DataFrameConverter(Converter[DataFrame]):
    """Converts `DataFrame` handles, which read nothing until they are used."""

    def __init__(self, request: TypeRequest, handlers: DataFrameHandlers) -> None:
        declared = _Declared(request.metadata)
        self.python_type = request.python_type
        self.literal_type = DatasetOf(declared.columns, declared.format)
        self.handlers = handlers
        self._declared = declared
        self._types = request.registry

    def to_literal(self, value: Any, context: ConversionContext) -> Literal:
        """Store a handle, a frame of any library, or a path or URI.

        Raises:
            ValueConversionError: It is none of these, or a declared column is missing.
            StorageError: It cannot be written.
        """
        if isinstance(value, DataFrame):
            handle = value.bound(context.storage, self._types)
        elif isinstance(value, (str, os.PathLike)):
            handle = self.python_type(uri=value)
        elif self._is_frame(value):
            handle = DataFrame(value).bound(context.storage, self._types)
        else:
            raise self.refuse(value)
        return handle.store(context, self._declared.format, self._declared.columns)

    def to_python(self, literal: Literal, context: ConversionContext) -> DataFrame:
        """Make a handle; with declared columns, only they will be read.

        Raises:
            ValueConversionError: The literal is no data frame.
        """
        dataset = unwrap(literal)
        if not isinstance(dataset, Dataset):
            raise self.refuse(dataset)
        columns = self._declared.columns
        return self.python_type.from_dataset(dataset, context.storage, self._types, columns)  # type: ignore[no-any-return]

    def accepts(self, value: Any) -> bool:
        """Tell whether it is a handle or a frame."""
        return isinstance(value, DataFrame) or self._is_frame(value)

    def _is_frame(self, value: Any) -> bool:
        return self.handlers.handles(frame_class(value)) or hasattr(_converter(self._types, value), "handlers")

    def from_text(self, text: str, context: ConversionContext) -> DataFrame:
        """Take a path or URI; the format goes by its suffix.

        Raises:
            ValueConversionError: There is no such file.
        """
        return self._handle(text)

    def from_plain(self, value: Any, context: ConversionContext) -> DataFrame:
        """Take a path or URI, or a dictionary with ``uri`` and, if need be, ``format``.

        Raises:
            ValueConversionError: It is none of these.
        """
        return value if self.accepts(value) else self._handle(value)

    def _handle(self, value: Any) -> DataFrame:
        return _described(self, self.python_type, value)

    def to_html(self, value: Any) -> str:
        """Show the first rows of a frame in memory, or where a stored one is."""
        return _html(self, self._declared.renderer, value)

    def to_text(self, value: Any) -> str:
        """Show the first rows of a frame in memory, or where a stored one is."""
        return _text(self, value)


class FrameConverter(Converter[Any]):
    """Converts frames that are annotated by the class of their library."""

    def __init__(self, request: TypeRequest, handlers: DataFrameHandlers) -> None:
        declared = _Declared(request.metadata)
        self.python_type = request.python_type
        self.literal_type = DatasetOf(declared.columns, declared.format)
        self.handlers = handlers
        self._declared = declared
        self._class: Any = request.origin
        self._types = request.registry

    def to_literal(self, value: Any, context: ConversionContext) -> Literal:
        """Store a frame, or what a `DataFrame` handle stands for.

        Raises:
            ValueConversionError: It is of another class, or a declared column is missing.
            StorageError: It cannot be written.
        """
        if isinstance(value, DataFrame):
            handle = value
        elif isinstance(value, self._class):
            handle = DataFrame(value)
        else:
            raise self._refuse_other(value)
        bound = handle.bound(context.storage, self._types)
        return bound.store(context, self._declared.format, self._declared.columns)

    def to_python(self, literal: Literal, context: ConversionContext) -> Any:
        """Read a frame; with declared columns, only they are read.

        Raises:
            ValueConversionError: The literal is no data frame, a column is missing, or the bytes are not of the format.
            StorageError: It cannot be read.
        """
        dataset = unwrap(literal)
        if not isinstance(dataset, Dataset):
            raise self.refuse(dataset)
        handle = DataFrame.from_dataset(dataset, context.storage, self._types, self._declared.columns)
        return handle.open(self._class).all()

    def _refuse_other(self, value: Any) -> ValueConversionError:
        if not self.handlers.handles(frame_class(value)):
            return self.refuse(value)
        found = _library_name(type(value))
        return ValueConversionError(
            f"expected {self.describe()}, found {found}",
            hint=f"Annotate {found}, or DataFrame for frames of any library.",
        )

    def accepts(self, value: Any) -> bool:
        """Tell whether it is a frame of the class, or a handle."""
        return isinstance(value, (self._class, DataFrame))

    def from_text(self, text: str, context: ConversionContext) -> Any:
        """Read what is at a path or URI, in the format of its suffix.

        Raises:
            ValueConversionError: It cannot be read as that.
            StorageError: It does not exist.
        """
        return self._read(text, context)

    def from_plain(self, value: Any, context: ConversionContext) -> Any:
        """Read what is at a path or URI, or described by a dictionary with ``uri`` and, if need be, ``format``.

        Raises:
            ValueConversionError: It is none of these, or cannot be read.
        """
        return value if self.accepts(value) else self._read(value, context)

    def _read(self, value: Any, context: ConversionContext) -> Any:
        handle = _described(self, DataFrame, value)
        bound = handle.bound(context.storage, self._types, self._declared.columns)
        return bound.open(self._class).all()

    def to_html(self, value: Any) -> str:
        """Show the first rows."""
        return _html(self, self._declared.renderer, value)

    def to_text(self, value: Any) -> str:
        """Show the first rows."""
        return _text(self, value)

    def describe(self) -> str:
        """Name the class with its library."""
        return _library_name(self._class)


class FrameTransformer(TypeTransformer):
    """Makes converters of frames that are annotated by their class; a plugin registers one with its own handlers.

    Args:
        name: Unique name.
        python_types: The classes, as ``"package.module.Class"``.
        handlers: Their encoders and decoders. Frames of a class that somebody registers there later are converted too.
    """

    def __init__(self, name: str, python_types: Sequence[type | str], handlers: DataFrameHandlers) -> None:
        self.name = name
        self.python_types = python_types
        self.handlers = handlers

    def matches(self, request: TypeRequest) -> bool:
        """Tell whether there is a handler for the class."""
        return isinstance(request.origin, type) and self.handlers.handles(request.origin)

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Make a converter."""
        return FrameConverter(request, self.handlers)


class DataFrameTransformer(FrameTransformer):
    """Makes converters of `DataFrame`, and of the frames of the libraries that Alula knows."""

    def __init__(self) -> None:
        super().__init__("dataframe", (DataFrame, *FRAME_NAMES), builtin_handlers())

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Make a converter. Frames can be at the URIs of every store of tables that the registry has by now."""
        for transformer in request.registry.transformers:
            if isinstance(transformer, TableStore):
                add_tables(self.handlers, transformer)
        if isinstance(request.origin, type) and issubclass(request.origin, DataFrame):
            return DataFrameConverter(request, self.handlers)
        return super().converter(request)

    def python_type(self, literal_type: LiteralType) -> Any | None:
        """Return `DataFrame` for data frames."""
        return DataFrame if isinstance(literal_type, DatasetOf) else None


def _described(converter: Converter[Any], cls: type[DataFrame], value: Any) -> DataFrame:
    """Make a handle of a path, a URI or a dictionary.

    Raises:
        ValueConversionError: It is none of these, or there is nothing at a local path.
    """
    if not isinstance(value, (str, os.PathLike, Mapping)):
        raise converter.refuse(value)
    made = cls.validate(value)
    made.require_local()
    return made


def _library_name(cls: type) -> str:
    return f"{cls.__module__.partition('.')[0]}.{cls.__qualname__}"


def _converter(types: Any, value: Any) -> Any:
    try:
        return types.converter(type(value))
    except UnsupportedTypeError:
        return None


def _html(converter: Converter[Any], renderer: Renderer, value: Any) -> str:
    try:
        return renderer.to_html(value)
    except TypeError:  # a plugin's frame, of which only the plugin knows more
        return Converter.to_html(converter, value)


def _text(converter: Converter[Any], value: Any) -> str:
    try:
        return TopFrameRenderer(5).to_text(value)
    except TypeError:
        return Converter.to_text(converter, value)
