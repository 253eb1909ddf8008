"""The executor: one MPI job per attempt."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

from alula_kernel.attempt_folders import attempt_path, attempts_folder
from alula_kernel.contracts import (
    CANCELLED,
    LOST,
    SYSTEM_FAILURE,
    TIMED_OUT,
    USER_FAILURE,
    Attempt,
    Controller,
    ExecutorContext,
    Handle,
    Outcome,
    TaskExecutor,
)
from alula_kernel.errors import MAX_MESSAGE_CHARS, ActionError, MissingDependencyError, UsageError
from alula_kernel.processes import ProcessId, signal_name
from alula_kernel.specs import TaskSpec
from alula_kernel.worker_protocol import load_outcome, store_attempt

from . import folder as job_folder
from .folder import JobDescription, JobEnd, JobFolder
from .mpirun import command_line, find_mpirun
from .supervisor import kill_session

_FIRST_POLL_SECONDS = 0.01
_LONGEST_POLL_SECONDS = 0.25
_TAIL_CHARS = 2_000
_LINES_AT_ONCE = 1_000


class MPIExecutor(TaskExecutor):
    """Runs each attempt as an MPI job, started by mpirun on this machine or on the hosts that mpirun is told.

    Each job has a folder with the log of each rank, and a supervisor that outlives this process.
    """

    name = "mpi"
    task_types = ("mpi",)
    enforces_timeout = True

    def __init__(self) -> None:
        self._context: ExecutorContext | None = None
        self._supervisors: dict[str, int] = {}

    def open(self, context: ExecutorContext) -> None:
        self._context = context

    @property
    def context(self) -> ExecutorContext:
        """What the executor was opened with."""
        if self._context is None:
            raise UsageError("the executor mpi was not opened")
        return self._context

    def validate(self, task: TaskSpec) -> None:
        """Refuse a task for which there is no MPI.

        Raises:
            MissingDependencyError: There is no mpirun or no mpi4py; the message says how to get it.
        """
        if task.type != "mpi":
            raise UsageError(
                f"task {task.id.name} is no MPI task, and the executor mpi runs nothing else",
                hint="Give it task_config=MPIJob(...), or choose another executor.",
            )
        python = self.context.interpreter(task)
        find_mpirun(_launcher_command(task), python)
        if python == sys.executable and importlib.util.find_spec("mpi4py") is None:
            raise MissingDependencyError("MPI tasks need mpi4py", hint="Install it: pip install mpi4py")

    async def submit(self, attempt: Attempt, controller: Controller) -> Handle:
        import asyncio

        return await asyncio.to_thread(self._submit, attempt)

    def _submit(self, attempt: Attempt) -> Handle:
        handle = {"folder": f"{attempt_path(attempt)}.mpi"}
        folder = self._folder(handle)
        if folder.supervisor():
            return handle
        self.validate(attempt.task)
        python = self.context.interpreter(attempt.task)
        uri = store_attempt(self.context.storage, attempt)
        mpirun = find_mpirun(_launcher_command(attempt.task), python)
        program = [python, "-m", "alula_mpi.rank", folder.path, uri]
        folder.describe(
            JobDescription(
                command=command_line(mpirun, int(attempt.task.custom["ranks"]), program),
                environment={**os.environ, **self.context.worker_environment},
                seconds=_seconds(attempt),
                outputs=attempt.output_prefix,
            )
        )
        self._supervisors[handle["folder"]] = _start([sys.executable, "-m", "alula_mpi.supervisor", folder.path])
        # Whoever has the handle must be able to see that the job is under way.
        while not folder.supervisor() and self._is_running(handle):
            time.sleep(_FIRST_POLL_SECONDS)
        return handle

    def _folder(self, handle: Handle) -> JobFolder:
        return JobFolder(f"{attempts_folder(self.context.home)}/{handle['folder']}")

    async def wait(self, handle: Handle) -> Outcome:
        import asyncio

        folder = self._folder(handle)
        pause = _FIRST_POLL_SECONDS
        while (end := folder.end()) is None and self._is_supervised(handle, folder):
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_POLL_SECONDS)
        end = end or folder.end()
        self._reap(handle)
        return await asyncio.to_thread(self._outcome, folder, end)

    def _is_supervised(self, handle: Handle, folder: JobFolder) -> bool:
        return self._is_running(handle) or self._is_alive(folder)

    def _is_running(self, handle: Handle) -> bool:
        """Tell whether a supervisor that this process has started still runs."""
        supervisor = self._supervisors.get(handle["folder"])
        if supervisor is None:
            return False
        try:
            runs = os.waitpid(supervisor, os.WNOHANG) == (0, 0)
        except ChildProcessError:
            runs = False
        if not runs:  # the next child may get its number
            self._supervisors.pop(handle["folder"], None)
        return runs

    @staticmethod
    def _is_alive(folder: JobFolder) -> bool:
        process = ProcessId.parse(folder.supervisor())
        return process is not None and process.alive

    def _reap(self, handle: Handle) -> None:
        supervisor = self._supervisors.pop(handle["folder"], None)
        if supervisor is not None:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(supervisor, 0)

    def _outcome(self, folder: JobFolder, end: JobEnd | None) -> Outcome:
        if end is not None and end.status and not end.reason:
            return _explained(folder, end)  # whatever rank 0 has written
        if folder.supervisor():
            outcome = load_outcome(self.context.storage, folder.description().outputs)
            if outcome is not None:
                return outcome
        if end is None:
            orphan = ProcessId.parse(folder.mpirun())
            if orphan is not None and orphan.alive:
                kill_session(orphan.pid)
            return _failed(LOST, "Lost", "the process that supervised the MPI job is gone", "system")
        if end.reason == job_folder.TIMEOUT:
            seconds = folder.description().seconds
            return _failed(TIMED_OUT, "Timeout", f"ran longer than {seconds:g} s", "user")
        if end.reason:
            error = ActionError(code="Aborted", message="cancelled", recoverable=False)
            return Outcome(kind=CANCELLED, error=error)
        return _explained(folder, end)

    async def cancel(self, handle: Handle) -> None:
        self._folder(handle).stop(job_folder.CANCELLED)

    async def logs(self, handle: Handle, *, follow: bool = True) -> AsyncIterator[bytes]:
        """Yield what the ranks print, line by line, each with its rank in front of it as ``[2] ``."""
        import asyncio

        folder = self._folder(handle)
        positions: dict[int, int] = {}
        while True:
            ended = not follow or folder.end() is not None or not self._is_supervised(handle, folder)
            quiet = True
            for rank in folder.ranks_with_logs():
                lines, positions[rank] = _lines_from(folder.rank_log(rank), positions.get(rank, 0), to_the_end=ended)
                for line in lines:
                    quiet = False
                    yield b"[%d] " % rank + line
            if quiet and ended:
                return
            await asyncio.sleep(_LONGEST_POLL_SECONDS if quiet else 0)


def _start(command: list[str]) -> int:
    """Start a process that goes on without this one, and return its number."""
    null = [(os.POSIX_SPAWN_OPEN, stream, os.devnull, os.O_RDWR, 0) for stream in range(3)]
    return os.posix_spawn(command[0], command, os.environ, file_actions=null, setsid=True)


def _lines_from(path: str, position: int, *, to_the_end: bool) -> tuple[list[bytes], int]:
    """Return some of the lines after a position, and the position after them; a part of a line only at the end."""
    lines: list[bytes] = []
    with open(path, "rb") as file:
        file.seek(position)
        for line in file:
            if len(lines) == _LINES_AT_ONCE or not (to_the_end or line.endswith(b"\n")):
                break
            lines.append(line)
            position += len(line)
    return lines, position


def _launcher_command(task: TaskSpec) -> list[str] | None:
    command: list[str] | None = task.custom.get("launcher", {}).get("command")
    return command


def _seconds(attempt: Attempt) -> float | None:
    """Return how long a job may run: the task's limit or the job's own, whichever is shorter."""
    own: Any = attempt.task.custom.get("run_policy", {}).get("active_deadline_seconds")
    limits = [float(seconds) for seconds in (attempt.timeout_seconds, own) if seconds is not None]
    return min(limits, default=None)


def _explained(folder: JobFolder, end: JobEnd) -> Outcome:
    """Say why a job failed: which rank did, and how."""
    ranks = _ranks(folder)
    failed = folder.first_failure()
    if failed is not None:
        import msgspec

        rank, outcome = failed
        assert outcome.error is not None
        message = f"rank {rank} of {ranks} failed: {outcome.error.message}"[:MAX_MESSAGE_CHARS]
        return msgspec.structs.replace(outcome, error=msgspec.structs.replace(outcome.error, message=message))
    left = folder.first_exit()
    if left is not None:
        rank, code = left
        how = f"was ended by {signal_name(-code)}" if code < 0 else f"left with exit code {code}"
        message = f"rank {rank} of {ranks} {how}\n{_tail(folder.rank_log(rank))}".rstrip()
        if code == -signal.SIGKILL:  # by the system, for want of memory perhaps, or by a person
            return _failed(SYSTEM_FAILURE, "RankKilled", message, "system")
        return _failed(USER_FAILURE, "RankFailed", message, "user")
    printed = next((text for rank in folder.ranks_with_logs() if (text := _tail(folder.rank_log(rank)).strip())), "")
    message = f"mpirun ended with exit code {end.status}\n{_tail(folder.mpirun_log)}\n{printed}".strip()
    return _failed(SYSTEM_FAILURE, "MPIFailed", message, "system")


def _ranks(folder: JobFolder) -> int:
    command = folder.description().command
    return int(command[command.index("-n") + 1])


def _tail(path: str) -> str:
    try:
        with open(path, "rb") as file:
            file.seek(max(os.path.getsize(path) - _TAIL_CHARS, 0))
            return file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""


def _failed(kind: str, code: str, message: str, side: str) -> Outcome:
    return Outcome(kind=kind, error=ActionError(code=code, message=message[:MAX_MESSAGE_CHARS], kind=side))
