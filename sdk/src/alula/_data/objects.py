"""Objects of libraries that have a file format of their own: images, models, tensors, messages, open files.

One table says, for each class, how it is written and read. A library is imported only when a value of its own is
converted, and then it is installed.
"""

from __future__ import annotations

import dataclasses
import os
import shutil
import typing
from collections.abc import Callable, Sequence
from typing import IO, Any, cast

import msgspec

from alula_kernel.contracts import ConversionContext, Converter, TypeRequest, TypeTransformer
from alula_kernel.literals import Blob, Literal, unwrap
from alula_kernel.types import BlobOf

from .dependencies import load


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """Objects of one class and its subclasses.

    Attributes:
        class_name: ``"package.module.Class"``.
        format: Format of the file.
        dump: Writes a value to a binary stream.
        read: Makes a value of a binary stream; the second argument is the annotated class.
    """

    class_name: str
    format: str
    dump: Callable[[Any, IO[bytes]], object]
    read: Callable[[IO[bytes], Any], Any]


def _dump_image(value: Any, stream: IO[bytes]) -> None:
    value.save(stream, format="PNG")


def _read_image(stream: IO[bytes], cls: Any) -> Any:
    image = load("PIL.Image").open(stream)
    image.load()  # all of it, because the stream is closed afterwards
    return image


def _dump_joblib(value: Any, stream: IO[bytes]) -> None:
    load("joblib", "to store scikit-learn objects").dump(value, stream)


def _read_joblib(stream: IO[bytes], cls: Any) -> Any:
    return load("joblib", "to read scikit-learn objects").load(stream)


def _dump_torch(value: Any, stream: IO[bytes]) -> None:
    load("torch").save(value, stream)


def _read_tensor(stream: IO[bytes], cls: Any) -> Any:
    return load("torch").load(stream, weights_only=True)


def _read_module(stream: IO[bytes], cls: Any) -> Any:
    return load("torch").load(stream, weights_only=False)  # a module is code: only a pickle can hold it


def _dump_message(value: Any, stream: IO[bytes]) -> None:
    # Without this, the order of map fields, and so the hash, differs between processes.
    stream.write(value.SerializeToString(deterministic=True))


def _read_message(stream: IO[bytes], cls: Any) -> Any:
    return cls.FromString(stream.read())


KINDS = (
    Kind("PIL.Image.Image", "png", _dump_image, _read_image),
    Kind("sklearn.base.BaseEstimator", "joblib", _dump_joblib, _read_joblib),
    Kind("torch.Tensor", "pt", _dump_torch, _read_tensor),
    Kind("torch.nn.modules.module.Module", "pt", _dump_torch, _read_module),
    Kind("google.protobuf.message.Message", "pb", _dump_message, _read_message),
)


class ObjectConverter(Converter[Any]):
    """Converts objects of one kind to a file and back.

    Args:
        request: The annotated type.
        kind: How it is written and read.
    """

    def __init__(self, request: TypeRequest, kind: Kind) -> None:
        self.python_type = request.python_type
        self.literal_type = BlobOf(kind.format)
        self._kind = kind

    def to_literal(self, value: Any, context: ConversionContext) -> Literal:
        """Store an object.

        Raises:
            ValueConversionError: It is of another class.
            StorageError: It cannot be written.
        """
        if not self.accepts(value):
            raise self.refuse(value)
        kind = self._kind
        with context.storage.writer(name=f"value.{kind.format}", format=kind.format) as stream:
            kind.dump(value, cast("IO[bytes]", stream))
        return msgspec.structs.replace(stream.blob, format=kind.format)

    def to_python(self, literal: Literal, context: ConversionContext) -> Any:
        """Read an object.

        Raises:
            ValueConversionError: The literal is no file.
            StorageError: It cannot be read.
        """
        blob = unwrap(literal)
        if not isinstance(blob, Blob):
            raise self.refuse(blob)
        with context.storage.open(blob.uri, "rb") as stream:
            return self._kind.read(stream, self.python_type)

    def from_text(self, text: str, context: ConversionContext) -> Any:
        """Read the file at a path or URI.

        Raises:
            StorageError: It cannot be read.
        """
        return self.to_python(Blob(context.storage.uri(text)), context)

    def describe(self) -> str:
        """Name the class with its module."""
        return f"{self.python_type.__module__}.{self.python_type.__qualname__}"


class StreamConverter(Converter[Any]):
    """Converts open files, ``BinaryIO`` and ``TextIO``: what is left to read is stored, and read as a stream."""

    def __init__(self, request: TypeRequest) -> None:
        self.python_type = request.python_type
        self.literal_type = BlobOf()
        self._text = request.python_type is typing.TextIO

    def to_literal(self, value: Any, context: ConversionContext) -> Literal:
        """Store what is left to read.

        Raises:
            ValueConversionError: It is not open for reading, or is of the other kind of stream.
            StorageError: It cannot be read or written.
        """
        if not self.accepts(value):
            raise self.refuse(value, "it must be a stream that can be read")
        name = getattr(value, "name", "")
        with context.storage.writer(name=os.path.basename(name) if isinstance(name, str) else "") as stream:
            if self._text:
                while text := value.read(1024 * 1024):
                    stream.write(text.encode())
            else:
                shutil.copyfileobj(value, stream, 1024 * 1024)
        return stream.blob

    def to_python(self, literal: Literal, context: ConversionContext) -> Any:
        """Open the file; whoever gets the stream closes it.

        Raises:
            ValueConversionError: The literal is no file.
            StorageError: It cannot be read.
        """
        blob = unwrap(literal)
        if not isinstance(blob, Blob):
            raise self.refuse(blob)
        return context.storage.open(blob.uri, "r" if self._text else "rb")

    def accepts(self, value: Any) -> bool:
        """Tell whether it is a stream for reading, of text or bytes as annotated."""
        readable = getattr(value, "readable", None)
        return callable(readable) and bool(readable()) and hasattr(value, "encoding") is self._text

    def from_text(self, text: str, context: ConversionContext) -> Any:
        """Open the file at a path or URI.

        Raises:
            StorageError: It cannot be read.
        """
        return self.to_python(Blob(context.storage.uri(text)), context)

    def describe(self) -> str:
        """Name the class."""
        return "TextIO" if self._text else "BinaryIO"


class ObjectTransformer(TypeTransformer):
    """Makes converters of the kinds in the table, and of streams."""

    name = "objects"
    python_types: Sequence[type | str] = (*(kind.class_name for kind in KINDS), typing.BinaryIO, typing.TextIO)

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Make a converter."""
        if request.origin in {typing.BinaryIO, typing.TextIO}:
            return StreamConverter(request)
        bases = [f"{cls.__module__}.{cls.__qualname__}" for cls in request.origin.__mro__]
        return ObjectConverter(request, next(kind for kind in KINDS if kind.class_name in bases))
