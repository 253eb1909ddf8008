"""``flyte.storage``: reading and writing URIs with fsspec, whose own settings say how to get at them."""

from __future__ import annotations

import builtins
import os
import tempfile
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import fsspec

import alula
from alula.adapting import WithAio

_CHUNK_BYTES = 10 * 2**20


@dataclass(init=False)
class Storage:
    """How a storage is reached: it is not looked at, as fsspec's own settings and environment variables say so.

    Args:
        fields: What is said of it.
    """

    def __init__(self, **fields: Any) -> None:
        self.__dict__.update(fields)

    @classmethod
    def auto(cls, **fields: Any) -> Any:
        """Return one of which nothing is known."""
        return cls(**fields)

    @classmethod
    def for_sandbox(cls) -> Any:
        """Return one of which nothing is known."""
        return cls()


class S3(Storage):
    """Amazon's object storage, and its like."""


class GCS(Storage):
    """Google's object storage."""


class ABFS(Storage):
    """Microsoft's object storage."""


def is_remote(path: Path | str) -> bool:
    """Tell whether a path is a URI of something else than a local file."""
    scheme, found, _ = os.fspath(path).partition("://")
    return bool(found) and scheme != "file"


def join(*paths: str) -> str:
    """Join parts of a path or URI."""
    return "/".join(part.strip("/") if number else part.rstrip("/") for number, part in enumerate(paths))


def get_random_local_path(file_path_or_file_name: Path | str | None = None) -> Path:
    """Return a path in a new temporary folder, with the name given."""
    name = Path(file_path_or_file_name).name if file_path_or_file_name else uuid.uuid4().hex
    return get_random_local_directory() / name


def get_random_local_directory() -> Path:
    """Return a new folder, removed when the process ends."""
    return Path(tempfile.mkdtemp(dir=alula.current_context().working_directory))


def get_configured_fsspec_kwargs(protocol: str | None = None, anonymous: bool = False) -> dict[str, Any]:
    """Return what fsspec is to be told: whether to be anonymous, and nothing else."""
    return {"anon": True} if anonymous else {}


def get_underlying_filesystem(
    protocol: str | None = None, anonymous: bool = False, path: str | None = None, **kwargs: Any
) -> Any:
    """Return the file system of a protocol or path."""
    scheme = protocol or (path.partition("://")[0] if path and "://" in path else "file")
    return fsspec.filesystem(scheme, **get_configured_fsspec_kwargs(scheme, anonymous), **kwargs)


def exists_sync(path: str, **kwargs: Any) -> bool:
    """Tell whether there is something at a path or URI."""
    system, inner = fsspec.core.url_to_fs(path, **kwargs)
    return bool(system.exists(inner))


async def exists(path: str, **kwargs: Any) -> bool:
    """Tell whether there is something at a path or URI."""
    return await WithAio(exists_sync).aio(path, **kwargs)


async def get(from_path: str, to_path: Path | str | None = None, recursive: bool = False, **kwargs: Any) -> str:
    """Copy what is at a path or URI to a local path, and return that."""
    target = os.fspath(to_path or get_random_local_path(from_path))
    system, inner = fsspec.core.url_to_fs(from_path, **kwargs)
    await WithAio(system.get).aio(inner, target, recursive=recursive)
    return target


async def put(from_path: str, to_path: str | None = None, recursive: bool = False, **kwargs: Any) -> str:
    """Copy a local file or folder to a path or URI, and return that."""
    target = to_path or os.fspath(get_random_local_path(from_path))
    system, inner = fsspec.core.url_to_fs(target, **kwargs)
    await WithAio(system.put).aio(from_path, inner, recursive=recursive)
    return target


async def put_stream(data: Any, *, name: str | None = None, to_path: str | None = None, **kwargs: Any) -> str:
    """Write bytes, or an asynchronous iterator of them, to a path or URI, and return that."""
    target = to_path or os.fspath(get_random_local_path(name))
    with fsspec.open(target, "wb", **kwargs) as stream:
        if isinstance(data, builtins.bytes):
            stream.write(data)
        else:
            async for part in data:
                stream.write(part)
    return target


async def get_stream(path: str, chunk_size: int = _CHUNK_BYTES, **kwargs: Any) -> AsyncIterator[bytes]:
    """Read what is at a path or URI, part by part."""
    with fsspec.open(path, "rb", **kwargs) as stream:
        while part := stream.read(chunk_size):
            yield part


async def open(path: str, mode: str = "rb", **kwargs: Any) -> Any:  # noqa: A001 - Flyte's name
    """Open what is at a path or URI; reading and writing are awaited."""
    return _Awaited(fsspec.open(path, mode, **kwargs).open())


class _Awaited:
    """A file whose methods are awaited."""

    def __init__(self, stream: IO[Any]) -> None:
        self._stream = stream

    async def read(self, size: int = -1) -> Any:
        """Read."""
        return self._stream.read(size)

    async def write(self, data: Any) -> int:
        """Write."""
        return self._stream.write(data)

    async def close(self) -> None:
        """Close the file."""
        self._stream.close()

    async def __aenter__(self) -> _Awaited:
        return self

    async def __aexit__(self, *_ended: object) -> None:
        self._stream.close()
