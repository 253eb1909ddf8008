"""The folder of a job: what its processes tell each other, and what is left when the engine that started it has died.

``job.json``
    What is to be started.
``supervisor``
    A symbolic link whose text says which process supervises the job. Making one is atomic and fails if there is one, so
    that a job is started once, whoever asks for it how often.
``mpirun``
    The same: the process of mpirun.
``stop``
    The same, and says why the job is to be stopped; the first reason counts.
``rank-<n>.log``, ``mpirun.log``
    What each rank prints, and mpirun itself.
``rank-<n>.exit``
    The exit code of a rank that did not end well; minus the number of the signal that ended it.
``rank-<n>.outcome``
    How a rank failed.
``first-exit``, ``first-outcome``
    Symbolic links whose text is the number of the rank that wrote such a file first: the others may have failed because
    of it, and the times of files are too coarse to tell.
``exit.json``
    How mpirun ended.
"""

from __future__ import annotations

import os
import re

import msgspec

from alula_kernel.contracts import Outcome


class JobDescription(msgspec.Struct, frozen=True, kw_only=True):
    """What the supervisor starts.

    Attributes:
        command: The command, from mpirun on.
        environment: The environment of the job.
        seconds: How long it may run; None for no limit.
        outputs: The output prefix of the attempt.
    """

    command: tuple[str, ...]
    environment: dict[str, str]
    seconds: float | None = None
    outputs: str = ""


class JobEnd(msgspec.Struct, frozen=True, kw_only=True):
    """How mpirun ended.

    Attributes:
        status: Its exit code; minus the number of the signal that ended it.
        reason: Why it was stopped: ``cancelled``, ``timeout`` or empty.
    """

    status: int
    reason: str = ""


CANCELLED = "cancelled"
TIMEOUT = "timeout"


class JobFolder:
    """The folder of a job.

    Args:
        path: Where it is.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def file(self, name: str) -> str:
        """Return the path of a file in it."""
        return os.path.join(self.path, name)

    def rank_log(self, rank: int) -> str:
        """Return where a rank prints to."""
        return self.file(f"rank-{rank}.log")

    @property
    def mpirun_log(self) -> str:
        """Where mpirun prints to."""
        return self.file("mpirun.log")

    def describe(self, job: JobDescription) -> None:
        """Write down what is to be started."""
        os.makedirs(self.path, mode=0o700, exist_ok=True)
        self._write("job.json", msgspec.json.encode(job))

    def description(self) -> JobDescription:
        """Return what is to be started."""
        return msgspec.json.decode(self._read("job.json"), type=JobDescription)

    def claim(self, process: str) -> bool:
        """Become the one process that supervises the job, and tell whether that succeeded."""
        return self._link(process, "supervisor")

    def supervisor(self) -> str:
        """Return which process supervises the job; empty for none yet."""
        return self._link_text("supervisor")

    def started(self, process: str) -> None:
        """Write down which process mpirun is."""
        self._link(process, "mpirun")

    def mpirun(self) -> str:
        """Return which process mpirun is; empty before it was started."""
        return self._link_text("mpirun")

    def stop(self, reason: str) -> None:
        """Ask for the end of the job."""
        self._link(reason, "stop")

    def stop_reason(self) -> str:
        """Return why the job is to be stopped; empty if it is not."""
        return self._link_text("stop")

    def write_end(self, end: JobEnd) -> None:
        """Write down how mpirun ended."""
        self._write("exit.json", msgspec.json.encode(end))

    def end(self) -> JobEnd | None:
        """Return how mpirun ended; None if that is not known."""
        try:
            return msgspec.json.decode(self._read("exit.json"), type=JobEnd)
        except (FileNotFoundError, msgspec.MsgspecError):
            return None

    def write_exit(self, rank: int, code: int) -> None:
        """Write down that the process of a rank did not end well."""
        self._write(f"rank-{rank}.exit", str(code).encode())
        self._link(str(rank), "first-exit")

    def first_exit(self) -> tuple[int, int] | None:
        """Return the rank whose process ended badly first, and its exit code; None if none did."""
        rank = self._link_text("first-exit")
        return (int(rank), int(self._read(f"rank-{rank}.exit"))) if rank else None

    def write_failure(self, rank: int, outcome: Outcome) -> None:
        """Write down how a rank failed."""
        self._write(f"rank-{rank}.outcome", msgspec.msgpack.encode(outcome))
        self._link(str(rank), "first-outcome")

    def first_failure(self) -> tuple[int, Outcome] | None:
        """Return the rank that failed first, and how; None if none said so."""
        rank = self._link_text("first-outcome")
        if not rank:
            return None
        return int(rank), msgspec.msgpack.decode(self._read(f"rank-{rank}.outcome"), type=Outcome)

    def ranks_with_logs(self) -> list[int]:
        """Return the ranks that have begun, in order."""
        try:
            names = os.listdir(self.path)
        except FileNotFoundError:
            return []
        return sorted(int(match[1]) for name in names if (match := re.fullmatch(r"rank-(\d+)\.log", name)))

    def _write(self, name: str, data: bytes) -> None:
        temporary = self.file(f".{name}.{os.getpid()}")
        with open(temporary, "wb") as file:
            file.write(data)
        os.replace(temporary, self.file(name))

    def _read(self, name: str) -> bytes:
        with open(self.file(name), "rb") as file:
            return file.read()

    def _link(self, text: str, name: str) -> bool:
        try:
            os.symlink(text, self.file(name))
        except (FileExistsError, FileNotFoundError):  # somebody was quicker, or there is no such job
            return False
        return True

    def _link_text(self, name: str) -> str:
        try:
            return os.readlink(self.file(name))
        except FileNotFoundError:
            return ""
