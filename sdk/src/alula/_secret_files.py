"""Secrets as files: folders in memory that go with the attempt they are for, however it ends."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ._leftovers import own_prefix, remove_leftovers

if TYPE_CHECKING:
    from pathlib import Path

_PREFIX = "alula-secrets-"
_MEMORY = "/dev/shm"


@contextlib.contextmanager
def private_folder() -> Iterator[Path]:
    """Make a folder that only this user can look into, in memory where the system has such a place."""
    import shutil
    import tempfile
    from pathlib import Path

    remove_secret_files()
    folder = Path(tempfile.mkdtemp(prefix=own_prefix(_PREFIX), dir=_place()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_private(path: Path, value: bytes) -> None:
    """Write a file in a private folder, which only this user can read and nobody can change."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "wb") as file:
        file.write(value)


def remove_secret_files() -> None:
    """Remove what processes of this user's that are gone have left."""
    remove_leftovers(_place(), _PREFIX)


def _place() -> str:
    if os.access(_MEMORY, os.W_OK):
        return _MEMORY
    import tempfile

    return tempfile.gettempdir()
