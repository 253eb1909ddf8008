"""Formats of files: how they are written in annotations, and whether a local file looks like its format."""

from __future__ import annotations

import types
import typing
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal

from alula_kernel.errors import ArgumentError, ValueConversionError

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    F = TypeVar("F", default=Any)

    class Formatted(Generic[F]):
        """A class whose instances have a format, as ``File[Literal["csv"]]`` to a type checker."""

        @classmethod
        def extension(cls) -> str:
            """Return the format that is declared, as ``csv`` of ``File["csv"]``; empty for any."""
            ...
else:
    F = typing.TypeVar("F")

    class Formatted:
        """A class whose instances have a format, as ``File["csv"]``."""

        def __class_getitem__(cls, item: Any) -> Any:
            if isinstance(item, tuple) and len(item) == 1:
                (item,) = item  # `typing.get_type_hints` puts an alias together again from its arguments
            return cls if item == "" else FormatAlias(cls, (_format_argument(item),))

        @classmethod
        def extension(cls) -> str:
            return ""


class FileExt:
    """A format inside ``Annotated``, as in ``File[Annotated[str, FileExt("csv")]]``.

    Args:
        extension: The format, with or without the leading dot.
    """

    def __init__(self, extension: str) -> None:
        self.extension = normal_format(extension)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FileExt) and self.extension == other.extension

    def __hash__(self) -> int:
        return hash(self.extension)

    def __repr__(self) -> str:
        return f"FileExt({self.extension!r})"


class FormatAlias(types.GenericAlias):
    """What ``File["csv"]`` is: an annotation that can also be called to make a `File` of that format.

    The format is kept as ``typing.Literal["csv"]``, because `typing.get_type_hints` would try to evaluate a plain
    string.
    """

    def __getattribute__(self, name: str) -> Any:
        # What is not special is asked of the class itself, which does not know the format.
        if name == "extension":
            return lambda: format_of(self.__args__)
        return super().__getattribute__(name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        origin: Any = self.__origin__
        made = origin(*args, **kwargs)
        made.format = made.format or format_of(self.__args__)
        return made


def normal_format(text: str) -> str:
    """Return a format in lower case without its leading dot."""
    return text.lower().removeprefix(".")


def format_of(args: tuple[Any, ...]) -> str:
    """Return the format among the arguments of a `FormatAlias`; empty for any."""
    for arg in args:
        if typing.get_origin(arg) is Literal:
            return str(typing.get_args(arg)[0])
    return ""


def _format_argument(item: Any) -> Any:
    """Turn what stands between the brackets into a ``Literal``.

    Raises:
        ArgumentError: It names no format.
    """
    if isinstance(item, str):
        return Literal[normal_format(item)]
    if isinstance(item, typing.TypeVar):
        return Literal[normal_format(item.__name__)]
    for extra in getattr(item, "__metadata__", ()):
        if isinstance(extra, FileExt):
            return Literal[extra.extension]
    if item is not Any and (isinstance(item, type) or hasattr(item, "__metadata__")):
        raise ArgumentError(f"{item!r} is no format of a file", hint="""Write it as text: File["csv"].""")
    return item


# How files of a format begin: offset and bytes, any of which is enough. Signatures as in each format's own
# specification; only those that leave no doubt.
_SIGNATURES: dict[str, tuple[tuple[int, bytes], ...]] = {
    "png": ((0, b"\x89PNG\r\n\x1a\n"),),
    "jpeg": ((0, b"\xff\xd8\xff"),),
    "gif": ((0, b"GIF87a"), (0, b"GIF89a")),
    "webp": ((8, b"WEBP"),),
    "tiff": ((0, b"II*\x00"), (0, b"MM\x00*")),
    "pdf": ((0, b"%PDF-"),),
    "hdf5": tuple((offset, b"\x89HDF\r\n\x1a\n") for offset in (0, 512, 1024, 2048)),
    "gz": ((0, b"\x1f\x8b"),),
    "zip": ((0, b"PK\x03\x04"), (0, b"PK\x05\x06")),
    "parquet": ((0, b"PAR1"),),
    "arrow": ((0, b"ARROW1"),),
    "sqlite": ((0, b"SQLite format 3\x00"),),
}
_SAME = {
    "jpg": "jpeg",
    "tif": "tiff",
    "h5": "hdf5",
    "hdf": "hdf5",
    "gzip": "gz",
    "feather": "arrow",
    "ipc": "arrow",
    "npz": "zip",
    "xlsx": "zip",
    "docx": "zip",
    "db": "sqlite",
}
_TEXT = frozenset(
    {"csv", "tsv", "txt", "json", "jsonl", "html", "htm", "svg", "xml", "yaml", "yml", "ipynb", "md", "py"}
)
_HEAD_BYTES = 4_096


def check_format(path: str, format: str) -> None:
    """Refuse a local file whose first bytes, or whose extension, contradict the declared format.

    A format without a signature accepts whatever has no other format's signature; a text format refuses NUL bytes.

    Raises:
        ValueConversionError: The file is of another format.
    """
    wanted = _SAME.get(format, format)
    if wanted not in _SIGNATURES and wanted not in _TEXT:
        return
    with Path(path).open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    if (found := _contradiction(head, wanted, path)) is not None:
        raise ValueConversionError(
            f"{path} was declared as {format}, and is {found}",
            hint=f"Return a {format} file, or declare another format.",
        )


def _contradiction(head: bytes, wanted: str, path: str) -> str | None:
    """Say what a file is instead of what is wanted, or None if nothing speaks against it."""
    signatures = [name for name, marks in _SIGNATURES.items() if _begins(head, marks)]
    if wanted in _SIGNATURES:
        if wanted in signatures:
            return None
        return signatures[0] if signatures else ("not" if head else "empty")
    if signatures:
        return signatures[0]
    if b"\x00" in head and not head.startswith((b"\xff\xfe", b"\xfe\xff")):  # UTF-16 text has NUL bytes
        return "binary"
    return _kind_by_extension(path, wanted)


def _kind_by_extension(path: str, wanted: str) -> str | None:
    """Return the media type that a text file's extension promises if it is no kind of text."""
    import mimetypes

    guessed, _ = mimetypes.guess_type(path)
    if guessed is None or guessed == mimetypes.guess_type(f"x.{wanted}")[0]:
        return None
    return guessed if guessed.split("/")[0] in {"image", "audio", "video", "font"} else None


def _begins(head: bytes, marks: tuple[tuple[int, bytes], ...]) -> bool:
    return any(head.startswith(mark, offset) for offset, mark in marks)
