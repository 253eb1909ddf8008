"""`Directory`: a folder of files, here or under a prefix of anything that storage reaches."""

from __future__ import annotations

import contextlib
import fnmatch
import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from alula_kernel.contracts import ConversionContext
from alula_kernel.errors import ValueConversionError
from alula_kernel.literals import Blob
from alula_kernel.uris import child_uri, path_of, scheme_of, uri_of

from .async_streams import AwaitableList, AwaitableText, EitherIterator, awaited_in_coroutines, in_thread
from .file import File, content_key
from .formats import F
from .handle import Handle, LocalPath, absolute
from .scratch import scratch
from .surroundings import current_storage, in_attempt

if TYPE_CHECKING:
    from alula_kernel.storage import Storage

_CHUNK_BYTES = 1024 * 1024


class BatchSize:
    """How many files of a directory are sent or fetched at once: ``Annotated[Directory, BatchSize(100)]``.

    It bounds memory and open connections where a protocol transfers files in parallel.

    Args:
        val: Number of files, at least 1.
    """

    def __init__(self, val: int) -> None:
        if val < 1:
            raise ValueConversionError(f"a batch has at least one file, found BatchSize({val})")
        self.val = val

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BatchSize) and self.val == other.val

    def __hash__(self) -> int:
        return hash((BatchSize, self.val))

    def __repr__(self) -> str:
        return f"BatchSize({self.val})"


class Entry(NamedTuple):
    """A file in a directory.

    Attributes:
        name: Its path below the directory, with ``/`` between the parts.
        place: Its local path or URI.
        size: Bytes, if known.
    """

    name: str
    place: str
    size: int | None


class Directory(Handle[F]):
    """A directory that is fetched, whole, when it is used as a path, and can be listed and read without that.

    ``Directory["csv"]`` in an annotation declares the format of the files in it.

    Args:
        path: A local path, or a URI prefix, which is passed on without being copied.
        downloader: Called once, before the data is first needed, to put it at `path`.
        remote_directory: URI prefix where a local directory is to be stored; None to store it under the hash of its
            content; False never to copy it, in which case it must not change as long as anybody may read it.
        metadata: Free text that travels with the value.

    Attributes:
        batch_size: Files to transfer at once; None for as many as the storage likes.

    Example:
        >>> def split(data: Directory) -> Directory:
        ...     out = Directory.new_remote("parts")
        ...     for file in data.list_files():
        ...         with file.open("r") as source, out.new_file(file.name).open("w") as target:
        ...             target.write(source.read().upper())
        ...     return out
    """

    _directory = True

    def __init__(
        self,
        path: LocalPath,
        downloader: Callable[[], Any] | None = None,
        remote_directory: LocalPath | bool | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(path, downloader, remote_directory, metadata)
        self.batch_size: int | None = None
        self._written: dict[str, File[Any]] = {}

    # --- making one ---

    @classmethod
    def new(cls, dirname: LocalPath) -> Directory[F]:
        """Make a new local directory, in a folder of its own that lives as long as the process."""
        path = scratch.new_folder() / dirname
        path.mkdir(parents=True)
        return cls(path)

    @classmethod
    def new_remote(
        cls, stem: str | None = None, alt: LocalPath | None = None, *, hash: str | None = None
    ) -> Directory[F]:
        """Make the handle of a new directory whose files are streamed to storage, without local copies.

        Args:
            stem: Its base name.
            alt: URI prefix to use instead of the application's storage.
            hash: The content's identity, if it shall not be computed from the files.
        """
        made = cls._reserve(stem or "directory", alt=alt)
        made._key = hash or ""
        return made

    @classmethod
    def empty(cls) -> Directory[F]:
        """Make a directory without files."""
        return cls.new("empty")

    @classmethod
    def from_existing_remote(cls, remote_path: LocalPath, dir_cache_key: str | None = None) -> Directory[F]:
        """Make the handle of a directory that exists and is passed on without being copied.

        Args:
            remote_path: Its URI prefix.
            dir_cache_key: The content's identity; without it, the URI stands for the content.
        """
        made = cls.from_source(remote_path)
        made._key = dir_cache_key or ""
        return made

    @classmethod
    def from_local(
        cls,
        local_path: LocalPath,
        remote_destination: LocalPath | None = None,
        dir_cache_key: Any = None,
        batch_size: int | None = None,
    ) -> Directory[F]:
        """Make the handle of a local directory.

        Args:
            local_path: Its path.
            remote_destination: URI prefix to copy it to, now. Without it, it is stored under the hash of its content:
                now in a running task, which may remove its files afterwards, else when it is passed on.
            dir_cache_key: The content's identity as text, or a function or `HashMethod` that computes it.
            batch_size: Files to transfer at once.

        Raises:
            ValueConversionError: There is no such directory.
            StorageError: It cannot be written.
        """
        made = cls(local_path, remote_directory=remote_destination)
        made.batch_size = batch_size
        made._key = content_key(dir_cache_key, made)
        if remote_destination is None and not in_attempt():
            return made
        storage = current_storage()
        return cls.from_blob(made.store(ConversionContext(storage)), storage)

    @classmethod
    def from_local_sync(
        cls,
        local_path: LocalPath,
        remote_destination: LocalPath | None = None,
        dir_cache_key: Any = None,
        batch_size: int | None = None,
    ) -> Directory[F]:
        """Do what `from_local` does; the name in Flyte 2."""
        return cls.from_local(local_path, remote_destination, dir_cache_key, batch_size)

    @property
    def sep(self) -> str:
        """What stands between the parts of its path: that of this machine's paths, or the slash of URIs."""
        return os.sep if self._is_local() else "/"

    @property
    def remote_directory(self) -> str | bool | None:
        """Where the author wants it stored; None for wherever Alula does, False to leave it where it is."""
        return self._remote

    # --- what is in it ---

    def entries(self) -> Iterator[Entry]:
        """Yield every file in it, at any depth, sorted by name, without fetching any.

        Raises:
            StorageError: It cannot be listed, as over HTTP.
        """
        self._materialise()
        if self._local or not self._source:
            from alula_kernel.local_files import folder_files

            if not self._source and not self._path:
                return
            for file in folder_files(absolute(self._local or self._path)):
                yield Entry(file.name, file.path, Path(file.path).stat().st_size)
            return
        found = [Entry(_below(self._source, i.uri), i.uri, i.size) for i in self.storage.list(self._source)]
        yield from sorted(found)

    @classmethod
    def listdir(cls, directory: Directory[Any]) -> list[Directory[Any] | File[Any]]:
        """List what is directly in a directory, as handles that fetch nothing until they are used."""
        children: dict[str, Directory[Any] | File[Any]] = {}
        for entry in directory.entries():
            first, _, rest = entry.name.partition("/")
            if rest:
                children.setdefault(first, directory.new_dir(first))
            else:
                children[first] = directory._file(entry)
        return list(children.values())

    def walk(
        self, recursive: bool = True, max_depth: int | None = None, file_pattern: str = "*"
    ) -> EitherIterator[File[Any]]:
        """Yield its files as handles that fetch nothing until they are used, sorted by name; for `for` and `async for`.

        Args:
            recursive: Whether to go below the first level.
            max_depth: Levels to go into; 1 for the files directly in it.
            file_pattern: Shell pattern that base names must match.
        """
        return EitherIterator(self._walked(1 if not recursive else max_depth, file_pattern))

    def _walked(self, depth: int | None, file_pattern: str) -> Iterator[File[Any]]:
        for entry in self.entries():
            levels = entry.name.count("/") + 1
            if (depth is None or levels <= depth) and fnmatch.fnmatchcase(entry.name.rsplit("/", 1)[-1], file_pattern):
                yield self._file(entry)

    def walk_sync(
        self, recursive: bool = True, file_pattern: str = "*", max_depth: int | None = None
    ) -> Iterator[File[Any]]:
        """Do what `walk` does; the name and order of arguments in Flyte 2."""
        return self.walk(recursive, max_depth, file_pattern)

    async def walk_async(self, recursive: bool = True, max_depth: int | None = None) -> AsyncIterator[File[Any]]:
        """Do what `walk` does; it is listed in a thread."""
        for file in await in_thread(lambda: list(self.walk(recursive, max_depth))):
            yield file

    def list_files(self) -> list[File[Any]]:
        """List the files directly in it; the list may also be awaited."""
        return AwaitableList(self.walk(recursive=False))

    def list_files_sync(self) -> list[File[Any]]:
        """Do what `list_files` does; the name in Flyte 2."""
        return self.list_files()

    async def list_files_async(self) -> list[File[Any]]:
        """Do what `list_files` does, in a thread."""
        return await in_thread(self.list_files)

    @awaited_in_coroutines
    def get_file(self, file_name: str) -> File[Any] | None:
        """Return the file of a name below it, or None if there is none; awaited in coroutine functions."""
        return next((self._file(entry) for entry in self.entries() if entry.name == file_name), None)

    def get_file_sync(self, file_name: str) -> File[Any] | None:
        """Do what `get_file` does without being awaited, in coroutine functions as well."""
        found: File[Any] | None = self.get_file(file_name)
        return found

    def crawl(
        self, maxdepth: int | None = None, topdown: bool = True, detail: bool = False
    ) -> Iterator[tuple[str, str] | tuple[str, dict[str, dict[str, Any]]]]:
        """Yield the directory's own path and the relative path of each file in it, without fetching any.

        Args:
            maxdepth: Levels to go into; 1 for the files directly in it.
            topdown: Whether files of higher levels come first.
            detail: Whether to yield, instead of a relative path, a dictionary from it to ``name``, ``size``, ``type``.
        """
        found = [entry for entry in self.entries() if maxdepth is None or entry.name.count("/") < maxdepth]
        sign = 1 if topdown else -1
        for entry in sorted(found, key=lambda entry: (sign * entry.name.count("/"), entry.name)):
            if detail:
                yield self.path, {entry.name: {"name": entry.place, "size": entry.size, "type": "file"}}
            else:
                yield self.path, entry.name

    def is_empty(self) -> bool:
        """Tell whether there is no file in it."""
        return next(self.entries(), None) is None

    @property
    def size(self) -> int | None:
        """Bytes of all files, as known without asking any server."""
        return super().size

    # --- children ---

    def new_file(self, name: str | None = None) -> File[Any]:
        """Make the handle of a new file in it.

        Args:
            name: Its path below the directory; one that nobody uses if it is not given.
        """
        name = _inside(name or f"file-{os.urandom(8).hex()}")
        if self._is_local():
            return File(f"{absolute(self._path)}/{name}")
        self._require_changeable()
        file: File[Any] = File._reserve(name.rsplit("/", 1)[-1], uri=child_uri(self._place(), name))
        file._storage = self._storage
        self._written[name] = file
        return file

    def new_dir(self, name: str | None = None) -> Directory[Any]:
        """Make the handle of a directory in it, which exists as soon as there is a file in that.

        Args:
            name: Its path below the directory; one that nobody uses if it is not given.
        """
        name = _inside(name or f"directory-{os.urandom(8).hex()}")
        if self._is_local():
            path = Path(absolute(self._path)) / name
            path.mkdir(parents=True, exist_ok=True)
            return Directory(path)
        made: Directory[Any] = Directory.from_source(child_uri(self._place(), name))
        made._storage = self._storage
        made._new = self._new
        return made

    def __truediv__(self, name: str) -> Directory[Any] | File[Any]:
        """Return the handle of what has a name in it; of a new file, if nothing has and the name has a suffix."""
        name = _inside(name)
        if self._is_local():
            path = Path(absolute(self._path)) / name
            return Directory(path) if path.is_dir() or not (path.exists() or path.suffix) else File(path)
        uri = child_uri(self._place(), name)
        first = next(iter(self.storage.list(uri)), None)
        if first is not None and first.uri != uri:
            return self.new_dir(name)
        if first is not None or self.storage.exists(uri):
            return self._file(Entry(name, uri, first.size if first else None))
        return self.new_file(name) if Path(name).suffix else self.new_dir(name)

    def _file(self, entry: Entry) -> File[Any]:
        file: File[Any] = File(entry.place) if self._is_local() or self._local else File.from_source(entry.place)
        file._storage = self._storage
        file.name = entry.name.rsplit("/", 1)[-1]
        file.format = self.format
        return file

    def _is_local(self) -> bool:
        return bool(self._path) and not self._source

    def _place(self) -> str:
        """Return the URI prefix of its files, which is chosen now if it is new."""
        if not self._source:
            assert self.path
        return self._source

    def _require_changeable(self) -> None:
        if self._blob is not None and not self._new:
            from alula_kernel.errors import UsageError

            raise UsageError(
                f"{self!r} was stored and never changes",
                hint="Write to a new one (Directory.new_remote), or download it to a path of your own.",
            )

    # --- fetching ---

    def download(self, local_path: LocalPath | None = None) -> str:
        """Have all of it on this machine.

        Args:
            local_path: Folder to put copies into that the caller may change.

        Returns:
            Without `local_path`, a folder that lives as long as the process. Files may be added to it; those in it are
            not to be written to. Else `local_path`.

        Raises:
            StorageError: It does not exist or may not be read.
        """
        self._materialise()
        if local_path is not None:
            target = Path(local_path).absolute()
            target.mkdir(parents=True, exist_ok=True)
            self._copy_files(target)
            return AwaitableText(os.fspath(local_path))
        if not self._local:
            self._local = self._fetch()
        return AwaitableText(self._local)

    def _fetch(self) -> str:
        if self._is_local():
            return absolute(self._path)
        direct = self.storage.local_path(self._source) if self._source else None
        if direct is not None and not self._in_store(self._source):
            return direct
        target = scratch.new_folder() / self._local_name
        target.mkdir()
        if direct is None:
            self._copy_files(target)
        elif Path(direct).is_dir():
            # Not the stored folder itself: whoever adds a file to that would change what its hash stands for. Not
            # symbolic links either, because they lead out of the folder and so could not be stored again.
            shutil.copytree(direct, target, copy_function=_link, dirs_exist_ok=True)
        return str(target)

    def _copy_files(self, target: Path) -> None:
        if self._is_local():
            shutil.copytree(absolute(self._path), target, copy_function=shutil.copyfile, dirs_exist_ok=True)
        elif self._source:
            self.storage.download_directory(self._source, str(target), batch_size=self.batch_size)

    # --- storing ---

    def store(self, context: ConversionContext, format: str = "", batch_size: int | None = None) -> Blob:
        """Have the directory where it stays and return the literal.

        Args:
            context: Its storage takes the files.
            format: The format that is declared where the directory goes; empty for any.
            batch_size: Files to transfer at once; None for what the storage thinks best.

        Raises:
            ValueConversionError: There is no such directory.
            StorageError: It cannot be read or written.
        """
        self._materialise()
        self.batch_size = batch_size or self.batch_size
        if not self._written and (blob := self._stored(format)) is not None:
            return blob
        declared = self._agree(format)
        if not self._source and not self._path:  # new, and nothing was written to it
            return self._put(context.storage, declared, str(scratch.new_folder()))
        if self._source:
            return self._pass_on(context.storage, declared)
        path = absolute(self._path)
        if not Path(path).is_dir():
            raise ValueConversionError(f"expected a folder, found the file {path}", hint="Annotate it as File.")
        return self._put(context.storage, declared, path)

    def _pass_on(self, storage: Storage, format: str) -> Blob:
        if isinstance(self._remote, str):
            return self._copy(storage, format)
        known = self._key or None
        if known is None and (self._new or storage.local_path(self._source) is not None):
            known = self._content_hash(storage)
        return self._literal(self._source, known, format)

    def _put(self, storage: Storage, format: str, path: str) -> Blob:
        if self._remote is False:
            return self._literal(uri_of(path), self._key or self._content_hash(storage), format)
        if self._remote is not None:
            return self._copy(storage, format)
        blob = storage.put_directory(path, name=self.name, format=format, batch_size=self.batch_size)
        return msgspec.structs.replace(blob, hash=self._key or blob.hash, metadata=dict(self.metadata))

    def _content_hash(self, storage: Storage) -> str:
        """Return the hash that storage would give the files if it took them."""
        from alula_kernel.content import folder_hash

        # What was written by a handle was hashed on the way, and need not be read again.
        known = {name: file.blob.hash for name, file in self._written.items() if file.blob is not None}
        return folder_hash((e.name, known.get(e.name) or storage.hash(uri_of(e.place))) for e in self.entries())

    def _copy(self, storage: Storage, format: str) -> Blob:
        """Copy every file to the place that the author wants."""
        from alula_kernel.content import folder_hash

        prefix = uri_of(str(self._remote))
        hashes = []
        for entry in self.entries():
            with (
                storage.open(uri_of(entry.place), "rb") as source,
                storage.writer(name=entry.name, uri=child_uri(prefix, entry.name)) as target,
            ):
                shutil.copyfileobj(source, target, _CHUNK_BYTES)
            hashes.append((entry.name, target.blob.hash or ""))
        return self._literal(prefix, self._key or folder_hash(hashes), format)

    def _literal(self, uri: str, known: str | None, format: str) -> Blob:
        metadata = dict(self.metadata)
        return Blob(uri, hash=known, format=format, directory=True, name=self.name, metadata=metadata)


Dir = Directory
"""The name in Flyte 2."""


def _below(prefix: str, uri: str) -> str:
    """Return the name of an object below a prefix, decoded."""
    if scheme_of(uri) == "file":
        return os.path.relpath(path_of(uri), path_of(prefix))
    name = uri[len(prefix.rstrip("/")) + 1 :]
    if scheme_of(uri) in {"http", "https"}:
        from urllib.parse import unquote

        return unquote(name)
    return name


def _inside(name: str) -> str:
    """Return a relative path without slashes at its ends.

    Raises:
        ValueConversionError: It leads out of the directory.
    """
    parts = [part for part in name.split("/") if part not in {"", "."}]
    if not parts or ".." in parts or name.startswith("/"):
        raise ValueConversionError(f"{name!r} does not name something inside a directory")
    return "/".join(parts)


def _link(source: str, target: str) -> None:
    """Have a read-only file at another place, without a copy where the file system allows."""
    with contextlib.suppress(OSError):
        os.link(source, target)
        return
    shutil.copyfile(source, target)  # another file system
