"""Files on the local disk, written so that nobody ever sees half of one.

A file is written under a temporary name and then renamed, which POSIX makes atomic. What a killed process leaves behind
has a name that begins with `TEMPORARY_PREFIX` and is never listed; see `remove_abandoned`. Paths stay text throughout:
names need not be UTF-8, and objects for them cost time on every small blob.
"""

from __future__ import annotations

import hashlib
import io
import os
import stat
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from .errors import StorageError
from .storage_errors import storage_error, translating
from .uris import shown, uri_of

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

TEMPORARY_PREFIX = ".alula-tmp-"
"""How the names of unfinished files and folders begin."""

ABANDONED_SECONDS = 7 * 24 * 60 * 60
"""Age at which what is unfinished is taken for abandoned; nobody writes for a week without writing once."""

CHUNK_BYTES = 1024 * 1024
"""How much is read, hashed and written at once."""

BUFFER_BYTES = 128 * 1024
"""How much a stream collects before it hands it to the operating system."""

PLAIN_MODE = 0o666
"""Permissions of an ordinary file, before the umask is taken off."""

READ_ONLY_MODE = 0o444
"""Permissions of a content-addressed file, before the umask is taken off: its content never changes."""


class FileSum(NamedTuple):
    """What identifies a content.

    Attributes:
        hash: SHA-256 in hexadecimal.
        size: Bytes.
    """

    hash: str
    size: int


def temporary_in(folder: str) -> str:
    """Return a path in a folder that nothing has and nobody else will be given."""
    return f"{folder.rstrip('/')}/{TEMPORARY_PREFIX}{os.urandom(9).hex()}"


def parent_of(path: str) -> str:
    """Return the folder that a path is in."""
    return path.rpartition("/")[0] or "/"


class TemporaryFile:
    """A new file under a temporary name, open for writing; removed at the end of a ``with`` block unless published.

    Args:
        folder: Where it is made, and made with its parents if need be; on the same file system as what it becomes.
        mode: Permissions, before the umask is taken off. They are given on creation, so that the umask counts, and even
            a read-only file can be written through this object.

    Attributes:
        path: Where it is.

    Raises:
        StorageError: It cannot be made.
    """

    def __init__(self, folder: str, mode: int = PLAIN_MODE) -> None:
        self.path = temporary_in(folder)
        with translating("write to", uri_of(folder)):
            try:
                self._descriptor = os.open(self.path, _CREATE, mode)
            except FileNotFoundError:
                os.makedirs(folder, exist_ok=True)
                self._descriptor = os.open(self.path, _CREATE, mode)

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write all of some bytes; nothing is buffered.

        Raises:
            OSError: They cannot be written.
        """
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def close(self) -> None:
        """Close the descriptor. Some file systems say only now that the disk is full."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def publish(self, target: str) -> None:
        """Close it and give it its final name; what was there is replaced at once.

        Raises:
            OSError: The target cannot be written.
        """
        self.close()
        try:
            os.replace(self.path, target)
        except FileNotFoundError:
            os.makedirs(parent_of(target), exist_ok=True)
            os.replace(self.path, target)

    def remove(self) -> None:
        """Close and remove it; nothing happens if it was published."""
        try:
            self.close()
        except OSError:
            pass  # what could not be written is not wanted any more
        try:
            os.unlink(self.path)
        except OSError:
            pass

    def __enter__(self) -> TemporaryFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.remove()


_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


def copy(source: str, target: str) -> None:
    """Copy a file so that the target appears, or is replaced, at once and whole; parents are made.

    Raises:
        StorageError: The source cannot be read, or the target cannot be written.
    """
    with open_file(source) as reader, translating("write", uri_of(target)):
        with TemporaryFile(parent_of(target)) as temporary:
            _send(reader.fileno(), temporary)
            temporary.publish(target)


def copy_and_sum(source: str, temporary: TemporaryFile) -> FileSum:
    """Copy a file's content and return the hash and size of what was copied.

    Raises:
        StorageError: The source cannot be read.
        OSError: The copy cannot be written.
    """
    digest, size = hashlib.sha256(), 0
    for chunk in _chunks(source):
        digest.update(chunk)
        temporary.write(chunk)
        size += len(chunk)
    return FileSum(digest.hexdigest(), size)


def sum_file(path: str) -> FileSum:
    """Return the hash and size of a file.

    Raises:
        StorageError: It cannot be read.
    """
    digest, size = hashlib.sha256(), 0
    for chunk in _chunks(path):
        digest.update(chunk)
        size += len(chunk)
    return FileSum(digest.hexdigest(), size)


def sum_stream(stream: BinaryIO) -> FileSum:
    """Read a stream to its end and return the hash and size of what came."""
    digest, size = hashlib.sha256(), 0
    while chunk := stream.read(CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
    return FileSum(digest.hexdigest(), size)


def open_file(path: str) -> io.FileIO:
    """Open a regular file for reading, without a buffer.

    Raises:
        StorageError: It does not exist, cannot be read, or is something else than a regular file.
    """
    with translating("read", uri_of(path)):
        mode = os.stat(path).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # a pipe would be waited for without end
            raise StorageError(
                f"cannot read {shown(uri_of(path))}: it is a pipe, a socket or a device, not a file",
                hint="Copy what comes out of it to a file first.",
            )
        return io.FileIO(path)


def remove_abandoned(folder: str) -> None:
    """Remove unfinished files and folders from a folder that nobody has written to for long: their writers were killed.

    What cannot be looked at or removed stays for the next one who tries.
    """
    import time

    limit = time.time() - ABANDONED_SECONDS
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(TEMPORARY_PREFIX):
                with suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_mtime < limit:
                        remove(entry.path)


def remove(path: str) -> None:
    """Remove a file or a folder with all that is in it; nothing happens if there is nothing.

    Raises:
        OSError: It cannot be removed.
    """
    try:
        os.unlink(path)
    except (FileNotFoundError, NotADirectoryError):
        return
    except (IsADirectoryError, PermissionError):  # which of the two depends on the operating system
        if os.path.islink(path) or not os.path.isdir(path):
            raise
        import shutil

        shutil.rmtree(path)


def _chunks(path: str) -> Iterator[memoryview]:
    """Yield a file's content in pieces; each is valid until the next is asked for."""
    buffer = bytearray(CHUNK_BYTES)
    view = memoryview(buffer)
    with open_file(path) as reader:
        while True:
            with translating("read", uri_of(path)):
                count = reader.readinto(buffer)
            if not count:
                return
            yield view[:count]


def _send(source: int, target: TemporaryFile) -> None:
    """Copy a file from a descriptor, inside the operating system where it can."""
    size = os.fstat(source).st_size
    offset = 0
    while offset < size:
        try:
            sent = os.sendfile(target.fileno(), source, offset, size - offset)
        except OSError:
            if offset:
                raise
            break  # not possible between these kinds of file; nothing was copied yet
        if not sent:
            break
        offset += sent
    os.lseek(source, offset, os.SEEK_SET)
    while chunk := os.read(source, CHUNK_BYTES):
        target.write(chunk)


# --- folders ---------------------------------------------------------------------------------------------------------


class FolderFile(NamedTuple):
    """A file in a folder.

    Attributes:
        name: Its path below the folder, with ``/`` between the parts.
        path: Its absolute path.
    """

    name: str
    path: str


def folder_files(folder: str) -> list[FolderFile]:
    """Return every file in a folder, at any depth, sorted by the bytes of its name.

    Symbolic links are followed inside the folder. Empty folders do not count, as in object stores.

    Raises:
        StorageError: The folder or one in it cannot be read; a link leads out of the folder, to nothing or in a circle;
            or something is neither a file nor a folder.
    """
    with translating("read", uri_of(folder)):
        real = os.path.realpath(folder)
        found = list(_walk(folder, "", real, (real,)))
    found.sort(key=lambda file: os.fsencode(file.name))
    return found


def _walk(folder: str, prefix: str, top: str, above: tuple[str, ...]) -> Iterator[FolderFile]:
    with os.scandir(folder) as entries:
        for entry in entries:
            name = f"{prefix}{entry.name}"
            real = _link_target(entry.path, top) if entry.is_symlink() else f"{above[-1]}/{entry.name}"
            if entry.is_dir():
                if real in above:
                    raise StorageError(
                        f"the symbolic link {uri_of(entry.path)} leads to a folder that it is in",
                        hint="Remove the link.",
                    )
                yield from _walk(entry.path, f"{name}/", top, (*above, real))
            elif not entry.is_file():
                raise StorageError(
                    f"{uri_of(entry.path)} is neither a file nor a folder", hint="Take it out of the folder."
                )
            elif not entry.name.startswith(TEMPORARY_PREFIX):
                yield FolderFile(name, entry.path)


def _link_target(path: str, top: str) -> str:
    real = os.path.realpath(path)
    if real != top and not real.startswith(f"{top.rstrip('/')}/"):
        raise StorageError(
            f"the symbolic link {uri_of(path)} leads out of its folder",
            hint="Put the file itself into the folder, or remove the link.",
        )
    if not os.path.exists(real):
        raise StorageError(f"the symbolic link {uri_of(path)} leads to nothing", hint="Remove the link.")
    return real


# --- streams ---------------------------------------------------------------------------------------------------------


class DiscardableWriter(io.BufferedIOBase):
    """A binary stream for writing whose result appears when it is closed, and only then.

    Left by an exception, or forgotten without being closed, it leaves nothing. Subclasses say what it means to take
    bytes, to finish, and to drop what was taken. Not for use by several threads at once.

    Args:
        uri: What it writes, for messages.
    """

    def __init__(self, uri: str) -> None:
        super().__init__()
        self.uri = uri
        self._position = 0
        self._ended = False

    def writable(self) -> bool:
        """Tell that it can be written: always."""
        return True

    def tell(self) -> int:
        """Return how many bytes were written."""
        return self._position

    def write(self, data: ReadableBuffer) -> int:
        """Write all of some bytes.

        Raises:
            StorageError: They cannot be written; the message says why.
            ValueError: The stream is closed.
        """
        if self._ended:
            raise ValueError(f"write to {shown(self.uri)}, which is closed")
        with memoryview(data) as view:
            count = view.nbytes
            if count:
                try:
                    self._take(view if view.format == "B" and view.ndim == 1 else view.cast("B"))
                except Exception as error:
                    raise self._failed(error) from error
        self._position += count
        return count

    def close(self) -> None:
        """Make what was written appear. Does nothing the second time.

        Raises:
            StorageError: It cannot be written; nothing appears.
        """
        if self._ended:
            return
        self._ended = True
        try:
            self._finish()
        except Exception as error:
            raise self._failed(error) from error
        finally:
            self._drop()
            super().close()

    def discard(self) -> None:
        """Drop what was written. Does nothing once the stream is closed."""
        if not self._ended:
            self._ended = True
            self._drop()
            super().close()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        else:
            self.discard()

    def __del__(self) -> None:
        # The base class would close, and so publish the part of a file that an exception left behind.
        if not getattr(self, "_ended", True):
            self.discard()

    def _failed(self, error: Exception) -> Exception:
        return error if isinstance(error, StorageError) else storage_error("write", self.uri, error)

    @abstractmethod
    def _take(self, data: memoryview) -> None:
        """Take bytes, which are valid only during the call."""

    @abstractmethod
    def _finish(self) -> None:
        """Make what was taken appear."""

    @abstractmethod
    def _drop(self) -> None:
        """Release everything; unless `_finish` succeeded, nothing may appear. Must not raise."""


class AtomicWriter(DiscardableWriter):
    """Writes a local file that appears, or is replaced, at once and whole.

    Args:
        path: Absolute path of the file; parents are made.

    Raises:
        StorageError: The path is a folder, or its folder cannot be written.
    """

    def __init__(self, path: str) -> None:
        super().__init__(uri_of(path))
        self._ended = True  # until there is something to drop
        if os.path.isdir(path):
            raise storage_error("write", self.uri, IsADirectoryError(path))
        self._path = path
        self._temporary = TemporaryFile(parent_of(path))
        self._buffer = BufferedTemporary(self._temporary)
        self._ended = False

    def flush(self) -> None:
        """Hand what was written to the operating system."""
        if not self._ended:
            self._buffer.flush()

    def _take(self, data: memoryview) -> None:
        self._buffer.write(data)

    def _finish(self) -> None:
        self._buffer.flush()
        self._temporary.publish(self._path)

    def _drop(self) -> None:
        self._temporary.remove()


class BufferedTemporary:
    """Collects small writes to a temporary file.

    Args:
        temporary: Where they go; it stays the caller's to close.
    """

    def __init__(self, temporary: TemporaryFile) -> None:
        self._temporary = temporary
        self._pending = bytearray()

    def write(self, data: memoryview) -> None:
        """Take bytes.

        Raises:
            OSError: The file cannot be written.
        """
        if len(self._pending) + len(data) < BUFFER_BYTES:
            self._pending += data
            return
        self.flush()
        if len(data) < BUFFER_BYTES:
            self._pending += data
        else:
            self._temporary.write(data)

    def flush(self) -> None:
        """Hand everything to the operating system.

        Raises:
            OSError: The file cannot be written.
        """
        if self._pending:
            self._temporary.write(self._pending)
            self._pending.clear()
