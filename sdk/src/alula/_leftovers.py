"""Folders of a process that go with it: if it was killed, another process removes them."""

from __future__ import annotations

import os

from alula_kernel.processes import ProcessId


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
