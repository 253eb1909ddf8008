"""The blob backends that come with the kernel: local files, memory, and every protocol that fsspec knows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...contracts import BlobBackend
from .file import FileBackend
from .memory import MemoryBackend
from .remote import FsspecBackend

__all__ = ["FileBackend", "FsspecBackend", "MemoryBackend", "builtin_backends"]


def builtin_backends(options: Mapping[str, Mapping[str, Any]] | None = None) -> list[BlobBackend]:
    """Return a new set of the built-in backends, with an empty memory.

    Args:
        options: Storage options of fsspec by protocol, as ``{"s3": {"endpoint_url": "http://localhost:9000"}}``.
    """
    return [FileBackend(), MemoryBackend(), FsspecBackend(options)]
