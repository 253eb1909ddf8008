"""``python -m alula_mpi.rank FOLDER ATTEMPT``: one rank of a job.

All ranks run the attempt; rank 0 writes its outcome when every rank has succeeded. A rank that fails writes down how and
aborts the job, so that no other waits for it for ever.

The process that mpirun starts only waits for the one that computes and writes down how it ended. What mpirun prints does
not tell that: it kills the other ranks, and may name one of those.
"""

from __future__ import annotations

import os
import signal
import sys

from .folder import JobFolder

_RANK_VARIABLES = ("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "MV2_COMM_WORLD_RANK", "SLURM_PROCID")


def main(folder: JobFolder, attempt_uri: str) -> None:
    """Run this rank to its end."""
    rank = next((int(os.environ[name]) for name in _RANK_VARIABLES if os.environ.get(name, "").isdigit()), None)
    if rank is None:
        raise SystemExit(f"mpirun does not say which rank this is: none of {', '.join(_RANK_VARIABLES)} is set")
    _print_to(folder.rank_log(rank))
    waiting = os.getpid()
    computing = os.fork()
    if computing == 0:
        _end_with(waiting)
        _compute(folder, attempt_uri, rank)
    else:
        _wait_for(computing, folder, rank)


def _wait_for(computing: int, folder: JobFolder, rank: int) -> None:
    """Wait for the process that computes, write down how it failed, and end like it."""
    _, status = os.waitpid(computing, 0)
    code = os.waitstatus_to_exitcode(status)
    if code:
        folder.write_exit(rank, code)
    if code < 0:
        os.kill(os.getpid(), -code)
    os._exit(code if code >= 0 else 128 - code)  # it has flushed nothing that is not the other's


def _end_with(parent: int) -> None:
    """Let this process be killed when its parent ends (prctl(2), PR_SET_PDEATHSIG)."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)


def _compute(folder: JobFolder, attempt_uri: str, rank: int) -> None:
    from mpi4py import MPI

    world = MPI.COMM_WORLD

    from alula import current_app
    from alula.worker import run_attempt
    from alula_kernel.contracts import SUCCEEDED, Attempt
    from alula_kernel.worker_protocol import load_attempt, store_outcome

    from .calls import RefusedCalls

    storage = current_app().storage
    attempt: Attempt = world.bcast(load_attempt(storage, attempt_uri) if rank == 0 else None)
    outcome = run_attempt(attempt, RefusedCalls())
    sys.stdout.flush()
    sys.stderr.flush()
    if outcome.kind != SUCCEEDED:
        folder.write_failure(rank, outcome)
        MPI.COMM_WORLD.Abort(1)
        os._exit(1)  # MPICH's Abort may return before the job ends: the others must not meet this rank at the barrier
    world.Barrier()
    if rank == 0:
        store_outcome(storage, attempt, outcome)
    world.Barrier()


def _print_to(path: str) -> None:
    """Let this process, and what it starts, print to a file."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    os.close(log)
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True)  # type: ignore[union-attr]


if __name__ == "__main__":
    main(JobFolder(sys.argv[1]), sys.argv[2])
