"""Tasks for the tests, in a module that ranks import."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

import alula
from alula import File
from alula.errors import NonRecoverableError
from alula_mpi import MPIJob, RunPolicy, Worker

ONE = MPIJob()
FOUR = MPIJob(worker=Worker(replicas=2), slots=2)


# --- the kinds of the conformance suite, on one rank ----------------------------------------------------------------------


@alula.task(task_config=ONE)
def echo(value: str) -> str:
    return value


@alula.task(task_config=ONE)
def add(a: int, b: int) -> int:
    return a + b


@alula.task(task_config=ONE)
def fail(message: str) -> None:
    raise ValueError(message)


@alula.task(task_config=ONE)
def give_up(message: str) -> None:
    raise NonRecoverableError(message)


@alula.task(task_config=ONE)
def sleep(seconds: float) -> None:
    time.sleep(seconds)


@alula.task(task_config=ONE)
def leave(status: int) -> None:
    sys.exit(status)


@alula.task(task_config=ONE)
def die(status: int) -> None:
    os._exit(status)


@alula.task(task_config=ONE)
def print_text(text: str) -> None:
    print(text)


@alula.task(task_config=ONE)
def append(path: str, text: str) -> None:
    with open(path, "a") as file:
        file.write(text)


@alula.task(task_config=ONE)
def environment(name: str) -> str:
    return os.environ.get(name, "")


# --- four ranks -----------------------------------------------------------------------------------------------------------


def world() -> Any:
    from mpi4py import MPI

    return MPI.COMM_WORLD


@alula.task(task_config=FOUR)
def ranks_and_sum(rows: np.ndarray) -> tuple[int, float]:
    ranks = world()
    mine = np.array_split(rows, ranks.size)[ranks.rank]
    total = ranks.reduce(float(mine.sum()), root=0)
    print(f"rank {ranks.rank} has {len(mine)}")
    return ranks.size, total  # None on all ranks but 0


@alula.workflow
def summed() -> tuple[int, float]:
    return ranks_and_sum(rows=rows())


@alula.task
def rows() -> np.ndarray:
    return np.arange(1000.0)


@alula.task(task_config=FOUR)
def file_sizes(data: File) -> list[int]:
    return world().gather(len(Path(data).read_bytes()), root=0)


@alula.task(task_config=FOUR)
def same_objects(text: str, numbers: list[int]) -> bool:
    everything = world().allgather((text, numbers))
    return all(one == everything[0] for one in everything)


@alula.task(task_config=FOUR)
def one_raises(rank: int) -> int:
    if world().rank == rank:
        raise ValueError("this part of the data is broken")
    world().Barrier()
    return 1


@alula.task(task_config=FOUR)
def one_is_killed(rank: int) -> int:
    if world().rank == rank:
        print("the last words")
        os.kill(os.getpid(), signal.SIGKILL)
    world().Barrier()
    return 1


@alula.task(task_config=FOUR)
def one_leaves(rank: int) -> int:
    if world().rank == rank:
        os._exit(7)
    world().Barrier()
    return 1


@alula.task(task_config=FOUR, retries=2)
def works_the_second_time() -> int:
    number = alula.ctx().attempt_number
    if number == 1 and world().rank == 3:
        raise OSError("a bad start")
    world().Barrier()
    return number


class AbortReturns:
    """A communicator whose Abort returns before the job has ended."""

    def Abort(self, _code: int) -> None:
        """Return."""


@alula.task(task_config=FOUR)
def one_raises_and_goes_on() -> int:
    rank = world().rank
    if rank == 3:
        from mpi4py import MPI

        MPI.COMM_WORLD = AbortReturns()
        raise OSError("a bad start")
    return rank


@alula.task(task_config=FOUR)
def one_aborts() -> int:
    rank = world().rank
    if rank == 3:
        world().Abort(9)
    return rank


@alula.task(task_config=FOUR, timeout=2)
def waits_for_ever() -> int:
    if world().rank:
        world().Barrier()
    time.sleep(600)
    return 1


@alula.task(task_config=MPIJob(worker=Worker(replicas=2), run_policy=RunPolicy(active_deadline_seconds=2)))
def longer_than_its_policy() -> int:
    time.sleep(600)
    return 1


@alula.task(task_config=FOUR)
def write_then_wait(folder: str) -> int:
    Path(folder, f"{world().rank}.{os.getpid()}").touch()
    while not Path(folder, "go").exists():
        time.sleep(0.05)
    return world().size


@alula.task
def helper() -> int:
    return 1


@alula.task(task_config=ONE)
def calls_another() -> int:
    return helper()
