"""The backend that keeps objects in memory, for tests."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from ...contracts import BlobBackend, BlobInfo
from ...local_files import DiscardableWriter, TemporaryFile, open_file, parent_of
from ...storage_errors import storage_error, translating
from ...uris import path_of, prefix_of, uri_of

_SCHEME = "memory://"


class MemoryBackend(BlobBackend):
    """Serves ``memory`` URIs from a dictionary of its own; other instances and processes do not see it."""

    name = "memory"
    schemes = ("memory",)

    def __init__(self) -> None:
        self._objects: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def open_read(self, uri: str, **options: Any) -> BinaryIO:
        return io.BytesIO(self._content(uri))

    def open_write(self, uri: str) -> BinaryIO:
        return cast("BinaryIO", _MemoryWriter(uri, self))

    def get(self, uri: str, local_path: str) -> None:
        content, path = self._content(uri), path_of(local_path)
        with translating("write", uri_of(path)), TemporaryFile(parent_of(path)) as temporary:
            temporary.write(content)
            temporary.publish(path)

    def put(self, local_path: str, uri: str) -> None:
        path = path_of(local_path)
        with open_file(path) as file, translating("read", uri_of(path)):
            content = file.read()
        self.keep(uri, content)

    def keep(self, uri: str, content: bytes) -> None:
        """Make an object, or replace it.

        Raises:
            StorageError: The URI names no object.
        """
        key = _key(uri)
        if not key:
            raise storage_error("write", uri, IsADirectoryError())
        with self._lock:
            self._objects[key] = content

    def list(self, uri: str) -> Iterator[BlobInfo]:
        prefix, base = _prefix(uri), prefix_of(uri)
        with self._lock:
            sizes = {key: len(value) for key, value in self._objects.items() if key.startswith(prefix)}
        separator = "" if base.endswith("/") else "/"
        for key in sorted(sizes):
            yield BlobInfo(f"{base}{separator}{key[len(prefix) :]}", sizes[key])

    def exists(self, uri: str) -> bool:
        key, prefix = _key(uri), _prefix(uri)
        with self._lock:
            return key in self._objects or any(other.startswith(prefix) for other in self._objects)

    def size(self, uri: str) -> int | None:
        return len(self._content(uri))

    def delete(self, uri: str) -> None:
        key, prefix = _key(uri), _prefix(uri)
        with self._lock:
            for other in [other for other in self._objects if other == key or other.startswith(prefix)]:
                del self._objects[other]

    def _content(self, uri: str) -> bytes:
        with self._lock:
            content = self._objects.get(_key(uri))
        if content is None:
            raise storage_error("read", uri, FileNotFoundError())
        return content


class _MemoryWriter(DiscardableWriter):
    """Collects an object; it is kept when the stream is closed."""

    def __init__(self, uri: str, backend: MemoryBackend) -> None:
        super().__init__(uri)
        self._backend = backend
        self._content = bytearray()

    def _take(self, data: memoryview) -> None:
        self._content += data

    def _finish(self) -> None:
        self._backend.keep(self.uri, bytes(self._content))

    def _drop(self) -> None:
        self._content = bytearray()


def _key(uri: str) -> str:
    return uri[len(_SCHEME) :].strip("/")


def _prefix(uri: str) -> str:
    key = _key(uri)
    return f"{key}/" if key else ""
