"""The backend for files of this machine; it does without fsspec, whose import alone takes longer than a small run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from ...contracts import BlobBackend, BlobInfo
from ...local_files import TEMPORARY_PREFIX, AtomicWriter, copy, remove
from ...storage_errors import translating
from ...uris import child_uri, path_of


class FileBackend(BlobBackend):
    """Serves ``file`` URIs, and local paths. Objects appear, and are replaced, at once and whole."""

    name = "file"
    schemes = ("file",)

    def open_read(self, uri: str, **options: Any) -> BinaryIO:
        with translating("read", uri):
            return open(path_of(uri), "rb")

    def open_write(self, uri: str) -> BinaryIO:
        return cast("BinaryIO", AtomicWriter(path_of(uri)))

    def get(self, uri: str, local_path: str) -> None:
        copy(path_of(uri), path_of(local_path))

    def put(self, local_path: str, uri: str) -> None:
        copy(path_of(local_path), path_of(uri))

    def list(self, uri: str) -> Iterator[BlobInfo]:
        found: list[BlobInfo] = []
        with translating("list", uri):
            top = path_of(uri)
            for folder, _, names in os.walk(top, onerror=_raise):
                prefix = f"{folder[len(top) :].strip('/')}/".lstrip("/")
                for name in names:
                    if not name.startswith(TEMPORARY_PREFIX):
                        info = _info(f"{folder}/{name}", child_uri(uri, f"{prefix}{name}"))
                        found.extend(info)
        found.sort(key=lambda info: info.uri)
        return iter(found)

    def exists(self, uri: str) -> bool:
        with translating("look for", uri):
            try:
                os.stat(path_of(uri))
            except (FileNotFoundError, NotADirectoryError):
                return False
            return True

    def size(self, uri: str) -> int | None:
        with translating("read", uri):
            path = path_of(uri)
            if os.path.isdir(path):
                raise IsADirectoryError(path)
            return os.stat(path).st_size

    def delete(self, uri: str) -> None:
        with translating("delete", uri):
            path = path_of(uri)
            if path == "/":
                raise PermissionError(path)
            remove(path)

    def local_path(self, uri: str) -> str | None:
        return path_of(uri)


def _raise(error: OSError) -> None:
    """Report a folder that cannot be listed, which `os.walk` would pass over; one that is not there is empty."""
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        raise error


def _info(path: str, uri: str) -> Iterator[BlobInfo]:
    """Yield a file's info, or nothing if it was deleted since its folder was read."""
    try:
        yield BlobInfo(uri, os.stat(path).st_size)
    except FileNotFoundError:
        pass
