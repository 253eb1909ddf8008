"""`File`: one file, here or anywhere that storage reaches."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import msgspec

from alula_kernel.contracts import ConversionContext
from alula_kernel.errors import StorageError, UsageError, ValueConversionError
from alula_kernel.literals import Blob
from alula_kernel.uris import child_uri, uri_of

from .async_streams import AsyncOpen, AwaitableText, Opening
from .formats import F, check_format
from .handle import Handle, LocalPath, absolute
from .scratch import scratch
from .surroundings import current_storage, in_attempt, named_uri

if TYPE_CHECKING:
    from alula_kernel.storage import Storage

_CHUNK_BYTES = 1024 * 1024


class File(Handle[F]):
    """A file that is fetched when it is used.

    ``File["csv"]`` in an annotation declares the format. A handle is a path: ``open(file)`` and ``os.fspath(file)``
    download, once; `open` streams without a copy.

    Args:
        path: A local path, or a URI, which is passed on without being copied.
        downloader: Called once, before the data is first needed, to put it at `path`.
        remote_path: URI where a local file is to be stored; None to store it under the hash of its content, where
            equal files are kept once; False never to copy it, in which case it must not change as long as anybody may
            read it.
        metadata: Free text that travels with the value.

    Example:
        >>> def count(data: File["csv"]) -> File:
        ...     out = File.new_remote_file("count.txt")
        ...     with data.open("r") as rows, out.open("w") as result:
        ...         result.write(str(sum(1 for _ in rows)))
        ...     return out
    """

    def __init__(
        self,
        path: LocalPath,
        downloader: Callable[[], Any] | None = None,
        remote_path: LocalPath | bool | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(path, downloader, remote_path, metadata)

    # --- making one ---

    @classmethod
    def new(cls, filename: LocalPath) -> File[F]:
        """Make the handle of a new local file, in a folder of its own that lives as long as the process.

        Args:
            filename: Its name, or a relative path whose folders are made.
        """
        path = scratch.new_folder() / filename
        path.parent.mkdir(parents=True, exist_ok=True)
        return cls(path)

    @classmethod
    def new_remote_file(
        cls, name: str | None = None, alt: LocalPath | None = None, *, hash_method: Any = None
    ) -> File[F]:
        """Make the handle of a new file that is streamed to storage by `open`, without a local copy.

        Args:
            name: Its base name.
            alt: URI prefix to use instead of the application's storage.
            hash_method: The content's identity, if it shall not be the SHA-256 computed while writing.
        """
        made = cls._reserve(name or "file", alt=alt)
        made._key = hash_method if isinstance(hash_method, str) else ""
        return made

    @classmethod
    def new_remote(cls, file_name: str | None = None, hash_method: Any = None) -> File[F]:
        """Do what `new_remote_file` does; the name in Flyte 2."""
        return cls.new_remote_file(file_name, hash_method=hash_method)

    @classmethod
    def named_remote(cls, name: str) -> File[F]:
        """Make the handle of a new file at a place that is the same each time within the running action.

        Args:
            name: Unique within the action.
        """
        return cls._reserve(name, uri=named_uri(name))

    @classmethod
    def from_existing_remote(cls, remote_path: LocalPath, file_cache_key: str | None = None) -> File[F]:
        """Make the handle of a file that exists and is passed on without being copied.

        Args:
            remote_path: Its URI.
            file_cache_key: The content's identity; without it, the URI stands for the content.
        """
        made = cls.from_source(remote_path)
        made._key = file_cache_key or ""
        return made

    @classmethod
    def from_local(
        cls, local_path: LocalPath, remote_destination: LocalPath | None = None, hash_method: Any = None
    ) -> File[F]:
        """Make the handle of a local file.

        Args:
            local_path: Its path.
            remote_destination: URI to copy it to, now. Without it, it is stored under the hash of its content: now in a
                running task, which may remove its files afterwards, else when it is passed on.
            hash_method: The content's identity as text, or a function or `HashMethod` that computes it from the
                handle; the SHA-256 of the content if it is not given.

        Raises:
            ValueConversionError: There is no such file.
            StorageError: It cannot be written.
        """
        made = cls(local_path, remote_path=remote_destination)
        made._key = content_key(hash_method, made)
        if remote_destination is None and not in_attempt():
            return made
        storage = current_storage()
        return cls.from_blob(made.store(ConversionContext(storage)), storage)

    @classmethod
    def from_local_sync(
        cls, local_path: LocalPath, remote_destination: LocalPath | None = None, hash_method: Any = None
    ) -> File[F]:
        """Do what `from_local` does; the name in Flyte 2."""
        return cls.from_local(local_path, remote_destination, hash_method)

    @property
    def size(self) -> int | None:
        """Bytes, as known without asking any server."""
        if self._blob is not None or self._source:
            return super().size
        with contextlib.suppress(OSError):
            return Path(self.path).stat().st_size
        return None

    # --- reading and writing ---

    def open(
        self,
        mode: str = "rb",
        cache_type: str | None = None,
        cache_options: Mapping[str, Any] | None = None,
        block_size: int | None = None,
        compression: str | None = None,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> Opening:
        """Stream the file, without a local copy: ``with file.open() as stream``, or ``async with`` and awaited methods.

        A file that is written appears when the block ends, and not at all if it is left by an exception; its hash is
        computed on the way.

        Args:
            mode: ``r`` or ``w``, with ``b`` for bytes.
            cache_type: fsspec's read cache, as ``readahead``.
            cache_options: Options of the read cache.
            block_size: Bytes to fetch at once.
            compression: ``gzip``, ``bz2``, ``xz``, ``zstd`` and what else fsspec offers; ``infer`` to go by the name.
            encoding: Of text; UTF-8 if it is not given.
            errors: What to do with text that cannot be encoded or decoded, as for the built-in `open`.
            newline: How line ends are treated, as for the built-in `open`.

        Raises:
            StorageError: It does not exist, or may not be read or written.
            UsageError: The mode is not possible here.
        """
        options = {"cache_type": cache_type, "cache_options": cache_options, "block_size": block_size}
        text = {"encoding": encoding or "utf-8", "errors": errors, "newline": newline}
        return Opening(self._opened(mode, compression, options, text))

    @contextlib.contextmanager
    def _opened(
        self, mode: str, compression: str | None, options: Mapping[str, Any], text_options: Mapping[str, Any]
    ) -> Iterator[IO[Any]]:
        kind = _mode(mode, self)
        given = {key: value for key, value in options.items() if value is not None}
        raw = self._writer() if kind == "w" else self._reader(given)
        with raw as stream, _compressed(stream, compression, kind, self.name) as plain:
            if "b" in mode:
                yield plain
                return
            text = io.TextIOWrapper(plain, **text_options)
            try:
                yield text
            finally:
                if not text.closed:
                    text.detach()  # flushes; left alone, it would close the stream, which publishes half a file

    def open_sync(self, mode: str = "rb", **options: Any) -> contextlib.AbstractContextManager[IO[Any]]:
        """Do what `open` does; the name in Flyte 2."""
        return self.open(mode, **options)

    def open_async(self, mode: str = "rb", **options: Any) -> AsyncOpen:
        """Open as `open` does, for ``async with``; the stream's methods are awaited."""
        return AsyncOpen(self.open(mode, **options))

    def read_bytes(self) -> bytes:
        """Read all of it."""
        with self.open("rb") as stream:
            return cast("bytes", stream.read())

    def read_text(self, encoding: str = "utf-8") -> str:
        """Read all of it as text."""
        return self.read_bytes().decode(encoding)

    def _reader(self, options: dict[str, Any]) -> contextlib.AbstractContextManager[IO[bytes]]:
        self._materialise()
        if self._local or not self._source:
            self._require_content()
            return Path(self.path).open("rb")
        return self.storage.open(self._source, "rb", **options)

    @contextlib.contextmanager
    def _writer(self) -> Iterator[IO[bytes]]:
        if self._path and not self._source:
            path = Path(self.path)
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("wb") as stream:
                yield stream
            return
        if self._blob is not None and not self._new:
            raise UsageError(
                f"{self!r} was stored and never changes", hint="Write to a new one: File.new_remote_file(name)."
            )
        if self._alt and not self._source:
            self._source = self.path
        # Once it has a place of its own, other people may know it, so what is written again goes there again.
        own = "" if self._blob is not None and self._in_store(self._source) else self._source
        with self.storage.writer(name=self.name, uri=own, format=self.format) as writer:
            yield cast("IO[bytes]", writer)
        self._blob = msgspec.structs.replace(writer.blob, name=self.name, hash=self._key or writer.blob.hash)
        self._source, self._local = self._blob.uri, ""

    def download(self, local_path: LocalPath | None = None) -> str:
        """Have the file on this machine.

        Args:
            local_path: Where to put a copy that the caller may change: a path, or an existing folder.

        Returns:
            Without `local_path`, a path that is not to be written to: the file itself if it is on this machine, else
            a copy that lives as long as the process, both under the author's base name. Else `local_path`.

        Raises:
            StorageError: It does not exist or may not be read.
        """
        self._materialise()
        if local_path is not None:
            return AwaitableText(self._copy_to(os.fspath(local_path)))
        if not self._local:
            self._local = self._fetch()
        return AwaitableText(self._local)

    def _fetch(self) -> str:
        self._require_content()
        if not self._source:
            return absolute(self._path)
        direct = self.storage.local_path(self._source)
        if direct is None:
            target = scratch.new_folder() / self._local_name
            self.storage.download(self._source, str(target))
            return str(target)
        if not self._in_store(self._source) or Path(direct).name == self._local_name:
            return direct
        # A symbolic link works across file systems, which a hard link does not, and shows that it is not a copy.
        link = scratch.new_folder() / self._local_name
        link.symlink_to(direct)
        return str(link)

    def _copy_to(self, local_path: str) -> str:
        self._require_content()
        target = (
            Path(local_path) / self._local_name if local_path.endswith("/") or Path(local_path).is_dir() else local_path
        )
        Path(target).parent.mkdir(parents=True, exist_ok=True)
        if self._source:
            self.storage.download(self._source, str(Path(target).absolute()))
        else:
            with contextlib.suppress(shutil.SameFileError):
                shutil.copyfile(absolute(self._path), target)  # not the permissions: the caller may change the copy
        return str(target)

    def _require_content(self) -> None:
        if self._new and self._blob is None and not self._source:
            raise StorageError(f"nothing was written to {self!r} yet", hint='Write to it: with file.open("w") as f.')

    # --- storing ---

    def store(self, context: ConversionContext, format: str = "") -> Blob:
        """Have the file where it stays and return the literal.

        A local file is copied under the hash of its content, inputs and outputs alike: it may change or vanish while
        the run goes on, and what a literal says must stay true. ``remote_path=False`` is there for files that are too
        large for that.

        Args:
            context: Its storage takes the file.
            format: The format that is declared where the file goes; empty for any.

        Raises:
            ValueConversionError: There is no such file, or it is not of the format.
            StorageError: It cannot be read or written.
        """
        self._materialise()
        if (blob := self._stored(format)) is not None:
            return blob
        declared = self._agree(format)
        if self._source:
            return self._pass_on(context.storage, declared)
        if not self._path:
            raise ValueConversionError(
                f"nothing was written to {self!r}", hint='Write to it: with file.open("w") as f, and then return it.'
            )
        return self._put(context.storage, declared)

    def _pass_on(self, storage: Storage, format: str) -> Blob:
        if isinstance(self._remote, str):
            with storage.open(self._source, "rb") as stream:
                return self._copy(stream, storage, format)
        known = self._key or None
        local = storage.local_path(self._source)
        if known is None and (self._new or local is not None):
            known = storage.hash(self._source)
        size = storage.size(self._source) if local is not None else None
        return self._literal(self._source, known, size, format)

    def _put(self, storage: Storage, format: str) -> Blob:
        path = absolute(self._path)
        if Path(path).is_dir():
            raise ValueConversionError(f"expected a file, found the folder {path}", hint="Annotate it as Directory.")
        check_format(path, format)
        if self._remote is False:
            uri = uri_of(path)
            return self._literal(uri, self._key or storage.hash(uri), storage.size(uri), format)
        if self._remote is not None:
            with Path(path).open("rb") as stream:
                return self._copy(stream, storage, format)
        blob = storage.put_file(path, name=self.name, format=format, metadata=dict(self.metadata) or None)
        return msgspec.structs.replace(blob, hash=self._key) if self._key else blob

    def _copy(self, stream: IO[bytes], storage: Storage, format: str) -> Blob:
        """Copy a stream to the place that the author wants."""
        remote = str(self._remote)
        uri = uri_of(child_uri(remote, self.name) if remote.endswith("/") else remote)
        with storage.writer(name=self.name, uri=uri, format=format) as writer:
            shutil.copyfileobj(stream, writer, _CHUNK_BYTES)
        return self._literal(uri, self._key or writer.blob.hash, writer.blob.size, format)

    def _literal(self, uri: str, known: str | None, size: int | None, format: str) -> Blob:
        return Blob(uri, hash=known, size=size, format=format, name=self.name, metadata=dict(self.metadata))


def content_key(hash_method: Any, value: Any) -> str:
    """Return the content's identity that the author gave or computes; empty if there is none."""
    if hash_method is None:
        return ""
    if isinstance(hash_method, str):
        return hash_method
    calculate = getattr(hash_method, "calculate", hash_method)
    return str(calculate(value))


def _mode(mode: str, file: File[Any]) -> str:
    """Return ``r`` or ``w`` for a mode.

    Raises:
        UsageError: The mode is neither reading from the start nor writing anew.
    """
    letters = set(mode) - {"b", "t"}
    if letters == {"r"}:
        return "r"
    if letters == {"w"}:
        return "w"
    raise UsageError(
        f"cannot open {file!r} with mode {mode!r}: a file is read from its start or written anew",
        hint="Use r, rb, w or wb; to change a file, download it to a path of your own: file.download(path).",
    )


@contextlib.contextmanager
def _compressed(stream: IO[bytes], compression: str | None, kind: str, name: str) -> Iterator[IO[bytes]]:
    if compression == "infer":
        from fsspec.utils import infer_compression

        compression = infer_compression(name)
    if compression is None:
        yield stream
        return
    if compression == "gzip" and kind == "w":
        import gzip

        # Without name and time in its header: equal contents give equal bytes, and so equal hashes.
        with gzip.GzipFile(filename="", mode="wb", fileobj=stream, mtime=0) as plain:
            yield cast("IO[bytes]", plain)
        return
    from fsspec.compression import compr

    if compression not in compr:
        raise UsageError(
            f"unknown compression {compression!r}", hint=f"Known: {', '.join(sorted(k for k in compr if k))}."
        )
    with compr[compression](stream, mode=f"{kind}b") as plain:
        # Not every library's stream can be read by lines.
        yield cast("IO[bytes]", io.BufferedReader(plain)) if kind == "r" else plain
