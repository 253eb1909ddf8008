"""P6 and P7: attempts in processes of their own, with the floors timed in the same process."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable
from typing import Any

from clock import Times, main, median_of
from processes_tasks import mapped, mapped_kept
from sizes import FORKED_ATTEMPTS, KEPT_ATTEMPTS

from alula import RunOptions, current_app, run

_ROUND_TRIPS = 2_000
_STARTS = 5


def forks(count: int) -> None:
    """Fork a child that ends at once, and wait for it."""
    for _ in range(count):
        pid = os.fork()
        if not pid:
            os._exit(0)
        os.waitpid(pid, 0)


def starts(count: int) -> None:
    """Start a new Python that does nothing, and wait for it."""
    for _ in range(count):
        subprocess.run([sys.executable, "-c", "pass"], check=True)


def round_trips(repetitions: int) -> Times:
    """Send a message to another process and receive its answer; return the times of one."""
    here, there = socket.socketpair()
    pid = os.fork()
    if not pid:
        here.close()
        while message := there.recv(100):
            there.send(message)
        os._exit(0)
    there.close()

    def exchange() -> None:
        for _ in range(_ROUND_TRIPS):
            here.send(b"x" * 50)
            here.recv(100)

    times = median_of(exchange, _ROUND_TRIPS, repetitions)
    here.close()
    os.waitpid(pid, 0)
    return times


def attempts(entity: Any, count: int, repetitions: int) -> Times:
    """Run a map over so many numbers with two slots; return the times of one."""
    items = list(range(count))
    options = RunOptions(executor="process", max_parallelism=2)

    def map_them() -> None:
        assert run(entity, items=items, options=options).result == [item + 1 for item in items]

    return median_of(map_them, count, repetitions)


def measure_fork(repetitions: int) -> dict[str, Times]:
    """Time attempts that get a new process each."""
    return {
        "fork": median_of(lambda: forks(FORKED_ATTEMPTS), FORKED_ATTEMPTS, repetitions),
        "measured": attempts(mapped, FORKED_ATTEMPTS, repetitions),
        "start": median_of(lambda: starts(_STARTS), _STARTS, repetitions),
    }


def measure_kept(repetitions: int) -> dict[str, Times]:
    """Time attempts in workers that are kept."""
    return {
        "round trip": round_trips(repetitions),
        "measured": attempts(mapped_kept, KEPT_ATTEMPTS, repetitions),
    }


def measure_memory(_repetitions: int) -> dict[str, Times]:
    """Map over 100,000 items; return the largest memory of the engine before and after, in bytes, as the two times."""
    attempts(mapped_kept, 100, 1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    items = list(range(100_000))
    result = run(mapped_kept, items=items, options=RunOptions(executor="process", max_parallelism=2)).result
    assert result == [item + 1 for item in items]
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"memory": (before, after)}


CASES: dict[str, Callable[[int], dict[str, Times]]] = {
    "fork": measure_fork,
    "kept": measure_kept,
    "memory": measure_memory,
}

if __name__ == "__main__":
    main(CASES)
    current_app().close()
