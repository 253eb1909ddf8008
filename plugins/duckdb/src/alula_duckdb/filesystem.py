"""Alula's storage as a file system that DuckDB reads from, so that it fetches only the parts of a file that it needs."""

from __future__ import annotations

import contextlib
import datetime as dt
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from fsspec.spec import AbstractFileSystem

from alula_kernel.errors import StorageError
from alula_kernel.uris import name_of

if TYPE_CHECKING:
    from alula_kernel.storage import Storage

_BLOCK_BYTES = 256 * 1024
"""How much is fetched at once; DuckDB asks for the parts that it needs, so little is to be gained by reading ahead."""

_GLOB = frozenset("*?[]")


class StorageFileSystem(AbstractFileSystem):  # type: ignore[misc] # fsspec has no types
    """Serves objects of a storage under paths ``alula://<number>/<name>``; read-only.

    The paths say nothing about where the objects are, so no URI has to be written into SQL.

    Args:
        storage: Where the objects are.
        folder: Where objects are copied that can only be read from their beginning to their end; made when needed.
    """

    protocol = "alula"
    cachable = False

    def __init__(self, storage: Storage, folder: str) -> None:
        super().__init__()
        self._objects = storage
        self._folder = folder
        self._uris: dict[str, str] = {}
        self._sizes: dict[str, int] = {}
        self._streams: list[BinaryIO] = []

    def path_of(self, uri: str) -> str:
        """Return the path under which DuckDB reads an object: its own path if it is a local file.

        Raises:
            StorageError: The object does not exist or may not be read.
        """
        local = self._objects.local_path(uri)
        if local is not None and not _GLOB & set(local):
            return local
        # The name keeps its suffix, by which DuckDB knows compressed files.
        name = "".join(c if c.isalnum() or c in "._-" else "_" for c in name_of(uri))
        path = f"alula://{len(self._uris)}/{name}"
        size = self._objects.size(uri)
        with self._objects.open(uri, "rb") as stream:
            if size is None or not stream.seekable():  # as of a web server that sends no parts of files
                copy = f"{self._folder}/{len(self._uris)}-{name}"
                self._objects.download(uri, copy)
                return copy
        self._uris[path], self._sizes[path] = uri, size
        return path

    def close(self) -> None:
        """Close what DuckDB left open. Idempotent."""
        while self._streams:
            with contextlib.suppress(StorageError):
                self._streams.pop().close()

    @classmethod
    def _strip_protocol(cls, path: Any) -> Any:
        return path

    def _open(self, path: str, mode: str = "rb", *args: Any, **options: Any) -> BinaryIO:
        if mode != "rb":
            raise StorageError(f"{path} can only be read")
        stream = cast("BinaryIO", self._objects.open(self._uris[path], "rb", block_size=_BLOCK_BYTES))
        self._streams.append(stream)
        return stream

    def glob(self, path: str, **options: Any) -> list[str]:
        """Return the path itself, if there is such an object."""
        return [path] if path in self._uris else []

    def exists(self, path: str, **options: Any) -> bool:
        """Tell whether there is such an object."""
        return path in self._uris

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        """Return name, size and kind of an object."""
        return {"name": path, "size": self._sizes[path], "type": "file"}

    def modified(self, path: str) -> dt.datetime:
        """Return a fixed time: within an attempt an object does not change."""
        return dt.datetime(2000, 1, 1, tzinfo=dt.timezone.utc)
