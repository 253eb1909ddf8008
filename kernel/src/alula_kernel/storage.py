"""Storage: blobs by URI, whoever serves them, and content-addressed data below a root.

A `Storage` is made once per application object from the registered backends and passed on. It holds no state of a
blob, so any number of threads may use it, and processes may share a root.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any, BinaryIO, cast

from .content import EMPTY_FOLDER_HASH, ContentStore, LocalContent, RemoteContent, batches, folder_hash, suffix_of
from .contracts import BlobBackend, BlobInfo
from .errors import PluginError, StorageError
from .literals import Blob
from .local_files import (
    BufferedTemporary,
    DiscardableWriter,
    FileSum,
    folder_files,
    parent_of,
    remove,
    sum_file,
    sum_stream,
    temporary_in,
)
from .storage_errors import storage_error, translating
from .stream_layers import LayeredWriter, compression_of, decompressed, discard, text_options
from .uris import name_below, name_of, path_of, prefix_of, scheme_of, shown, uri_of

ANY_SCHEME = "*"
"""Scheme of the backend that serves what no other does."""


class Storage:
    """Reads and writes blobs by URI, and keeps content-addressed data below a root.

    Wherever a URI is taken, a local path is taken too. Methods block and may be called from any thread.

    Args:
        backends: Who serves which schemes; one of them may serve ``*``.
        root: URI or local folder below which content-addressed data is kept; made when something is first kept.

    Raises:
        PluginError: Two backends serve one scheme.
        StorageError: No backend serves the root.
    """

    def __init__(self, backends: Sequence[BlobBackend], root: str) -> None:
        self._backends = _by_scheme(backends)
        self.root: str = prefix_of(uri_of(root))
        backend = self.backend(self.root)
        folder = backend.local_path(self.root)
        self._content: ContentStore = (
            RemoteContent(self.root, backend) if folder is None else LocalContent(self.root, folder)
        )

    # --- who serves what ---------------------------------------------------------------------------------------------

    def backend(self, uri: str) -> BlobBackend:
        """Return the backend that serves a URI.

        Raises:
            StorageError: There is none.
        """
        scheme = scheme_of(uri)
        backend = self._backends.get(scheme) or self._backends.get(ANY_SCHEME)
        if backend is None:
            served = ", ".join(sorted(self._backends))
            raise StorageError(
                f"no storage backend serves the scheme {scheme!r} of {shown(uri)}",
                hint=f"Served: {served}." if served else "No backend is registered.",
            )
        return backend

    def uri(self, path_or_uri: str | os.PathLike[str]) -> str:
        """Return the absolute ``file`` URI of a local path, quoted, ``~`` expanded; a URI stays as it is.

        Raises:
            StorageError: The path is empty or contains a null character.
        """
        return uri_of(path_or_uri)

    def local_path(self, uri: str) -> str | None:
        """Return the path of what is a local file or folder, so that it need not be copied; else None.

        Raises:
            StorageError: No backend serves the URI, or it is malformed.
        """
        return self.backend(uri).local_path(uri_of(uri))

    # --- content-addressed data --------------------------------------------------------------------------------------

    def put_file(
        self,
        local_path: str | os.PathLike[str],
        *,
        name: str = "",
        format: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> Blob:
        """Keep a copy of a local file under the hash of its content; content that is kept already is not written.

        Args:
            local_path: The file; it may change afterwards.
            name: Base name that the blob carries; the file's own if empty. Its suffix becomes part of the URI.
            format: Format that the blob carries.
            metadata: Free text that the blob carries.

        Raises:
            StorageError: The file cannot be read, is a directory, or there is no room for the copy.
        """
        path = path_of(local_path)
        if os.path.isdir(path):
            raise StorageError(
                f"cannot store {uri_of(path)} as a file: it is a folder", hint="Store it as a directory."
            )
        name = name or name_of(path)
        uri, total = self._content.keep_file(path, suffix_of(name))
        return _blob(uri, total, name, format, metadata=metadata)

    def put_bytes(self, data: bytes | bytearray | memoryview, *, name: str = "") -> Blob:
        """Keep bytes under their hash; content that is kept already is not written.

        Args:
            data: The bytes.
            name: Base name that the blob carries. Its suffix becomes part of the URI.

        Raises:
            StorageError: They cannot be written.
        """
        uri, total = self._content.keep_bytes(data, suffix_of(name))
        return _blob(uri, total, name, "")

    def put_directory(
        self,
        local_path: str | os.PathLike[str],
        *,
        name: str = "",
        format: str = "",
        batch_size: int | None = None,
    ) -> Blob:
        """Keep a copy of a local folder under the hash of its files' names and contents.

        Links inside the folder are followed, and become copies. Empty folders in it are left out.

        Args:
            local_path: The folder.
            name: Base name that the blob carries; the folder's own if empty.
            format: Format that the blob carries.
            batch_size: Most files that are sent at once; None for as many as the backend likes.

        Raises:
            StorageError: The folder cannot be read, a link leads out of it, or there is no room for the copy.
        """
        path = path_of(local_path)
        uri, total = self._content.keep_folder(path, batch_size)
        return _blob(uri, total, name or name_of(path), format, directory=True)

    def writer(
        self,
        *,
        name: str = "",
        uri: str = "",
        format: str = "",
    ) -> BlobWriter:
        """Open a stream for a new blob, hashed while it is written.

        The blob appears when the ``with`` block is left; if an exception leaves it, nothing does::

            with storage.writer(name="model.bin") as stream:
                stream.write(data)
            blob = stream.blob

        Args:
            name: Base name that the blob carries; that of `uri` if empty.
            uri: Where it goes; empty for content-addressed.
            format: Format that the blob carries.

        Raises:
            StorageError: It cannot be written.
        """
        sink: _Sink
        if uri:
            target = uri_of(uri)
            name = name or name_of(target)
            sink = _ObjectSink(target, self.backend(target))
        else:
            target = self.root
            sink = _ContentSink(self._content, suffix_of(name))
        return BlobWriter(target, sink, name, format)

    # --- objects at a given URI --------------------------------------------------------------------------------------

    def open(self, uri: str, mode: str = "rb", **options: Any) -> IO[Any]:
        """Open an object for streaming.

        What is written appears when the stream is closed; left by an exception, nothing appears.

        Args:
            uri: The object.
            mode: ``rb``, ``wb``, and for text ``r``, ``rt``, ``w``, ``wt``.
            options: For text ``encoding`` (UTF-8 by default), ``errors`` and ``newline``. To read or write compressed
                data ``compression``: ``gzip``, ``bz2``, ``xz``, or ``infer`` from the suffix. The rest goes to the
                backend: ``block_size``, ``cache_type``, ``cache_options``.

        Raises:
            StorageError: It does not exist, may not be read or written, or the mode is unknown.
        """
        uri = uri_of(uri)
        text = text_options(mode, options)
        compression = compression_of(options.pop("compression", None), uri)
        backend = self.backend(uri)
        if mode in {"r", "rt", "rb"}:
            stream: IO[Any] = backend.open_read(uri, **options)
            if compression:
                stream = decompressed(compression, stream)
            return stream if text is None else io.TextIOWrapper(cast("BinaryIO", stream), **text)
        sink = backend.open_write(uri)
        if not compression and text is None:
            return sink
        return cast("IO[Any]", LayeredWriter(sink, compression, text))

    def download(self, uri: str, local_path: str | os.PathLike[str]) -> None:
        """Copy an object to a local file, which appears, or is replaced, at once and whole; parents are made.

        Raises:
            StorageError: The object cannot be read, or the file cannot be written.
        """
        uri, path = uri_of(uri), path_of(local_path)
        if os.path.isdir(path):
            raise StorageError(
                f"cannot write {uri_of(path)}: it is a folder", hint="Give the path of the file that is to be written."
            )
        backend = self.backend(uri)
        source = backend.local_path(uri)
        if source is None or not _is_same(source, path):
            backend.get(uri, path)

    def download_directory(self, uri: str, local_path: str | os.PathLike[str], batch_size: int | None = None) -> None:
        """Copy every object under a prefix into a local folder.

        A folder that does not exist yet appears at once and whole; in one that exists, files of the same names are
        replaced and others stay.

        Args:
            uri: The prefix.
            local_path: The folder.
            batch_size: Most files that are fetched at once; None for as many as the backend likes.

        Raises:
            StorageError: There is nothing under the prefix, an object cannot be read, the name of one leads out of the
                folder, or the folder cannot be written.
        """
        uri, target = prefix_of(uri_of(uri)), path_of(local_path)
        backend = self.backend(uri)
        source = backend.local_path(uri)
        if source is not None and _is_same(source, target):
            return
        names = self._names_under(uri, backend)
        stage = temporary_in(parent_of(target))
        with translating("write", uri_of(target)):
            try:
                os.makedirs(stage)
                pairs = [(info.uri, f"{stage}/{name}") for name, info in names.items()]
                for batch in batches(pairs, batch_size):
                    backend.get_many(batch)
                _merge(stage, target, names)
            finally:
                remove(stage)

    def list(self, uri: str) -> Iterator[BlobInfo]:
        """Yield every object under a prefix, at any depth, sorted by URI; nothing if there is none.

        Raises:
            StorageError: The prefix cannot be listed.
        """
        uri = prefix_of(uri_of(uri))
        return self.backend(uri).list(uri)

    def exists(self, uri: str) -> bool:
        """Tell whether an object, or any object under the prefix, exists.

        Raises:
            StorageError: It cannot be told, as when the server does not answer.
        """
        uri = uri_of(uri)
        return self.backend(uri).exists(uri)

    def size(self, uri: str) -> int | None:
        """Return the size of an object in bytes, or None if the protocol does not tell.

        Raises:
            StorageError: It does not exist or may not be read.
        """
        uri = uri_of(uri)
        return self.backend(uri).size(uri)

    def delete(self, uri: str) -> None:
        """Delete an object, or every object under a prefix; nothing happens if there is nothing.

        Raises:
            StorageError: It may not be deleted.
        """
        uri = prefix_of(uri_of(uri))
        if not uri.rpartition("://")[2].strip("/"):
            raise StorageError(f"{shown(uri)} is everything there is", hint="Give the URI of an object or a prefix.")
        self.backend(uri).delete(uri)

    def hash(self, uri: str, *, directory: bool = False) -> str:
        """Read an object and return the hash of its content, in hexadecimal.

        Args:
            uri: The object.
            directory: Whether it is a prefix; the hash is then the one that `put_directory` gives the same files.

        Raises:
            StorageError: It cannot be read.
        """
        uri = prefix_of(uri_of(uri)) if directory else uri_of(uri)
        backend = self.backend(uri)
        if not directory:
            return _sum(uri, backend).hash
        names = self._names_under(uri, backend)
        return folder_hash((name, _sum(info.uri, backend).hash) for name, info in names.items())

    def _names_under(self, uri: str, backend: BlobBackend) -> dict[str, BlobInfo]:
        """Return the objects under a prefix by their name below it; every name stays inside a folder."""
        path = backend.local_path(uri)
        if path is not None:
            return {file.name: BlobInfo(uri_of(file.path)) for file in folder_files(path)}
        infos = list(backend.list(uri))
        if not infos and not uri.endswith(f"/{EMPTY_FOLDER_HASH}"):
            raise storage_error("read", uri, FileNotFoundError())
        return {_safe_name(info.uri, uri): info for info in infos}


class BlobWriter(DiscardableWriter):
    """A binary stream that becomes a blob when it is closed; made by `Storage.writer`."""

    def __init__(self, uri: str, sink: _Sink, name: str, format: str) -> None:
        super().__init__(uri)
        self._sink = sink
        self._name = name
        self._format = format
        self._digest = hashlib.sha256()
        self._blob: Blob | None = None

    @property
    def blob(self) -> Blob:
        """What was written.

        Raises:
            StorageError: The stream is not closed, or was left by an exception.
        """
        if self._blob is None:
            raise StorageError(
                f"there is no blob: what goes to {shown(self.uri)} was not written to its end",
                hint="Ask for the blob after the `with` block.",
            )
        return self._blob

    def _take(self, data: memoryview) -> None:
        self._sink.write(data)
        self._digest.update(data)

    def _finish(self) -> None:
        total = FileSum(self._digest.hexdigest(), self._position)
        self._blob = _blob(self._sink.finish(total), total, self._name, self._format)

    def _drop(self) -> None:
        self._sink.drop()


class _ContentSink:
    """Collects a content whose hash, and so whose place, is known at its end."""

    def __init__(self, content: ContentStore, suffix: str) -> None:
        self._content = content
        self._suffix = suffix
        self._temporary = content.temporary()
        self._buffer = BufferedTemporary(self._temporary)

    def write(self, data: memoryview) -> None:
        self._buffer.write(data)

    def finish(self, total: FileSum) -> str:
        self._buffer.flush()
        return self._content.keep(self._temporary, total, self._suffix)

    def drop(self) -> None:
        self._temporary.remove()


class _ObjectSink:
    """Passes a content on to the place that was asked for."""

    def __init__(self, uri: str, backend: BlobBackend) -> None:
        self._uri = uri
        self._stream = backend.open_write(uri)

    def write(self, data: memoryview) -> None:
        self._stream.write(data)

    def finish(self, total: FileSum) -> str:
        self._stream.close()
        return self._uri

    def drop(self) -> None:
        if not self._stream.closed:
            discard(self._stream)


_Sink = _ContentSink | _ObjectSink


def _by_scheme(backends: Sequence[BlobBackend]) -> dict[str, BlobBackend]:
    found: dict[str, BlobBackend] = {}
    for backend in backends:
        for scheme in backend.schemes:
            other = found.setdefault(scheme.lower(), backend)
            if other is not backend:
                raise PluginError(
                    f"the storage backends {other.name!r} and {backend.name!r} both serve the scheme {scheme!r}",
                    hint="Uninstall one of the two plugins.",
                )
    return found


def _blob(
    uri: str,
    total: FileSum,
    name: str,
    format: str,
    *,
    directory: bool = False,
    metadata: Mapping[str, str] | None = None,
) -> Blob:
    return Blob(
        uri=uri,
        hash=total.hash,
        size=total.size,
        format=format,
        directory=directory,
        name=name,
        metadata=dict(metadata or {}),
    )


def _sum(uri: str, backend: BlobBackend) -> FileSum:
    path = backend.local_path(uri)
    if path is not None:
        return sum_file(path)
    with backend.open_read(uri) as stream:
        return sum_stream(stream)


def _is_same(first: str, second: str) -> bool:
    try:
        return os.path.samefile(first, second)
    except OSError:
        return False


def _safe_name(uri: str, prefix: str) -> str:
    """Return the name of an object below a prefix.

    Raises:
        StorageError: The name would lead out of a folder into which it is copied.
    """
    name = name_below(uri, prefix)
    if not name or any(part in {"", ".", ".."} for part in name.split("/")) or "\0" in name:
        raise StorageError(
            f"{shown(uri)} has a name that no file below a folder can have",
            hint="Rename the object, or copy the others one by one.",
        )
    return name


def _merge(stage: str, target: str, names: Mapping[str, BlobInfo]) -> None:
    """Give a complete folder its name, or move its files into the folder that has that name already."""
    try:
        os.rename(stage, target)
        return
    except OSError:
        if not os.path.isdir(target):
            raise
    for name in names:
        path = f"{target}/{name}"
        os.makedirs(parent_of(path), exist_ok=True)
        os.replace(f"{stage}/{name}", path)
