"""Converters of files, directories and paths."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from alula_kernel.contracts import ConversionContext, Converter, TypeRequest, TypeTransformer
from alula_kernel.errors import ValueConversionError
from alula_kernel.literals import Blob, Literal, unwrap
from alula_kernel.types import BlobOf, LiteralType
from alula_kernel.uris import is_uri

from .directory import BatchSize, Directory
from .file import File
from .formats import format_of
from .handle import Handle


class HandleConverter(Converter[Any]):
    """Converts `File` or `Directory` handles, which fetch nothing until they are used.

    Args:
        request: The annotated type.
        handle: `File` or `Directory`.
    """

    def __init__(self, request: TypeRequest, handle: type[Handle[Any]]) -> None:
        self.python_type = request.python_type
        self._handle = handle
        self._class: type[Handle[Any]] = request.origin
        self._directory = issubclass(handle, Directory)
        self.literal_type = BlobOf(format_of(request.args), self._directory)
        self._format = self.literal_type.format
        self._batch_size = next((extra.val for extra in request.metadata if isinstance(extra, BatchSize)), None)

    def to_literal(self, value: Any, context: ConversionContext) -> Literal:
        """Store a handle, or what is at a path or URI.

        Raises:
            ValueConversionError: It is none of these, does not exist, or is not of the declared format.
            StorageError: It cannot be read or written.
        """
        if not isinstance(value, self._handle):
            if isinstance(value, Handle) or not isinstance(value, (str, os.PathLike)):
                raise self.refuse(value)
            value = self._class(value)
        value.bound(context.storage)
        if isinstance(value, Directory):
            return value.store(context, self._format, self._batch_size)
        blob: Blob = value.store(context, self._format)
        return blob

    def to_python(self, literal: Literal, context: ConversionContext) -> Any:
        """Make a handle.

        Raises:
            ValueConversionError: The literal is no file, or no directory.
        """
        return self._from_blob(self._blob(literal), context)

    def _from_blob(self, blob: Blob, context: ConversionContext) -> Handle[Any]:
        made = self._class.from_blob(blob, context.storage)
        if isinstance(made, Directory):
            made.batch_size = self._batch_size
        made.format = made.format or self._format
        return made

    def _blob(self, literal: Literal) -> Blob:
        blob = unwrap(literal)
        if not isinstance(blob, Blob) or blob.directory is not self._directory:
            raise self.refuse(blob)
        return blob

    def accepts(self, value: Any) -> bool:
        """Tell whether it is a handle, a path object, or text that is a URI or the path of something that exists."""
        if isinstance(value, Handle):
            return isinstance(value, self._handle)
        if not isinstance(value, (str, os.PathLike)):
            return False
        text = os.fspath(value)
        if not isinstance(text, str) or "\0" in text:
            return False
        # os.path, unlike pathlib, takes text that is too long for a path.
        if self._directory:
            return is_uri(text) or os.path.isdir(text)
        return is_uri(text) or os.path.isfile(text) or (isinstance(value, os.PathLike) and not os.path.isdir(text))

    def from_text(self, text: str, context: ConversionContext) -> Any:
        """Take a path, in which ``~`` is expanded, or a URI.

        Raises:
            ValueConversionError: There is nothing at the path, or not what is expected.
        """
        if not text:
            raise ValueConversionError(f"expected the path or URI of a {self.describe()}, found nothing")
        if is_uri(text):
            return self._class(text)
        path = os.path.expanduser(text)
        is_directory = os.path.isdir(path)
        if not (is_directory if self._directory else os.path.isfile(path)):
            kind = "directory" if self._directory else "file"
            there = " (a directory is there)" if is_directory else " (a file is there)" if os.path.exists(path) else ""
            shown = text if len(text) <= 200 else f"{text[:200]}..."
            raise ValueConversionError(
                f"there is no {kind} {shown}{there}",
                hint=f"Check the path; the working directory is {pathlib.Path.cwd()}.",
            )
        return self._class(path)

    def from_plain(self, value: Any, context: ConversionContext) -> Any:
        """Take a path or URI, or a dictionary with ``path`` or ``uri`` and, if need be, ``format`` and ``hash``.

        Raises:
            ValueConversionError: It is none of these, or there is nothing at the path.
        """
        if isinstance(value, str):
            return self.from_text(value, context)
        if isinstance(value, self._handle):
            return value
        if isinstance(value, (os.PathLike, Mapping)) and not isinstance(value, Handle):
            return self._class.validate(value)
        raise self.refuse(value)

    def to_html(self, value: Any) -> str:
        """Show a small local image as such, and anything else as text."""
        return _image(value) or super().to_html(value)

    def to_text(self, value: Any) -> str:
        """Show what it is and, if known, its size."""
        size = value.size if isinstance(value, Handle) else None
        return f"{value!r}, {size:,} bytes" if size is not None else repr(value)


class PathConverter(HandleConverter):
    """Converts paths: like files, but fetched before the task begins; ``os.PathLike`` is never copied.

    Args:
        request: The annotated type.
    """

    def __init__(self, request: TypeRequest) -> None:
        super().__init__(request, File)
        self._class = File
        self._in_place = request.origin is os.PathLike

    def to_literal(self, value: Any, context: ConversionContext) -> Literal:
        """Store the file at a path, or for ``os.PathLike`` only its hash.

        Raises:
            ValueConversionError: It is no path, or there is no file.
            StorageError: It cannot be read or written.
        """
        if self._in_place and not isinstance(value, Handle) and isinstance(value, (str, os.PathLike)):
            value = File(value, remote_path=False)
        return super().to_literal(value, context)

    def to_python(self, literal: Literal, context: ConversionContext) -> Any:
        """Fetch the file and return its path, which is not to be written to.

        Raises:
            ValueConversionError: The literal is no file.
            StorageError: It cannot be read.
        """
        return pathlib.Path(self._from_blob(self._blob(literal), context).download())

    def from_text(self, text: str, context: ConversionContext) -> Any:
        """Take a path, in which ``~`` is expanded, or a URI, which is fetched when it is used.

        Raises:
            ValueConversionError: There is no file at the path.
        """
        found = super().from_text(text, context)
        return found if is_uri(text) else pathlib.Path(found.path)

    def describe(self) -> str:
        """Name the class."""
        return "os.PathLike" if self._in_place else "Path"


class FileTransformer(TypeTransformer):
    """Makes converters of `File` and of paths."""

    name = "file"
    python_types: Sequence[type | str] = (File, pathlib.Path, pathlib.PosixPath, os.PathLike)

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Make a converter."""
        if isinstance(request.origin, type) and issubclass(request.origin, File):
            return HandleConverter(request, File)
        return PathConverter(request)

    def python_type(self, literal_type: LiteralType) -> Any | None:
        """Return `File`, with its format, for files."""
        if not isinstance(literal_type, BlobOf) or literal_type.directory:
            return None
        return File[literal_type.format] if literal_type.format else File  # type: ignore[name-defined]


class DirectoryTransformer(TypeTransformer):
    """Makes converters of `Directory`."""

    name = "directory"
    python_types: Sequence[type | str] = (Directory,)

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Make a converter."""
        return HandleConverter(request, Directory)

    def python_type(self, literal_type: LiteralType) -> Any | None:
        """Return `Directory`, with its format, for directories."""
        if not isinstance(literal_type, BlobOf) or not literal_type.directory:
            return None
        return Directory[literal_type.format] if literal_type.format else Directory  # type: ignore[name-defined]


_MAX_IMAGE_BYTES = 256 * 1024
_IMAGE_TYPES: dict[str, str] = {"png": "image/png", "jpeg": "image/jpeg", "jpg": "image/jpeg", "gif": "image/gif"}


def _image(value: Any) -> str:
    """Return an image element for a small picture on this machine; SVG is left out, because it can hold scripts."""
    if not isinstance(value, File):
        return ""
    media = _IMAGE_TYPES.get(value.format or value.name.rpartition(".")[2].lower())
    path = value.path
    if media is None or is_uri(path) or not pathlib.Path(path).is_file():
        return ""
    if pathlib.Path(path).stat().st_size > _MAX_IMAGE_BYTES:
        return ""
    import base64
    import html

    data = base64.b64encode(pathlib.Path(path).read_bytes()).decode()
    return f'<img alt="{html.escape(value.name)}" src="data:{media};base64,{data}">'
