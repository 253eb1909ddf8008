"""``python -m alula_mpi.supervisor FOLDER``: starts the mpirun of a job, waits for its end and writes that down.

It outlives the engine that started it, so that the job goes on and another engine learns how it ended.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from types import FrameType

from alula_kernel.processes import ProcessId

from .folder import TIMEOUT, JobEnd, JobFolder

GRACE_SECONDS = 5.0
"""How long ranks have to end by themselves after they were asked to."""

_POLL_SECONDS = 0.05
_GONE_SECONDS = 5.0
"""How long killed processes may take to be gone, which is longer only for one that waits for a broken disk."""


def supervise(folder: JobFolder) -> None:
    """Start the job, unless another process did, and see it to its end."""
    if not folder.claim(str(ProcessId.own())):
        return
    job = folder.description()
    stopping: list[str] = []

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.append(folder.stop_reason() or "cancelled")

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    deadline = None if job.seconds is None else time.monotonic() + job.seconds
    with open(folder.mpirun_log, "ab") as log:
        try:
            mpirun = subprocess.Popen(
                job.command,
                cwd=os.getcwd(),
                env=job.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        except OSError as problem:
            log.write(f"{job.command[0]} cannot be started: {problem}\n".encode())
            folder.write_end(JobEnd(status=127))
            return
    folder.started(str(ProcessId.of(mpirun.pid)))
    while mpirun.poll() is None:
        reason = folder.stop_reason()
        if reason or stopping:
            _end(mpirun)
            folder.write_end(JobEnd(status=mpirun.returncode, reason=reason or stopping[0]))
            return
        if deadline is not None and time.monotonic() >= deadline:
            folder.stop(TIMEOUT)
            continue
        try:
            mpirun.wait(_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            continue
    folder.write_end(JobEnd(status=mpirun.returncode))


def _end(mpirun: subprocess.Popen[bytes]) -> None:
    """End a job: mpirun ends its ranks when it is asked to; what is left after a while is killed."""
    mpirun.terminate()
    try:
        mpirun.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        pass  # what is left is killed in any case
    kill_session(mpirun.pid)
    mpirun.wait()


def kill_session(session: int) -> None:
    """Kill every process of a session and wait until they are gone, those that they start meanwhile among them.

    Ranks have process groups of their own, but the session of mpirun.
    """
    end = time.monotonic() + _GONE_SECONDS
    while (members := _members(session)) and time.monotonic() < end:
        for pid in members:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(_POLL_SECONDS / 10)


def _members(session: int) -> list[int]:
    """Return the processes of a session that run."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", "rb") as file:
                # After the name of the program in parentheses: state, parent, group, session (proc(5)).
                fields = file.read().rpartition(b")")[2].split()
        except OSError:  # it has ended meanwhile
            continue
        if int(fields[3]) == session and fields[0] not in {b"Z", b"X"}:
            found.append(int(entry))
    return found


if __name__ == "__main__":
    supervise(JobFolder(sys.argv[1]))
