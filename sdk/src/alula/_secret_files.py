"""Secrets as files: folders in memory that go with the attempt they are for, however it ends."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from alula_kernel.processes import ProcessId

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

    remove_leftovers()
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=_place()))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_private(path: Path, value: bytes) -> None:
    """Write a file in a private folder, which only this user can read and nobody can change."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400), "wb") as file:
        file.write(value)


def remove_leftovers() -> None:
    """Remove what processes of this user's that are gone have left."""
    place = _place()
    for name in os.listdir(place):
        if name.startswith(_PREFIX):
            pid = name.removeprefix(_PREFIX).partition("-")[0]
            if pid.isdecimal() and _is_gone(int(pid)):
                _remove(f"{place}/{name}")


def _place() -> str:
    if os.access(_MEMORY, os.W_OK):
        return _MEMORY
    import tempfile

    return tempfile.gettempdir()


def _is_gone(pid: int) -> bool:
    """Tell whether there is no such process, or one that has ended already."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # another user's has that number now
        return False
    return not ProcessId.of(pid).alive


def _remove(path: str) -> None:
    import shutil

    try:
        if os.stat(path).st_uid == os.getuid():
            shutil.rmtree(path, ignore_errors=True)
    except FileNotFoundError:
        pass
