"""What SQLite files of one machine need beside SQLite: several processes that replace a file, and processes that fork."""

from __future__ import annotations

import functools
import os
import threading
import weakref
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Protocol


def inode_of(path: str) -> int:
    """Tell the file at a path from one that takes its place later; 0 if there is none."""
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return 0


@contextmanager
def between_processes(path: str) -> Iterator[None]:
    """Let one process at a time open, create or replace the file.

    SQLite finds the log of a database by its name: who read a file for the first time while another took its place would
    see the log of that other one. In a folder that cannot be written nobody replaces it.
    """
    import fcntl

    with ExitStack() as stack:
        with suppress(OSError):
            fcntl.flock(stack.enter_context(open(f"{path}.lock", "wb")), fcntl.LOCK_EX)
        yield


def put_aside(path: str, opened: int, label: str) -> str:
    """Rename a database, so that it can be looked at, and leave the place free for a fresh one.

    Another process may have done so already; then the file at the path is not the one that this process has open.

    Args:
        path: The file; nothing of this process has it open any more.
        opened: `inode_of` the file that is meant; 0 if that is not known.
        label: Put behind the name, as ``corrupt``, with a number.

    Returns:
        Its new path; empty if there was nothing to rename.
    """
    with between_processes(path):
        inode = inode_of(path)
        if inode == 0 or opened not in {0, inode}:
            return ""
        number = next(n for n in range(1, 1_000_000) if not os.path.exists(f"{path}.{label}-{n}"))
        aside = f"{path}.{label}-{number}"
        os.rename(path, aside)
        for suffix in ("-wal", "-shm"):
            if os.path.exists(f"{path}{suffix}"):
                os.rename(f"{path}{suffix}", f"{aside}{suffix}")
    return aside


class Forkable(Protocol):
    """What holds a connection to a database and a lock around it."""

    def before_fork(self) -> None:
        """Wait until no thread is inside the database, and keep it so: a lock of SQLite's would stay locked in the child."""

    def after_fork_in_parent(self) -> None:
        """Let other threads go on."""

    def after_fork_in_child(self) -> None:
        """Begin anew: SQLite forbids to use a connection that was opened before a fork, and even to close it."""


class ForkGuard:
    """Keeps every thread out of every database while the process is forked."""

    def __init__(self) -> None:
        import logging  # noqa: F401 - its own guard must be registered first, because a cache logs while it is locked

        self._watched: weakref.WeakSet[Forkable] = weakref.WeakSet()
        self._forking = threading.Lock()
        self._held: list[Forkable] = []
        os.register_at_fork(before=self._before, after_in_parent=self._in_parent, after_in_child=self._in_child)

    def watch(self, opened: Forkable) -> None:
        """Take care of a database as long as it lives."""
        self._watched.add(opened)

    def _before(self) -> None:
        self._forking.acquire()
        self._held = list(self._watched)
        for opened in self._held:
            opened.before_fork()

    def _in_parent(self) -> None:
        held, self._held = self._held, []
        for opened in held:
            opened.after_fork_in_parent()
        self._forking.release()

    def _in_child(self) -> None:
        held, self._held = self._held, []
        for opened in held:
            opened.after_fork_in_child()
        self._forking = threading.Lock()


@functools.lru_cache(maxsize=1)
def fork_guard() -> ForkGuard:
    """Return the guard of this process; what is called at a fork can be registered but never taken back."""
    return ForkGuard()
