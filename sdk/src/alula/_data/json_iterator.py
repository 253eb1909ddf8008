"""`JSON` values, and ``Iterator[JSON]``: streams of them, one to a line, which are never in memory as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any, Union, cast

import msgspec

from alula_kernel.builtin.types.plain import PlainConverter, decode_plain, encode_plain
from alula_kernel.contracts import ConversionContext, Converter, TypeRequest, TypeTransformer
from alula_kernel.errors import UnsupportedTypeError, ValueConversionError
from alula_kernel.literals import Blob, Literal, unwrap
from alula_kernel.registry import type_name
from alula_kernel.types import BlobOf

if TYPE_CHECKING:
    from alula_kernel.storage import Storage

    JSON = Union[dict[str, Any], list[Any], str, int, float, bool, None]  # noqa: UP007 - an alias, also on Python 3.10
else:

    class JSON:
        """Any value made of None, booleans, numbers, strings, lists and string-keyed dictionaries; an annotation."""


FORMAT = "jsonl"
"""Format of the blobs of ``Iterator[JSON]``."""

_LINES_PER_WRITE = 256


class JSONIterator(Iterator[Any]):
    """The values of a JSON-lines file, read when their turn comes. It can be used once.

    Args:
        storage: Where it is read.
        blob: The file.
    """

    def __init__(self, storage: Storage, blob: Blob) -> None:
        self._storage = storage
        self._blob = blob
        self._lines = self._read()

    def _read(self) -> Iterator[Any]:
        with self._storage.open(self._blob.uri, "rb") as stream:
            for number, line in enumerate(stream, 1):
                if line.strip():
                    yield decode_plain(parse(line, f"line {number} of {self._blob.name or self._blob.uri}"))

    def __next__(self) -> Any:
        return next(self._lines)

    def close(self) -> None:
        """Stop reading. Idempotent."""
        self._lines.close()  # type: ignore[attr-defined] # a generator

    def __repr__(self) -> str:
        return f"JSONIterator({self._blob.uri!r})"

    @property
    def blob(self) -> Blob:
        """The file."""
        return self._blob


class JSONIteratorConverter(Converter[Any]):
    """Converts iterators of JSON values to JSON-lines files and back, value by value."""

    def __init__(self, request: TypeRequest) -> None:
        self.python_type = request.python_type
        self.literal_type = BlobOf(FORMAT)

    def to_literal(self, value: Any, context: ConversionContext) -> Literal:
        """Write what an iterator yields, which uses it up; one that was read from storage is passed on as it was.

        Raises:
            ValueConversionError: It is no iterable, or yields what JSON has no value for.
            StorageError: It cannot be written.
        """
        if isinstance(value, JSONIterator):
            return value.blob
        if not self.accepts(value):
            raise self.refuse(value)
        with context.storage.writer(name="values.jsonl", format=FORMAT) as stream:
            _write(value, cast("IO[bytes]", stream))
        return msgspec.structs.replace(stream.blob, format=FORMAT)

    def to_python(self, literal: Literal, context: ConversionContext) -> Any:
        """Return an iterator that reads value by value.

        Raises:
            ValueConversionError: The literal is no file.
        """
        blob = unwrap(literal)
        if not isinstance(blob, Blob):
            raise self.refuse(blob)
        return JSONIterator(context.storage, blob)

    def accepts(self, value: Any) -> bool:
        """Tell whether it can be iterated over, and is no text or dictionary."""
        return isinstance(value, Iterable) and not isinstance(value, (str, bytes, dict))

    def from_text(self, text: str, context: ConversionContext) -> Any:
        """Take the path or URI of a JSON-lines file, or a JSON array.

        Raises:
            ValueConversionError: It is neither.
        """
        if text.lstrip().startswith("["):
            return iter(parse(text, "the text"))
        return JSONIterator(context.storage, Blob(context.storage.uri(text), format=FORMAT))

    def from_plain(self, value: Any, context: ConversionContext) -> Any:
        """Take a list of values, or what `from_text` takes.

        Raises:
            ValueConversionError: It is neither.
        """
        if isinstance(value, str):
            return self.from_text(value, context)
        if self.accepts(value):
            return iter(value)
        raise self.refuse(value)


class ListedIteratorConverter(Converter[Any]):
    """Converts iterators over anything else than JSON: all values are put into a list, and given one after the other.

    Args:
        request: The type.
    """

    def __init__(self, request: TypeRequest) -> None:
        item: Any = request.args[0]
        self.python_type = request.python_type
        self._list = request.registry.converter(list[item])
        self.literal_type = self._list.literal_type

    def to_literal(self, value: Any, context: ConversionContext) -> Literal:
        """Convert all values.

        Raises:
            ValueConversionError: It is no iterator or collection, or one of them does not fit.
        """
        if not self.accepts(value):
            raise self.refuse(value)
        return self._list.to_literal(list(value), context)

    def to_python(self, literal: Literal, context: ConversionContext) -> Any:
        """Return an iterator; it can be used once.

        Raises:
            ValueConversionError: The literal is no list.
        """
        return iter(self._list.to_python(literal, context))

    def accepts(self, value: Any) -> bool:
        """Tell whether it can be iterated over, and is no text."""
        return isinstance(value, Iterable) and not isinstance(value, (str, bytes))

    def from_plain(self, value: Any, context: ConversionContext) -> Any:
        """Make an iterator of a list of plain data.

        Raises:
            ValueConversionError: It is no such list.
        """
        return iter(self._list.from_plain(value, context))

    def from_text(self, text: str, context: ConversionContext) -> Any:
        """Make an iterator of a list as text; errors are those of lists."""
        return iter(self._list.from_text(text, context))


class JSONTransformer(TypeTransformer):
    """Makes converters of `JSON`, and of ``Iterator[JSON]`` and ``Generator[JSON, None, None]``."""

    name = "json"
    python_types: Sequence[type | str] = (
        *(f"{__name__}.JSON", "collections.abc.Iterator", "collections.abc.Generator"),
    )

    def converter(self, request: TypeRequest) -> Converter[Any]:
        """Make a converter.

        Raises:
            UnsupportedTypeError: It is an iterator that does not say of what.
        """
        if _is_json(request.python_type):
            return PlainConverter()
        if request.args and _is_json(request.args[0]):
            return JSONIteratorConverter(request)
        if request.args:
            return ListedIteratorConverter(request)
        raise UnsupportedTypeError(
            f"{type_name(request.python_type)} does not say what it iterates over",
            hint="Use Iterator[JSON], Iterator[T], or DataFrame, which takes an iterator of frames.",
        )


def _is_json(python_type: Any) -> bool:
    return python_type is JSON


def _write(values: Iterable[Any], stream: IO[bytes]) -> None:
    encoder = msgspec.json.Encoder()
    held: list[Any] = []
    for value in values:
        held.append(encode_plain(value))
        if len(held) >= _LINES_PER_WRITE:
            stream.write(encoder.encode_lines(held))
            held.clear()
    stream.write(encoder.encode_lines(held))


def parse(text: str | bytes, where: str) -> Any:
    """Parse a JSON value.

    Raises:
        ValueConversionError: It is none; the message says where.
    """
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueConversionError(f"{where} is not JSON: {error}") from error
