"""Content-addressed data: every object is kept once, under the hash of what is in it.

An object lies at ``<root>/<first two digits>/<SHA-256><suffix>`` and is never changed, so its URI never changes meaning. A
folder is a prefix of that form, whose hash is taken over the names and hashes of its files.
"""

from __future__ import annotations

import hashlib
import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence

from .contracts import BlobBackend
from .errors import StorageError
from .local_files import (
    READ_ONLY_MODE,
    FileSum,
    FolderFile,
    TemporaryFile,
    copy_and_sum,
    folder_files,
    parent_of,
    remove,
    remove_abandoned,
    sum_file,
    temporary_in,
)
from .storage_errors import translating
from .uris import child_uri, uri_of

_SUFFIX = re.compile(r"(\.[A-Za-z0-9_\-]{1,12})?\.(?:gz|bz2|xz|zst|lz4|br)\Z|\.[A-Za-z0-9_\-]{1,12}\Z", re.IGNORECASE)


def suffix_of(name: str) -> str:
    """Return the suffix by which tools know a file's format, as ``.csv`` or ``.tar.gz``; empty if it has none.

    Suffixes that are long or have odd characters are left out: they say nothing to a tool and would need quoting.
    """
    found = _SUFFIX.search(name, 1)
    return found.group() if found else ""


def folder_hash(files: Iterable[tuple[str, str]]) -> str:
    """Return the hash of a folder in hexadecimal.

    Args:
        files: Name below the folder, and SHA-256 in hexadecimal, of each file; in any order.
    """
    digest = hashlib.sha256(b"alula folder 1\n")
    for name, file_hash in sorted((os.fsencode(name), file_hash) for name, file_hash in files):
        digest.update(b"%s\0%s\n" % (name, file_hash.encode()))
    return digest.hexdigest()


EMPTY_FOLDER_HASH = folder_hash(())
"""Hash of a folder without files, which object stores cannot keep."""


class ContentStore(ABC):
    """Keeps objects under their hash.

    Args:
        root: URI below which they are kept.
    """

    def __init__(self, root: str) -> None:
        self.root = root

    def uri_for(self, content_hash: str, suffix: str = "") -> str:
        """Return the URI at which a content is or would be kept."""
        return child_uri(self.root, f"{content_hash[:2]}/{content_hash}{suffix}")

    @abstractmethod
    def temporary(self) -> TemporaryFile:
        """Open a file for a content whose hash is not known yet; give it to `keep`."""

    @abstractmethod
    def keep(self, temporary: TemporaryFile, total: FileSum, suffix: str) -> str:
        """Keep what was written to a temporary file, unless it is kept already, and return its URI."""

    @abstractmethod
    def keep_file(self, path: str, suffix: str) -> tuple[str, FileSum]:
        """Keep a copy of a local file and return its URI, hash and size."""

    @abstractmethod
    def keep_bytes(self, data: bytes | bytearray | memoryview, suffix: str) -> tuple[str, FileSum]:
        """Keep bytes and return their URI, hash and size."""

    @abstractmethod
    def keep_folder(self, path: str, batch_size: int | None) -> tuple[str, FileSum]:
        """Keep a copy of a local folder and return its URI, hash and size, the size being that of its files."""


class LocalContent(ContentStore):
    """Keeps objects in a local folder, as read-only files.

    Args:
        root: URI of the folder.
        folder: Its path.
    """

    def __init__(self, root: str, folder: str) -> None:
        super().__init__(root)
        self._folder = folder
        self._swept = False

    def temporary(self) -> TemporaryFile:
        self._sweep()
        return TemporaryFile(self._folder, READ_ONLY_MODE)

    def _sweep(self) -> None:
        """Remove what killed writers left behind, when something is about to be written for the first time."""
        if not self._swept:
            self._swept = True
            remove_abandoned(self._folder)

    def keep(self, temporary: TemporaryFile, total: FileSum, suffix: str) -> str:
        path = self._path_for(total.hash, suffix)
        if not _has_size(path, total.size):
            temporary.publish(path)
        return self.uri_for(total.hash, suffix)

    def keep_file(self, path: str, suffix: str) -> tuple[str, FileSum]:
        with translating("write to", self.root), self.temporary() as temporary:
            total = copy_and_sum(path, temporary)
            return self.keep(temporary, total, suffix), total

    def keep_bytes(self, data: bytes | bytearray | memoryview, suffix: str) -> tuple[str, FileSum]:
        total = _sum_bytes(data)
        uri = self.uri_for(total.hash, suffix)
        if not _has_size(self._path_for(total.hash, suffix), total.size):
            with translating("write to", self.root), self.temporary() as temporary:
                temporary.write(data)
                self.keep(temporary, total, suffix)
        return uri, total

    def keep_folder(self, path: str, batch_size: int | None) -> tuple[str, FileSum]:
        files = folder_files(path)
        self._sweep()
        stage = temporary_in(self._folder)
        with translating("write to", self.root):
            try:
                os.makedirs(stage)
                sums = [_copy_read_only(file, f"{stage}/{file.name}") for file in files]
                total = _folder_sum(files, sums)
                self._place_folder(stage, self._path_for(total.hash))
            finally:
                remove(stage)
        return self.uri_for(total.hash), total

    def _place_folder(self, stage: str, target: str) -> None:
        """Give a complete folder its name; one that is there already has the same content and stays."""
        os.makedirs(parent_of(target), exist_ok=True)
        try:
            os.rename(stage, target)
        except OSError:
            if not os.path.isdir(target):
                raise

    def _path_for(self, content_hash: str, suffix: str = "") -> str:
        return f"{self._folder.rstrip('/')}/{content_hash[:2]}/{content_hash}{suffix}"


class RemoteContent(ContentStore):
    """Keeps objects wherever a backend puts them.

    Args:
        root: URI below which they are kept.
        backend: What serves that URI.
    """

    def __init__(self, root: str, backend: BlobBackend) -> None:
        super().__init__(root)
        self._backend = backend

    def temporary(self) -> TemporaryFile:
        import tempfile

        return TemporaryFile(tempfile.gettempdir(), 0o600)

    def keep(self, temporary: TemporaryFile, total: FileSum, suffix: str) -> str:
        uri = self.uri_for(total.hash, suffix)
        if not self._has(uri, total.size):
            temporary.close()
            self._backend.put(temporary.path, uri)
        return uri

    def keep_file(self, path: str, suffix: str) -> tuple[str, FileSum]:
        before = _stamps([path])
        total = sum_file(path)
        uri = self.uri_for(total.hash, suffix)
        if not self._has(uri, total.size):
            self._backend.put(path, uri)
            self._require_unchanged([path], before, uri)
        return uri, total

    def keep_bytes(self, data: bytes | bytearray | memoryview, suffix: str) -> tuple[str, FileSum]:
        total = _sum_bytes(data)
        uri = self.uri_for(total.hash, suffix)
        if not self._has(uri, total.size):
            with self._backend.open_write(uri) as stream:
                stream.write(data)
        return uri, total

    def keep_folder(self, path: str, batch_size: int | None) -> tuple[str, FileSum]:
        files = folder_files(path)
        _require_utf8(files)
        paths = [file.path for file in files]
        before = _stamps(paths)
        sums = [sum_file(path) for path in paths]
        total = _folder_sum(files, sums)
        uri = self.uri_for(total.hash)
        kept = {info.uri: info.size for info in self._backend.list(uri)}
        targets = [child_uri(uri, file.name) for file in files]
        missing = [
            (path, target)
            for path, target, each in zip(paths, targets, sums, strict=True)
            if kept.get(target, -1) not in {None, each.size}
        ]
        for batch in batches(missing, batch_size):
            self._backend.put_many(batch)
        if missing:
            self._require_unchanged(paths, before, uri)
        return uri, total

    def _has(self, uri: str, size: int) -> bool:
        """Tell whether an object is kept. One of another size is damaged, and is written again."""
        return self._backend.exists(uri) and self._backend.size(uri) in {None, size}

    def _require_unchanged(self, paths: Sequence[str], before: Sequence[_Stamp], uri: str) -> None:
        """Take back what was stored under a hash that it may not have.

        A file is read twice, once for the hash and once for the copy, because the hash is in the copy's name.
        """
        for path, stamp, now in zip(paths, before, _stamps(paths), strict=True):
            if stamp != now:
                self._backend.delete(uri)
                raise StorageError(
                    f"{uri_of(path)} was changed while it was being stored", hint="Store it when it is complete."
                )


_Stamp = tuple[int, int, int]


def _stamps(paths: Sequence[str]) -> list[_Stamp]:
    """Return what changes when a file does: its inode, size and time of change in nanoseconds."""
    stamps = []
    for path in paths:
        with translating("read", uri_of(path)):
            found = os.stat(path)
            stamps.append((found.st_ino, found.st_size, found.st_mtime_ns))
    return stamps


def batches(items: Sequence[tuple[str, str]], size: int | None) -> Iterator[Sequence[tuple[str, str]]]:
    """Split items into batches of at most `size`; None for one batch.

    Raises:
        StorageError: The size is not positive.
    """
    if size is not None and size < 1:
        raise StorageError(f"batch_size is {size}", hint="Give a number of files, at least 1, or None for all at once.")
    for start in range(0, len(items), size or len(items) or 1):
        yield items[start : start + (size or len(items))]


def _folder_sum(files: Sequence[FolderFile], sums: Sequence[FileSum]) -> FileSum:
    named = [(file.name, each.hash) for file, each in zip(files, sums, strict=True)]
    return FileSum(folder_hash(named), sum(each.size for each in sums))


def _sum_bytes(data: bytes | bytearray | memoryview) -> FileSum:
    return FileSum(hashlib.sha256(data).hexdigest(), memoryview(data).nbytes)


def _has_size(path: str, size: int) -> bool:
    """Tell whether a file is kept. One of another size is damaged, and is replaced."""
    try:
        return os.stat(path).st_size == size
    except OSError:
        return False


def _copy_read_only(file: FolderFile, target: str) -> FileSum:
    with TemporaryFile(parent_of(target), READ_ONLY_MODE) as temporary:
        total = copy_and_sum(file.path, temporary)
        temporary.publish(target)
    return total


def _require_utf8(files: Iterable[FolderFile]) -> None:
    for file in files:
        try:
            file.name.encode()
        except UnicodeEncodeError as error:
            raise StorageError(
                f"the name of {uri_of(file.path)} is not UTF-8, so no object store can keep it", hint="Rename the file."
            ) from error
