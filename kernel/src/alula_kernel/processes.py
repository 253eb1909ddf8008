"""Processes of this machine: telling one from a later one of the same number, what they use, and stopping them."""

from __future__ import annotations

import os
import signal
import sys
import warnings
from typing import NamedTuple

_PAGE = os.sysconf("SC_PAGE_SIZE")
_HAS_PROC = sys.platform == "linux"


class ProcessId(NamedTuple):
    """One process, for ever: the number alone is given to another one later.

    Attributes:
        pid: Its number.
        started: When it started, in clock ticks since the machine did; 0 where the system does not tell.
    """

    pid: int
    started: int

    @classmethod
    def own(cls) -> ProcessId:
        """Return this process."""
        global _own
        if _own is None or _own.pid != os.getpid():
            _own = cls.of(os.getpid())
        return _own

    @classmethod
    def of(cls, pid: int) -> ProcessId:
        """Return the process that has a number now."""
        return cls(pid, _started(pid) or 0)

    @classmethod
    def parse(cls, text: str) -> ProcessId | None:
        """Read what `__str__` wrote; None if it is something else."""
        pid, _, started = text.partition(".")
        return cls(int(pid), int(started)) if pid.isdecimal() and started.isdecimal() else None

    @property
    def alive(self) -> bool:
        """Whether it still runs; one that has ended and was not waited for does not."""
        return _started(self.pid) == self.started

    def signal_group(self, number: int) -> bool:
        """Send a signal to the process group that it leads; do nothing if it has ended. Tell whether it was sent."""
        if not self.alive:
            return False
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):  # it has ended this moment, or does not lead a group yet
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return False
        return True

    def __str__(self) -> str:
        return f"{self.pid}.{self.started}"


_own: ProcessId | None = None


def _started(pid: int) -> int | None:
    """Return when a living process started; None if there is none, or nothing but its exit status is left."""
    if not _HAS_PROC:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return None
        except PermissionError:
            pass
        return 0
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name of the program, in brackets, may contain anything.
            fields = file.read().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] in {b"Z", b"X"} else int(fields[19])


def signal_name(number: int) -> str:
    """Return the name of a signal, as ``SIGKILL``."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def thread_count() -> int:
    """Return how many threads this process has, also those that no Python code started."""
    if _HAS_PROC:
        return len(os.listdir("/proc/self/task"))
    import threading

    return threading.active_count()


# jemalloc holds the locks of its background threads while a process forks, and begins new ones in the child.
_SAFE_THREADS = frozenset({"jemalloc_bg_thd"})


def fork_loses_threads() -> bool:
    """Tell whether a child that is forked now would miss threads that this process has.

    Libraries for linear algebra, as OpenBLAS, end their threads before a fork and begin them again when they are next
    needed, in the parent and in the child (see pthread_atfork(3)); their threads are not missed. So this forks a child
    that ends at once, and looks at which threads are left. To be called from the only thread that runs Python code.
    """
    if thread_count() == 1:
        return False
    if not _HAS_PROC:
        return True
    pid = fork()
    if not pid:
        os._exit(0)
    os.waitpid(pid, 0)
    return not _thread_names() <= _SAFE_THREADS


def fork() -> int:
    """Fork as `os.fork` does, without the warning of Python from 3.12 on that there are threads."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


def _thread_names() -> set[str]:
    """Return the names of all threads but the first."""
    names = set()
    for thread in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{thread}/comm", encoding="utf-8", errors="replace") as file:
                name = file.read().strip()
        except FileNotFoundError:  # it has just ended
            continue
        if int(thread) != os.getpid():
            names.add(name)
    return names


def tree_memory_bytes(pid: int, limit_bytes: int) -> int:
    """Return the memory that a process and its descendants occupy; 0 if it has ended.

    Pages that a parent and its children share count once, as far as that can change whether the limit is exceeded.
    """
    found: list[int] = []
    _descend(pid, found)
    total = sum(_resident_bytes(member) for member in found)
    if total > limit_bytes and len(found) > 1:
        total = sum(_proportional_bytes(member) for member in found)
    return total


def _descend(pid: int, found: list[int]) -> None:
    found.append(pid)
    try:
        for thread in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as file:
                for child in file.read().split():
                    _descend(int(child), found)
    except OSError:  # it has ended meanwhile
        return


def _resident_bytes(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/statm", "rb") as file:
            return int(file.read().split()[1]) * _PAGE
    except OSError:
        return 0


def _proportional_bytes(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup", "rb") as file:
            for line in file:
                if line.startswith(b"Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def data_bytes() -> int:
    """Return how much private writable memory this process has mapped, as ``RLIMIT_DATA`` counts it."""
    try:
        with open("/proc/self/statm", "rb") as file:
            return int(file.read().split()[5]) * _PAGE
    except OSError:
        return 0
