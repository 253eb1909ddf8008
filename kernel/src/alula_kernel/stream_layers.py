"""Text and compression on top of binary streams."""

from __future__ import annotations

import io
import os
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Literal, cast

from .errors import StorageError
from .uris import name_of

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

_MODES = frozenset({"r", "rt", "rb", "w", "wt", "wb"})
_COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".xz": "xz"}


def text_options(mode: str, options: dict[str, Any]) -> dict[str, Any] | None:
    """Take the options of text out of all options and return them; None for a binary mode.

    Raises:
        StorageError: The mode is unknown, or is binary and options of text are given.
    """
    if mode not in _MODES:
        raise StorageError(
            f"unknown mode {mode!r}", hint=f"Known: {', '.join(sorted(_MODES))}. Objects are written whole."
        )
    text: dict[str, Any] = {key: options.pop(key) for key in ("encoding", "errors", "newline") if key in options}
    if "b" not in mode:
        return {"encoding": "utf-8", **text}
    if text:
        raise StorageError(f"{', '.join(text)} given for the binary mode {mode!r}", hint=f"Use {mode[0]!r} for text.")
    return None


def compression_of(asked: str | None, uri: str) -> str:
    """Return the name of a compression; empty for none.

    Args:
        asked: The name as it was given; ``infer`` goes by the suffix of the URI.
        uri: The object.

    Raises:
        StorageError: The compression is unknown.
    """
    if asked == "infer":
        return _COMPRESSIONS.get(os.path.splitext(name_of(uri))[1].lower(), "")
    if asked in {None, "", *_COMPRESSIONS.values()}:
        return asked or ""
    known = ", ".join(sorted(_COMPRESSIONS.values()))
    raise StorageError(f"unknown compression {asked!r}", hint=f"Known: infer, {known}.")


def decompressed(compression: str, stream: IO[Any]) -> IO[Any]:
    """Return a stream of what a compressed stream holds; closing it closes the other."""
    return cast("IO[Any]", _Owning(_codec(compression, stream, "rb"), stream))


def _codec(compression: str, stream: Any, mode: Literal["rb", "wb"]) -> Any:
    if compression == "gzip":
        import gzip

        # No name and no time in the header: equal contents give equal bytes, and so equal hashes.
        return gzip.GzipFile(filename="", mode=mode, fileobj=stream, mtime=0)
    if compression == "bz2":
        import bz2

        return bz2.BZ2File(stream, mode)
    import lzma

    return lzma.LZMAFile(stream, mode)


class _Owning(io.BufferedReader):
    """A decompressed stream that closes the compressed one below it, which the standard library leaves open."""

    def __init__(self, codec: Any, below: IO[Any]) -> None:
        super().__init__(codec)
        self._below = below

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._below.close()


class _Shield(io.BufferedIOBase):
    """Lets layers above it be closed without closing the backend's stream, or without writing what they still hold."""

    def __init__(self, sink: BinaryIO) -> None:
        super().__init__()
        self._sink = sink
        self.dropping = False

    def writable(self) -> bool:
        return True

    def write(self, data: ReadableBuffer) -> int:
        return memoryview(data).nbytes if self.dropping else self._sink.write(data)


class LayeredWriter:
    """A stream for writing with text or compression on top of a backend's stream; finished or discarded as a whole.

    Args:
        sink: The backend's stream.
        compression: Name of a compression; empty for none.
        text: Arguments of `io.TextIOWrapper`; None for a binary stream.
    """

    def __init__(self, sink: BinaryIO, compression: str, text: dict[str, Any] | None) -> None:
        self._sink = sink
        self._shield = _Shield(sink)
        self._top: Any = self._shield
        self._layers: list[Any] = []
        if compression:
            self._top = _codec(compression, self._top, "wb")
            self._layers.insert(0, self._top)
        if text is not None:
            self._top = io.TextIOWrapper(self._top, **text)
            self._layers.insert(0, self._top)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._top, name)

    def write(self, data: Any) -> int:
        """Write text or bytes; a method of its own, so that whoever keeps it keeps the stream."""
        return int(self._top.write(data))

    def __enter__(self) -> LayeredWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self._discard()

    def __del__(self) -> None:
        self._discard()

    def close(self) -> None:
        """Finish every layer, then the object itself."""
        try:
            self._close_layers()
        except BaseException:
            self._discard()
            raise
        self._sink.close()

    def _discard(self) -> None:
        if not self._sink.closed:
            self._shield.dropping = True
            self._close_layers()
            discard(self._sink)

    def _close_layers(self) -> None:
        for layer in self._layers:
            layer.close()


def discard(stream: BinaryIO) -> None:
    """Drop what was written to a backend's stream: leave its ``with`` block by an exception, as the contract says."""
    reason = StorageError("discarded")
    stream.__exit__(StorageError, reason, None)
