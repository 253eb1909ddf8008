"""Who may run when: processors, memory and GPUs of this machine, the deepest in the tree of a run first."""

from __future__ import annotations

import collections
import heapq
import itertools
import os
import sys
import threading
from collections.abc import Callable

import msgspec

from ...errors import UsageError
from ...quantities import format_bytes, parse_quantity
from ...specs import TaskSpec


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to hand out.

    Attributes:
        cpus: Processors.
        memory_bytes: Memory.
        gpus: Names of the GPUs, as ``CUDA_VISIBLE_DEVICES`` takes them.
    """

    cpus: float
    memory_bytes: int
    gpus: tuple[str, ...] = ()

    @classmethod
    def here(cls) -> Machine:
        """Look at what this process may use: its processors, its control group's limits, the memory that is free."""
        return cls(cpus=_cpus(), memory_bytes=_memory_bytes(), gpus=_gpus())


class Need(msgspec.Struct, frozen=True, kw_only=True):
    """What an attempt needs.

    Attributes:
        cpus: Processors.
        memory_bytes: Memory that must be free for it to start.
        gpus: Number of GPUs.
        memory_limit_bytes: The most memory it may use; 0 for no limit.
    """

    cpus: float = 1.0
    memory_bytes: int = 0
    gpus: int = 0
    memory_limit_bytes: int = 0

    @classmethod
    def of(cls, task: TaskSpec, share: int = 1) -> Need:
        """Read what a task asks for: without a word one processor, and no certain memory.

        The memory limit is the one that was given; where only a request was given it is the request.

        Args:
            task: The task.
            share: Among how many attempts at a time a process divides what it was given.

        Raises:
            UsageError: It asks for something that is no quantity.
        """
        spec = task.resources
        if spec is None:
            return cls(cpus=1.0 / share)
        asked, allowed = spec.requests, spec.limits
        memory = asked.get("memory", allowed.get("memory", "0"))
        # An accelerator is a device of a certain kind; which kind there is here is not known.
        gpus = asked.get("gpu", allowed.get("gpu", "1" if "accelerator" in asked else "0"))
        return cls(
            cpus=parse_quantity(asked.get("cpu", allowed.get("cpu", "1"))) / share,
            memory_bytes=int(parse_quantity(memory) / share),
            gpus=_gpu_count(gpus),
            memory_limit_bytes=int(parse_quantity(allowed.get("memory", memory))),
        )

    def check(self, machine: Machine, task: TaskSpec) -> None:
        """Refuse what can never be met.

        Raises:
            UsageError: It asks for more than the machine has.
        """
        if self.cpus > machine.cpus:
            wanted, present = f"{self.cpus:g} CPUs", f"{machine.cpus:g}"
        elif self.memory_bytes > machine.memory_bytes:
            wanted, present = f"{format_bytes(self.memory_bytes)} of memory", format_bytes(machine.memory_bytes)
        elif self.gpus > len(machine.gpus):
            wanted, present = f"{self.gpus} {'GPU' if self.gpus == 1 else 'GPUs'}", str(len(machine.gpus) or "none")
        else:
            return
        raise UsageError(
            f"task {task.id.name} asks for {wanted}, and this machine has {present}",
            hint="Ask for less with override(resources=...), or use an executor that has more.",
        )


class Ticket:
    """One attempt's place in the queue, and later what it was given.

    Args:
        need: What it needs.
        granted: Called each time it is given processors, in whichever thread gave some back.
        depth: How deep in the tree of its run it is.

    Attributes:
        gpus: Names of the GPUs that it was given.
    """

    __slots__ = ("depth", "gpus", "granted", "millicores", "need", "state")

    def __init__(self, need: Need, granted: Callable[[], None], depth: int = 0) -> None:
        self.need = need
        self.granted = granted
        self.depth = depth
        self.millicores = round(need.cpus * 1000)
        self.gpus: tuple[str, ...] = ()
        self.state = _OUTSIDE


_OUTSIDE, _QUEUED, _ACTIVE, _RESTING, _RETURNING = range(5)


class Admission:
    """Hands out a machine. Safe across threads.

    The deepest comes first, since parents wait for their children, and keep their memory meanwhile; among those of one depth it
    is who came first. Nobody overtakes: as long as the first in the queue does not fit, the others wait, so that big ones get
    their turn.
    Attempts that wait for their children have given their processors back and kept the rest. When all that run do so,
    the first in the queue starts even if it does not fit: what it waits for would never become free.

    Args:
        machine: What there is.
    """

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self._lock = threading.Lock()
        self._millicores = round(machine.cpus * 1000)
        self._memory = machine.memory_bytes
        self._gpus = dict.fromkeys(machine.gpus, 0)
        self._active = 0
        self._queue: list[tuple[int, int, Ticket]] = []
        self._arrivals = itertools.count()
        self._returning: collections.deque[Ticket] = collections.deque()

    def enter(self, ticket: Ticket) -> None:
        """Queue up. `Ticket.granted` is called when its turn has come, maybe at once."""
        self._do(self._enter, ticket)

    def rest(self, ticket: Ticket) -> None:
        """Give the processors back while it waits for others."""
        self._do(self._rest, ticket)

    def come_back(self, ticket: Ticket) -> bool:
        """Ask for the processors again, before anybody who has not begun.

        Returns:
            Whether it has them already; if not, `Ticket.granted` is called again, maybe before this returns.
        """
        if ticket.state == _ACTIVE:
            return True
        self._do(self._come_back, ticket)
        return False

    def leave(self, ticket: Ticket) -> None:
        """Give everything back, from whatever state. Idempotent."""
        self._do(self._leave, ticket)

    def _do(self, change: Callable[[Ticket], None], ticket: Ticket) -> None:
        with self._lock:
            change(ticket)
            ready = self._next()
        # Outside of the lock: they may leave again at once.
        for other in ready:
            other.granted()

    def _enter(self, ticket: Ticket) -> None:
        ticket.state = _QUEUED
        heapq.heappush(self._queue, (-ticket.depth, next(self._arrivals), ticket))

    def _rest(self, ticket: Ticket) -> None:
        if ticket.state == _ACTIVE:
            ticket.state = _RESTING
            self._active -= 1
            self._millicores += ticket.millicores
        elif ticket.state == _RETURNING:  # it would take them, and wait for who needs them
            ticket.state = _RESTING
            self._returning.remove(ticket)

    def _come_back(self, ticket: Ticket) -> None:
        if ticket.state == _RESTING:
            ticket.state = _RETURNING
            self._returning.append(ticket)

    def _leave(self, ticket: Ticket) -> None:
        state, ticket.state = ticket.state, _OUTSIDE
        if state == _RETURNING:
            self._returning.remove(ticket)
        if state == _ACTIVE:
            self._active -= 1
            self._millicores += ticket.millicores
        if state in {_ACTIVE, _RESTING, _RETURNING}:
            self._memory += ticket.need.memory_bytes
            for name in ticket.gpus:
                self._gpus[name] -= 1

    def _next(self) -> list[Ticket]:
        """Take from the queues what can go on now."""
        ready = []
        while self._returning and self._returning[0].millicores <= self._millicores:
            ready.append(self._activate(self._returning.popleft()))
        while not self._returning and self._queue:
            ticket = self._queue[0][2]
            if ticket.state != _QUEUED:  # it has left
                heapq.heappop(self._queue)
                continue
            if self._active and not self._fits(ticket):
                break
            heapq.heappop(self._queue)
            self._memory -= ticket.need.memory_bytes
            ticket.gpus = tuple(sorted(self._gpus, key=self._gpus.__getitem__)[: ticket.need.gpus])
            for name in ticket.gpus:
                self._gpus[name] += 1
            ready.append(self._activate(ticket))
        return ready

    def _activate(self, ticket: Ticket) -> Ticket:
        ticket.state = _ACTIVE
        self._active += 1
        self._millicores -= ticket.millicores
        return ticket

    def _fits(self, ticket: Ticket) -> bool:
        need = ticket.need
        return (
            ticket.millicores <= self._millicores
            and need.memory_bytes <= self._memory
            and need.gpus <= sum(not users for users in self._gpus.values())
        )


def _gpu_count(text: str) -> int:
    """Return how many GPUs are meant: ``2``, or with a model in front ``A100:2``, or a model alone."""
    count = text.rpartition(":")[2]
    return int(count) if count.isdecimal() else 1


def _cpus() -> float:
    present = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    quota, _, period = _read("/sys/fs/cgroup/cpu.max").partition(" ")
    if quota.isdecimal() and period.strip().isdecimal():
        return max(min(float(present), int(quota) / int(period)), 1.0)
    return float(present)


def _memory_bytes() -> int:
    found = [int(line.split()[1]) * 1024 for line in _read("/proc/meminfo").splitlines() if "MemAvailable" in line]
    if not found:
        found = [os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")]
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        limit = _read(f"/sys/fs/cgroup/{name}").strip()
        if limit.isdecimal():
            found.append(int(limit))
    return min(found)


def _gpus() -> tuple[str, ...]:
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return tuple(name.strip() for name in visible.split(",") if name.strip() not in {"", "-1", "NoDevFiles"})
    try:
        return tuple(str(number) for number in range(len(os.listdir("/proc/driver/nvidia/gpus"))))
    except OSError:
        return ()


def _read(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read()
    except OSError:
        return ""
