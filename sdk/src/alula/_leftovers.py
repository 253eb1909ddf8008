"""Folders of a process that go with it: if it was killed, another process removes them."""

from __future__ import annotations

import functools
import os
from typing import TYPE_CHECKING

from alula_kernel.processes import ProcessId

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

_WORKING = "alula-work-"


def working_folder() -> TemporaryDirectory[str]:
    """Make a folder for the files of a task, to be removed with its attempt."""
    import tempfile

    _remove_working_folders_once()
    return tempfile.TemporaryDirectory(prefix=own_prefix(_WORKING))


def remove_working_folders() -> None:
    """Remove those that processes of this user's have left which are gone."""
    import tempfile

    remove_leftovers(tempfile.gettempdir(), _WORKING)


@functools.cache
def _remove_working_folders_once() -> None:
    remove_working_folders()


def own_prefix(prefix: str) -> str:
    """Return how the name of a folder of this process begins, by which others see whose it is."""
    return f"{prefix}{os.getpid()}-"


def remove_leftovers(place: str, prefix: str) -> None:
    """Remove the folders that processes of this user's have left which are gone.

    Args:
        place: Where the folders are.
        prefix: What all their names begin with.
    """
    for name in os.listdir(place):
        if name.startswith(prefix):
            pid = name.removeprefix(prefix).partition("-")[0]
            if pid.isdecimal() and _is_gone(int(pid)):
                _remove(f"{place}/{name}")


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
