"""The backend for every protocol that fsspec has an implementation of: object stores, HTTP, SFTP, archives, chains."""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar, cast

from ...contracts import BlobBackend, BlobInfo
from ...errors import AlulaError, MissingDependencyError, StorageError
from ...local_files import BUFFER_BYTES, DiscardableWriter, TemporaryFile, open_file, parent_of, temporary_in
from ...storage_errors import translating, underlying
from ...uris import chain_of, child_uri, path_of, prefix_of, scheme_of, shown

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

T = TypeVar("T")

RETRY_DELAYS_SECONDS = (0.2, 0.6, 1.8)
"""Default waits before a failed request to a protocol is tried again."""

_SMALL_BYTES = 8 * 1024 * 1024
"""Objects up to this size are collected in memory and sent in one request."""

_PART_BYTES = 32 * 1024 * 1024
"""Size of the parts in which larger ones are sent; stores take up to 10,000, so objects end at 320 GB."""

_READ_OPTIONS = frozenset({"block_size", "cache_type", "cache_options"})
_READ_ONLY = frozenset({"http", "https", "data", "github", "git"})
_RANGES_UNKNOWN = frozenset({"http", "https"})
_NOT_LISTABLE = frozenset({"http", "https", "data"})
# Their libraries retry by themselves, with a better idea of which answers are worth it.
_RETRYING = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl"})
# An object appears when its last byte has arrived, so it can be sent under its final name.
_OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oci", "oss", "tos", "memory"})
# Streams of these can be given up: fsspec's `autocommit=False` is honoured, and `discard` aborts the upload.
_COMMITTING = frozenset({"s3", "s3a", "gs", "gcs"})
_ANONYMOUS: dict[str, dict[str, Any]] = {
    "s3": {"anon": True},
    "s3a": {"anon": True},
    "gs": {"token": "anon"},
    "gcs": {"token": "anon"},
}
_NO_CREDENTIALS = frozenset({"NoCredentialsError", "DefaultCredentialsError"})
_TRANSIENT_STATUS = frozenset({408, 425, 429, 500, 502, 503, 504})
_TRANSIENT_NAMES = frozenset({"ClientConnectionError", "ClientPayloadError", "FSTimeoutError", "TimeoutError"})

# How to install what a protocol needs, where our own extras or the registry of fsspec do not say it.
_EXTRAS = {"s3": "s3", "s3a": "s3", "http": "http", "https": "http"}
_PACKAGES = {
    "sftp": "paramiko",
    "ssh": "paramiko",
    "smb": "smbprotocol",
    "github": "requests",
    "webhdfs": "requests",
    "jupyter": "requests",
    "jlab": "requests",
    "dbfs": "requests",
    "git": "pygit2",
    "hdfs": "pyarrow",
    "arrow_hdfs": "pyarrow",
    "libarchive": "libarchive-c",
    "dask": "distributed",
}


class FsspecBackend(BlobBackend):
    """Serves every scheme that no other backend serves, through fsspec.

    File systems are fsspec's own shared instances, one per protocol, options and process, so a fork is harmless.

    Args:
        options: Storage options of fsspec by protocol, as ``{"s3": {"endpoint_url": "http://localhost:9000"}}``. What is
            left out comes from where the protocol's library looks for it, as ``AWS_ACCESS_KEY_ID``.
        retry_delays_seconds: Waits before a request that failed for a passing reason is tried again, each varied by up
            to a half. They do not apply to protocols whose libraries retry by themselves.
    """

    name = "fsspec"
    schemes = ("*",)

    def __init__(
        self,
        options: Mapping[str, Mapping[str, Any]] | None = None,
        *,
        retry_delays_seconds: Sequence[float] = RETRY_DELAYS_SECONDS,
    ) -> None:
        self._options = {protocol: dict(values) for protocol, values in (options or {}).items()}
        self._retry_delays = tuple(retry_delays_seconds)

    # --- reading -----------------------------------------------------------------------------------------------------

    def open_read(self, uri: str, **options: Any) -> BinaryIO:
        wanted = {key: value for key, value in options.items() if key in _READ_OPTIONS and value is not None}

        def open_it(fs: Any, path: str) -> _Reader:
            stream = fs.open(path, "rb", **wanted)
            if scheme_of(uri) in _RANGES_UNKNOWN and not _sends_ranges(stream):
                stream.close()
                stream = fs.open(path, "rb", **{**wanted, "block_size": 0})  # from its beginning to its end
            reader = _Reader(uri, stream, self._delays(uri), fs)
            if reader.is_folder():
                reader.close()
                raise IsADirectoryError(path)
            return reader

        return cast("BinaryIO", io.BufferedReader(self._read("read", uri, open_it), BUFFER_BYTES))

    def get(self, uri: str, local_path: str) -> None:
        path = path_of(local_path)
        folder = parent_of(path)

        def fetch(fs: Any, remote: str) -> None:
            with TemporaryFile(folder) as temporary:
                try:
                    fs.get_file(remote, temporary.path)
                except FileExistsError as error:  # it tried to make a folder of that name
                    raise IsADirectoryError(remote) from error
                temporary.publish(path)

        self._read("read", uri, fetch)

    def get_many(self, pairs: Sequence[tuple[str, str]]) -> None:
        for group in self._groups([uri for uri, _ in pairs]):
            chosen = [pairs[index] for index in group]
            self._get_group(chosen)

    def _get_group(self, pairs: Sequence[tuple[str, str]]) -> None:
        if not _is_concurrent(self._file_system(pairs[0][0])[0]):
            super().get_many(pairs)
            return
        stages = [temporary_in(parent_of(path_of(local))) for _, local in pairs]

        def fetch(fs: Any, _: str) -> None:
            fs.get([fs._strip_protocol(uri) for uri, _ in pairs], stages)
            for stage, (_, local) in zip(stages, pairs, strict=True):
                os.replace(stage, path_of(local))

        try:
            self._read("read", pairs[0][0], fetch)
        finally:
            for stage in stages:
                if os.path.exists(stage):
                    os.unlink(stage)

    def list(self, uri: str) -> Iterator[BlobInfo]:
        if scheme_of(uri) in _NOT_LISTABLE:
            raise StorageError(
                f"cannot list {shown(uri)}: {scheme_of(uri)} has no listings",
                hint="Name the files one by one, or keep the directory in an object store.",
            )

        def find(fs: Any, path: str) -> dict[str, dict[str, Any]]:
            fs.invalidate_cache()
            found = fs.find(path, detail=True)
            if not found:
                _raise_unless_missing(fs, path)
            return cast("dict[str, dict[str, Any]]", found)

        found = self._read("list", uri, find)
        top = self._file_system(uri)[1].strip("/")
        infos = [
            BlobInfo(child_uri(prefix_of(uri), name), info.get("size"))
            for path, info in found.items()
            if (name := _name_below(path, top))
        ]
        infos.sort(key=lambda info: info.uri)
        return iter(infos)

    def exists(self, uri: str) -> bool:
        def look(fs: Any, path: str) -> bool:
            fs.invalidate_cache()
            try:
                fs.info(path)
            except (FileNotFoundError, NotADirectoryError) as error:
                if _is_missing(error):
                    return False
                raise
            return True

        return self._read("look for", uri, look)

    def size(self, uri: str) -> int | None:
        def look(fs: Any, path: str) -> int | None:
            fs.invalidate_cache()
            info = fs.info(path)
            if info.get("type") == "directory":
                raise IsADirectoryError(path)
            size = info.get("size")
            return None if size is None else int(size)

        return self._read("read", uri, look)

    # --- writing -----------------------------------------------------------------------------------------------------

    def open_write(self, uri: str) -> BinaryIO:
        self._require_writable(uri)
        with translating("write", uri):
            self._file_system(uri)  # a package that is missing is told now, not when the data is there
        return cast("BinaryIO", _Writer(uri, self))

    def put(self, local_path: str, uri: str) -> None:
        self._require_writable(uri)
        path = path_of(local_path)
        open_file(path).close()
        self._write(uri, lambda fs, target: fs.put_file(path, target))

    def put_many(self, pairs: Sequence[tuple[str, str]]) -> None:
        for group in self._groups([uri for _, uri in pairs]):
            self._put_group([pairs[index] for index in group])

    def _put_group(self, pairs: Sequence[tuple[str, str]]) -> None:
        first = pairs[0][1]
        if scheme_of(first) not in _OBJECT_STORES or not _is_concurrent(self._file_system(first)[0]):
            super().put_many(pairs)
            return
        paths = [path_of(local) for local, _ in pairs]
        for path in paths:
            open_file(path).close()

        def send(fs: Any, _: str) -> None:
            fs.put(paths, [fs._strip_protocol(uri) for _, uri in pairs])

        self._write(first, send)

    def put_bytes(self, uri: str, data: bytes) -> None:
        """Write a small object in one request.

        Raises:
            StorageError: It may not be written.
        """
        self._write(uri, lambda fs, path: fs.pipe_file(path, data))

    def delete(self, uri: str) -> None:
        self._require_writable(uri)

        def remove(fs: Any, path: str) -> None:
            fs.invalidate_cache()
            found = fs.find(path, withdirs=True, detail=True)
            folders = {name for name, info in found.items() if info.get("type") == "directory"}
            # An object store may have an object whose name is also a prefix of others.
            _delete_all(fs, sorted(found.keys() - folders | {path}))
            if scheme_of(uri) not in _OBJECT_STORES:
                for folder in sorted({*folders, path}, key=len, reverse=True):
                    if fs.isdir(folder):
                        fs.rmdir(folder)

        self._retrying("delete", uri, remove)

    def _write(self, uri: str, send: Callable[[Any, str], Any]) -> None:
        """Send an object to its name, or, where half of it could be seen there, to another one and then rename it."""
        if scheme_of(uri) in _OBJECT_STORES or len(chain_of(uri)) > 1:
            self._retrying("write", uri, send)
            return

        def send_and_rename(fs: Any, path: str) -> None:
            folder = fs._parent(path)
            fs.makedirs(folder, exist_ok=True)
            stage = temporary_in(folder)
            try:
                send(fs, stage)
                fs.mv(stage, path)
            except BaseException:
                if fs.exists(stage):
                    fs.rm_file(stage)
                raise

        self._retrying("write", uri, send_and_rename)

    def _require_writable(self, uri: str) -> None:
        if scheme_of(uri) in _READ_ONLY:
            raise StorageError(
                f"cannot write {shown(uri)}: {scheme_of(uri)} can only be read",
                hint="Store the data in a folder or an object store.",
            )

    # --- file systems ------------------------------------------------------------------------------------------------

    def file_system(self, uri: str, **overrides: Any) -> tuple[Any, str]:
        """Return fsspec's file system for a URI, and the URI's path in it.

        Args:
            uri: Any URI, chained ones included.
            overrides: Storage options that take precedence over those of the constructor.

        Raises:
            MissingDependencyError: The protocol's package is not installed.
            StorageError: Nothing serves the protocol.
        """
        return self._file_system(uri, **overrides)

    def _file_system(self, uri: str, **overrides: Any) -> tuple[Any, str]:
        links = chain_of(uri)
        for link in links:
            _require_protocol(scheme_of(link) if "://" in link else link)
        if len(links) > 1:
            from fsspec.core import url_to_fs

            _renew_loop()
            plain = [
                f"file://{path_of(link)}" if scheme_of(link) == "file" and "://" in link else link for link in links
            ]
            return cast("tuple[Any, str]", url_to_fs("::".join(plain), **self._options))
        from fsspec import get_filesystem_class

        _renew_loop()
        scheme = scheme_of(uri)
        cls = get_filesystem_class(scheme)
        options = {**cls._get_kwargs_from_urls(uri), **self._options.get(scheme, {}), **overrides}
        return cls(**options), cls._strip_protocol(uri)

    def _read(self, doing: str, uri: str, operation: Callable[[Any, str], T]) -> T:
        """Run an operation that only reads; where no credentials are found, try as nobody: the data may be public."""
        scheme = scheme_of(uri)
        if scheme not in _ANONYMOUS or self._options.get(scheme, {}).keys() & {"key", "secret", "token", "anon"}:
            return self._retrying(doing, uri, operation)
        try:
            return self._retrying(doing, uri, operation)
        except StorageError as error:
            if type(error.__cause__).__name__ not in _NO_CREDENTIALS:
                raise
            try:
                return operation(*self._file_system(uri, **_ANONYMOUS[scheme]))
            except PermissionError:
                raise error from error.__cause__  # it is not public: credentials are what is missing

    def _retrying(self, doing: str, uri: str, operation: Callable[[Any, str], T]) -> T:
        with translating(doing, uri):
            for delay in self._delays(uri):
                try:
                    return operation(*self._file_system(uri))
                except Exception as error:
                    if not is_transient(error):
                        raise
                _wait(delay)
            return operation(*self._file_system(uri))

    def _delays(self, uri: str) -> tuple[float, ...]:
        return () if scheme_of(uri) in _RETRYING else self._retry_delays

    def _groups(self, uris: Sequence[str]) -> Iterator[Sequence[int]]:
        """Yield the indexes of URIs that one file system serves."""
        groups: dict[int, list[int]] = {}
        for index, uri in enumerate(uris):
            with translating("use", uri):
                groups.setdefault(id(self._file_system(uri)[0]), []).append(index)
        yield from groups.values()


def is_transient(error: BaseException) -> bool:
    """Tell whether the same request may well succeed if it is made again."""
    error = underlying(error)
    if isinstance(error, AlulaError):
        return False
    if getattr(error, "status", None) in _TRANSIENT_STATUS:
        return True
    if isinstance(error, (ConnectionError, TimeoutError)):
        return True
    return any(cls.__name__ in _TRANSIENT_NAMES for cls in type(error).__mro__)


def _wait(delay: float) -> None:
    """Wait a while that differs, so that many who failed together do not come back together."""
    import random

    time.sleep(delay * random.uniform(0.5, 1.5))


# --- streams ---------------------------------------------------------------------------------------------------------


def _sends_ranges(stream: Any) -> bool:
    """Tell whether a web server sends parts of a file, by asking for the last byte: many say nothing about it."""
    size = getattr(stream, "size", None)
    if not size or not stream.seekable():
        return False
    if size > 1:
        try:
            stream.seek(size - 1)
            stream.read(1)
        except ValueError:  # fsspec's word for a server that would send everything
            return False
    stream.seek(0)
    return True


class _Reader(io.RawIOBase):
    """A stream of fsspec's whose failures are told as ours, and whose reads are tried again."""

    def __init__(self, uri: str, stream: Any, delays: Sequence[float], fs: Any) -> None:
        super().__init__()
        self._uri = uri
        self._stream = stream
        self._fs = fs  # an archive is closed when its file system is collected
        details = getattr(stream, "details", None)
        self._details: dict[str, Any] = details if isinstance(details, dict) else {}
        # A stream that cannot go back may have lost what a failed read had received.
        self._delays = tuple(delays) if self.seekable() else ()

    def is_folder(self) -> bool:
        """Tell whether there is only a prefix; some file systems read that as an empty object."""
        return self._details.get("type") == "directory"

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        # Streams from a server without ranges say that they can be sought, but have no size and cannot.
        return bool(self._stream.seekable()) and self._details.get("size", 0) is not None

    def seek(self, offset: int, whence: int = 0) -> int:
        with translating("read", self._uri):
            return int(self._stream.seek(offset, whence))

    def tell(self) -> int:
        return int(self._stream.tell())

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        data = self._read(len(view))
        view[: len(data)] = data
        return len(data)

    def readall(self) -> bytes:
        return self._read(-1)

    def _read(self, size: int) -> bytes:
        with translating("read", self._uri):
            position = self._stream.tell() if self._delays else 0
            for delay in self._delays:
                try:
                    return cast("bytes", self._stream.read(size))
                except Exception as error:
                    if not is_transient(error):
                        raise
                _wait(delay)
                self._stream.seek(position)
            return cast("bytes", self._stream.read(size))

    def close(self) -> None:
        if not self.closed:
            try:
                self._stream.close()
            finally:
                super().close()


class _Writer(DiscardableWriter):
    """Sends a small object in one request, and a large one in parts or by way of a local file."""

    def __init__(self, uri: str, backend: FsspecBackend) -> None:
        super().__init__(uri)
        self._backend = backend
        self._pending = bytearray()
        self._parts: Any = None
        self._spool: TemporaryFile | None = None

    def _take(self, data: memoryview) -> None:
        if self._parts is None and self._spool is None:
            self._pending += data
            if len(self._pending) > _SMALL_BYTES:
                self._overflow()
        else:
            self._sink().write(data)

    def _overflow(self) -> None:
        if scheme_of(self.uri) in _COMMITTING:
            fs, path = self._backend.file_system(self.uri)
            self._parts = fs.open(path, "wb", autocommit=False, block_size=_PART_BYTES)
        else:
            import tempfile

            self._spool = TemporaryFile(tempfile.gettempdir(), 0o600)
        self._sink().write(bytes(self._pending))
        self._pending.clear()

    def _sink(self) -> Any:
        return self._spool if self._parts is None else self._parts

    def _finish(self) -> None:
        if self._spool is not None:
            self._spool.close()
            self._backend.put(self._spool.path, self.uri)
        elif self._parts is not None:
            self._parts.close()
            self._parts.commit()
            self._parts = None
        else:
            self._backend.put_bytes(self.uri, bytes(self._pending))

    def _drop(self) -> None:
        self._pending.clear()
        if self._spool is not None:
            self._spool.remove()
        if self._parts is not None:
            parts, self._parts = self._parts, None
            try:
                parts.discard()
                parts.closed = True  # else it would send what it still holds when it is collected
            except Exception:  # noqa: BLE001 - the store is out of reach; it drops unfinished uploads in time
                pass


# --- what fsspec leaves open -----------------------------------------------------------------------------------------


def _renew_loop() -> None:
    """Make fsspec begin a new event loop in a process that was forked.

    Its thread did not come along, and older releases of fsspec would wait for it without end.
    """
    from fsspec import asyn

    thread = asyn.iothread[0]
    if thread is not None and not thread.is_alive():
        asyn.reset_lock()


def _require_protocol(protocol: str) -> None:
    """Import the implementation of a protocol, or say what is missing."""
    from fsspec.registry import get_filesystem_class, known_implementations, registry

    if protocol in registry:
        return
    if protocol not in known_implementations:
        import difflib

        near = difflib.get_close_matches(protocol, known_implementations, n=3)
        hint = f"Did you mean {' or '.join(near)}?" if near else "Known are those of fsspec and of installed plugins."
        raise StorageError(f"no storage backend serves the scheme {protocol!r}", hint=hint)
    try:
        get_filesystem_class(protocol)
    except ImportError as error:
        raise _missing(protocol, known_implementations[protocol], error) from error


def _missing(protocol: str, implementation: Mapping[str, str], error: ImportError) -> MissingDependencyError:
    import importlib.util

    module = implementation["class"].partition(".")[0]
    package = _PACKAGES.get(protocol) or ("aiohttp" if protocol in {"http", "https"} else module)
    install = f'"alula[{_EXTRAS[protocol]}]"' if protocol in _EXTRAS else package
    if importlib.util.find_spec(package.replace("-", "_")) is not None and module != "fsspec":
        reason = error.__cause__ or error
        return MissingDependencyError(
            f"{package}, which {protocol}:// needs, is installed but cannot be imported: {reason}",
            hint=f"Repair it: pip install --upgrade {install}",
        )
    return MissingDependencyError(
        f"{protocol}:// needs the package {package}, which is not installed", hint=f"Run: pip install {install}"
    )


def _is_concurrent(fs: Any) -> bool:
    return bool(getattr(fs, "async_impl", False))


def _is_missing(error: BaseException) -> bool:
    cause = underlying(error)
    return isinstance(cause, (FileNotFoundError, NotADirectoryError)) or getattr(cause, "status", None) in {404, 410}


def _raise_unless_missing(fs: Any, path: str) -> None:
    """Find out why a listing is empty: many file systems report none of their failures there."""
    try:
        fs.info(path)
    except (FileNotFoundError, NotADirectoryError) as error:
        if not _is_missing(error):
            raise


def _name_below(path: str, top: str) -> str:
    """Return the name of a listed object below a prefix; empty if it is the prefix itself or marks a folder."""
    start = f"{top}/" if top else ""
    path = path.removeprefix("/")
    return path[len(start) :] if path.startswith(start) and not path.endswith("/") else ""


def _delete_all(fs: Any, paths: Sequence[str]) -> None:
    """Delete objects one by one; fsspec's own bulk form would take a ``*`` in a name for a pattern."""
    if not _is_concurrent(fs):
        for path in paths:
            _delete_one(fs, path)
        return
    import asyncio

    from fsspec.asyn import sync

    async def delete(path: str) -> None:
        try:
            await fs._rm_file(path)
        except FileNotFoundError:
            pass

    async def delete_all() -> None:
        for start in range(0, len(paths), 64):
            await asyncio.gather(*(delete(path) for path in paths[start : start + 64]))

    sync(fs.loop, delete_all)


def _delete_one(fs: Any, path: str) -> None:
    try:
        fs.rm_file(path)
    except (FileNotFoundError, IsADirectoryError):  # an empty folder is removed as one
        pass
