"""Blob backends: where data is read and written."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import msgspec


class BlobInfo(msgspec.Struct, frozen=True):
    """One object in a listing.

    Attributes:
        uri: Its URI.
        size: Bytes, or None if the backend does not know.
    """

    uri: str
    size: int | None = None


class BlobBackend(ABC):
    """Reads and writes objects by URI. Methods block and may be called from any thread.

    Attributes:
        name: Unique name, as ``file``.
        schemes: URI schemes that it serves, in lower case; ``*`` for every scheme that no other backend serves.
    """

    name: str
    schemes: Sequence[str] = ()

    @abstractmethod
    def open_read(self, uri: str, **options: Any) -> BinaryIO:
        """Open an object for streaming reads; seekable where the protocol allows.

        Args:
            uri: The object.
            options: ``block_size``, ``cache_type`` and ``cache_options`` as fsspec takes them; others are ignored.

        Raises:
            StorageError: It does not exist or may not be read.
        """

    @abstractmethod
    def open_write(self, uri: str) -> BinaryIO:
        """Open a new object for streaming writes; parents are made.

        The object appears when the stream is closed. If the ``with`` block is left by an exception it does not appear.

        Raises:
            StorageError: It may not be written.
        """

    @abstractmethod
    def get(self, uri: str, local_path: str) -> None:
        """Copy an object to a local file; parents are made.

        Raises:
            StorageError: It does not exist or may not be read.
        """

    @abstractmethod
    def put(self, local_path: str, uri: str) -> None:
        """Copy a local file to an object, atomically; parents are made.

        Raises:
            StorageError: It may not be written.
        """

    def get_many(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Copy many ``(uri, local_path)``; at once where the protocol allows."""
        for uri, local_path in pairs:
            self.get(uri, local_path)

    def put_many(self, pairs: Sequence[tuple[str, str]]) -> None:
        """Copy many ``(local_path, uri)``; at once where the protocol allows."""
        for local_path, uri in pairs:
            self.put(local_path, uri)

    @abstractmethod
    def list(self, uri: str) -> Iterator[BlobInfo]:
        """Yield every object under a prefix, at any depth, sorted by URI; nothing if there is none."""

    @abstractmethod
    def exists(self, uri: str) -> bool:
        """Tell whether an object, or any object under the prefix, exists."""

    @abstractmethod
    def size(self, uri: str) -> int | None:
        """Return the size of an object in bytes, or None if the protocol does not tell.

        Raises:
            StorageError: It does not exist or may not be read.
        """

    @abstractmethod
    def delete(self, uri: str) -> None:
        """Delete an object, or every object under a prefix. Idempotent."""

    def local_path(self, uri: str) -> str | None:
        """Return the path of an object that is a local file, so that it need not be copied; else None."""
        return None
