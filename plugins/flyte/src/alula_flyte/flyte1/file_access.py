"""``ctx.file_access``: files of the running task, here and where data is stored."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import uuid
from pathlib import Path
from typing import IO, Any

import alula
from alula_kernel.storage import Storage
from alula_kernel.uris import child_uri, is_uri, path_of, scheme_of, uri_of

from .storage_options import storage_options


class FileAccessProvider:
    """Moves files between this machine and the place where Alula stores data.

    Args:
        local_sandbox_dir: Folder for files of its own; a new one if not given.
        raw_output_prefix: URI under which it makes places; Alula's own if not given.
        data_config: Not looked at.
    """

    def __init__(
        self,
        local_sandbox_dir: str | os.PathLike[str] | None = None,
        raw_output_prefix: str | None = None,
        data_config: Any = None,
    ) -> None:
        self.local_sandbox_dir = os.fspath(
            local_sandbox_dir or tempfile.mkdtemp(dir=alula.current_context().working_directory)
        )
        self._prefix = raw_output_prefix
        self.data_config = data_config

    @property
    def _storage(self) -> Storage:
        running = alula.ctx()
        return running.conversion.storage if running is not None else alula.current_app().conversion.storage

    @property
    def raw_output_prefix(self) -> str:
        """URI under which it makes places."""
        return self.join(self._prefix or child_uri(self._storage.root, "new"), "")

    # --- places ---

    @staticmethod
    def get_random_string() -> str:
        """Return a text that nobody else has."""
        return uuid.uuid4().hex

    @staticmethod
    def is_remote(path: str | os.PathLike[str]) -> bool:
        """Tell whether a path is a URI of another place than this machine."""
        return is_uri(os.fspath(path)) and scheme_of(os.fspath(path)) != "file"

    @staticmethod
    def get_file_tail(file_path_or_file_name: str) -> str:
        """Return the base name."""
        return file_path_or_file_name.rstrip("/").rpartition("/")[2]

    def join(self, *args: str, **_options: Any) -> str:
        """Join parts of a path."""
        return "/".join([args[0].rstrip("/"), *(part.strip("/") for part in args[1:])])

    def get_random_local_path(self, file_path_or_file_name: str | None = None) -> str:
        """Return a path on this machine that nobody uses, ending in the base name that is given."""
        tail = [self.get_file_tail(file_path_or_file_name)] if file_path_or_file_name else []
        folder = Path(self.local_sandbox_dir, self.get_random_string(), *tail)
        folder.parent.mkdir(parents=True, exist_ok=True)
        return str(folder)

    def get_random_local_directory(self) -> str:
        """Make a folder on this machine."""
        folder = self.get_random_local_path()
        Path(folder).mkdir(parents=True)
        return folder

    def get_random_remote_path(self, file_path_or_file_name: str | None = None) -> str:
        """Return a place where data is stored that nobody uses, ending in the base name that is given."""
        place = child_uri(uri_of(self.raw_output_prefix), self.get_random_string())
        place = child_uri(place, self.get_file_tail(file_path_or_file_name)) if file_path_or_file_name else place
        return path_of(place) if scheme_of(place) == "file" else place

    def get_random_remote_directory(self) -> str:
        """Return a place for a folder where data is stored."""
        return self.get_random_remote_path()

    def generate_new_custom_path(self, fs: Any = None, alt: str | None = None, stem: str | None = None) -> str:
        """Return a place in another bucket, under a name of the program's own.

        Args:
            fs: Not looked at.
            alt: The bucket; that of `raw_output_prefix` if not given.
            stem: The name; one that nobody else has if not given.
        """
        scheme, separator, rest = self.raw_output_prefix.rpartition("://")
        bucket, _, folder = rest.partition("/")
        return self.join(f"{scheme}{separator}{alt or bucket}", folder, stem or self.get_random_string())

    def exists(self, path: str) -> bool:
        """Tell whether there is anything."""
        return self._storage.exists(uri_of(path))

    def get_filesystem_for_path(self, path: str = "", anonymous: bool = False, **options: Any) -> Any:
        """Return the file system of `fsspec` that a path is on."""
        return self.get_filesystem(scheme_of(uri_of(path or self.local_sandbox_dir)), anonymous, **options)

    def get_filesystem(self, protocol: str | None = None, anonymous: bool = False, **options: Any) -> Any:
        """Return a file system of `fsspec` by its name; that of `raw_output_prefix` if not given."""
        import fsspec

        protocol = protocol or scheme_of(uri_of(self.raw_output_prefix))
        return fsspec.filesystem(protocol, **{**storage_options(protocol, anonymous), **options})

    # --- moving ---

    def put_data(
        self, local_path: str | os.PathLike[str], remote_path: str, is_multipart: bool = False, **_options: Any
    ) -> str:
        """Copy a file, or a folder, to where data is stored; return the place."""
        source = path_of(os.fspath(local_path))
        if is_multipart or os.path.isdir(source):
            for found in sorted(Path(source).rglob("*")):
                if found.is_file():
                    self._put_file(str(found), child_uri(uri_of(remote_path), found.relative_to(source).as_posix()))
        else:
            self._put_file(source, uri_of(remote_path))
        return remote_path

    def _put_file(self, source: str, uri: str) -> None:
        with open(source, "rb") as content, self._storage.writer(uri=uri) as target:
            shutil.copyfileobj(content, target)

    def get_data(
        self, remote_path: str, local_path: str | os.PathLike[str], is_multipart: bool = False, **_options: Any
    ) -> str:
        """Copy a file, or a folder, to this machine; return its path."""
        target = os.path.abspath(os.fspath(local_path))
        if is_multipart and self._is_file(uri_of(remote_path)):
            # Flyte stores a data frame as a folder with files, Alula as a file.
            Path(target).mkdir(parents=True, exist_ok=True)
            self._storage.download(uri_of(remote_path), str(Path(target, "00000")))
        elif is_multipart:
            self._storage.download_directory(uri_of(remote_path), target)
        else:
            Path(target).parent.mkdir(parents=True, exist_ok=True)
            self._storage.download(uri_of(remote_path), target)
        return target

    def _is_file(self, uri: str) -> bool:
        local = self._storage.local_path(uri)
        if local is not None:
            return os.path.isfile(local)
        return self._storage.exists(uri) and not any(True for _ in self._storage.list(f"{uri.rstrip('/')}/"))

    def put_raw_data(
        self,
        lpath: str | os.PathLike[str] | bytes | IO[bytes] | IO[str],
        upload_prefix: str | None = None,
        file_name: str | None = None,
        read_chunk_size_bytes: int = 1024,
        encoding: str = "utf-8",
        skip_raw_data_prefix: bool = False,
        **_options: Any,
    ) -> str:
        """Store a file, a folder, bytes or a stream where data is stored; return the place.

        Args:
            lpath: What is stored.
            upload_prefix: Folder of the place; one that nobody else has if not given.
            file_name: Last part of the place; the base name of a path, or one that nobody else has, if not given.
            read_chunk_size_bytes: Not looked at.
            encoding: How text of a stream is encoded.
            skip_raw_data_prefix: Whether the folder is the whole one, and not below `raw_output_prefix`.
        """
        is_path = isinstance(lpath, (str, os.PathLike))
        folder = upload_prefix or self.get_random_string()
        name = file_name or (self.get_file_tail(os.fspath(lpath)) if is_path else self.get_random_string())  # type: ignore[arg-type]
        place = self.join(*([] if skip_raw_data_prefix else [self.raw_output_prefix]), folder, name)
        if isinstance(lpath, (str, os.PathLike)):
            return self.put_data(lpath, place)
        content: Any = lpath if isinstance(lpath, bytes) else lpath.read()
        with self._storage.writer(uri=uri_of(place)) as target:
            target.write(content.encode(encoding) if isinstance(content, str) else content)
        return place

    async def async_put_raw_data(self, lpath: Any, **options: Any) -> str:
        """Do what `put_raw_data` does, in a thread."""
        return await asyncio.to_thread(self.put_raw_data, lpath, **options)

    def upload(self, file_path: str, to_path: str, **options: Any) -> str:
        """Copy a file to where data is stored."""
        return self.put_data(file_path, to_path, **options)

    def upload_directory(self, local_path: str, remote_path: str, **options: Any) -> str:
        """Copy a folder to where data is stored."""
        return self.put_data(local_path, remote_path, is_multipart=True, **options)

    def download(self, remote_path: str, local_path: str, **options: Any) -> str:
        """Copy a file to this machine."""
        return self.get_data(remote_path, local_path, **options)

    def download_directory(self, remote_path: str, local_path: str, **options: Any) -> str:
        """Copy a folder to this machine."""
        return self.get_data(remote_path, local_path, is_multipart=True, **options)
