"""The config of an MPI task: how many ranks, and how they are started."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Sequence
from typing import Any

from alula import Resources
from alula_kernel.errors import UsageError


class CleanPodPolicy(enum.Enum):
    """Which pods of a finished job a cluster removes."""

    ALL = "All"
    RUNNING = "Running"
    NONE = "None"


class RestartPolicy(enum.Enum):
    """When a cluster restarts a pod of a job."""

    ALWAYS = "Always"
    FAILURE = "OnFailure"
    NEVER = "Never"


@dataclasses.dataclass(frozen=True)
class RunPolicy:
    """What becomes of a job in time.

    Attributes:
        clean_pod_policy: Which pods a cluster removes when the job has ended.
        ttl_seconds_after_finished: How long a cluster keeps the finished job.
        active_deadline_seconds: How long the job may run; kept by mpirun on this machine too.
        backoff_limit: How often a cluster starts the job again; on this machine the task's ``retries`` count.
    """

    clean_pod_policy: CleanPodPolicy | None = None
    ttl_seconds_after_finished: int | None = None
    active_deadline_seconds: int | None = None
    backoff_limit: int | None = None


@dataclasses.dataclass(frozen=True)
class Worker:
    """The processes that compute.

    Attributes:
        command: Command of the pods on a cluster; None for that of the image.
        image: Image of the pods; None for the task's.
        requests: Resources of each pod.
        limits: Limits of each pod.
        replicas: How many there are; each runs `MPIJob.slots` ranks.
        restart_policy: When a cluster restarts a pod.
    """

    command: Sequence[str] | None = None
    image: str | None = None
    requests: Resources | None = None
    limits: Resources | None = None
    replicas: int = 1
    restart_policy: RestartPolicy | None = None


@dataclasses.dataclass(frozen=True)
class Launcher:
    """What starts the ranks.

    Attributes:
        command: Path or name of ``mpirun`` and arguments for it, as ``["mpirun", "--bind-to", "none"]``; None for the
            ``mpirun`` beside the Python that runs the task, else the one on PATH.
        image: Image of the launcher's pod on a cluster; None for the task's.
        requests: Resources of its pod.
        limits: Limits of its pod.
        replicas: There is one launcher.
        restart_policy: When a cluster restarts its pod.
    """

    command: Sequence[str] | None = None
    image: str | None = None
    requests: Resources | None = None
    limits: Resources | None = None
    replicas: int = 1
    restart_policy: RestartPolicy | None = None


@dataclasses.dataclass(frozen=True)
class MPIJob:
    """Run a task on every rank of an MPI job: ``@alula.task(task_config=MPIJob(worker=Worker(replicas=4)))``.

    The job has ``worker.replicas * slots`` ranks. Every rank gets the same inputs; what rank 0 returns is the output.

    Attributes:
        launcher: What starts the ranks.
        worker: The processes that compute.
        run_policy: What becomes of the job in time.
        slots: Ranks of each worker.
        num_launcher_replicas: The same as ``launcher.replicas``.
        num_workers: The same as ``worker.replicas``.

    Raises:
        UsageError: A number is too small, or two say different things.
    """

    launcher: Launcher = dataclasses.field(default_factory=Launcher)
    worker: Worker = dataclasses.field(default_factory=Worker)
    run_policy: RunPolicy | None = None
    slots: int = 1
    num_launcher_replicas: int | None = None
    num_workers: int | None = None

    def __post_init__(self) -> None:
        if self.num_workers is not None and self.worker.replicas not in {1, self.num_workers}:
            raise UsageError(
                f"MPIJob has num_workers={self.num_workers} and worker.replicas={self.worker.replicas}",
                hint="Leave num_workers out.",
            )
        if self.launcher.replicas != 1 or self.num_launcher_replicas not in {None, 1}:
            raise UsageError("an MPIJob has one launcher", hint="Set worker.replicas for the number of workers.")
        for name, value in (("worker.replicas", self.workers), ("slots", self.slots)):
            if type(value) is not int or value < 1:
                raise UsageError(f"{name} of MPIJob must be a whole number from 1, found {value!r}")
        command = self.launcher.command
        if command is not None and (isinstance(command, str) or not command):
            raise UsageError(
                f"launcher.command of MPIJob must be a list of words, found {command!r}",
                hint='Write it as ["mpirun", "--bind-to", "none"].',
            )

    @property
    def workers(self) -> int:
        """Number of workers."""
        return self.worker.replicas if self.num_workers is None else self.num_workers

    @property
    def ranks(self) -> int:
        """Number of ranks."""
        return self.workers * self.slots

    def to_custom(self) -> dict[str, Any]:
        """Return it as plain data, for `TaskSpec.custom`; fields that say nothing are left out."""
        return {
            "ranks": self.ranks,
            "slots": self.slots,
            "workers": self.workers,
            "launcher": _plain(self.launcher),
            "worker": _plain(self.worker),
            "run_policy": _plain(self.run_policy) if self.run_policy else {},
        }


def _plain(part: Launcher | Worker | RunPolicy) -> dict[str, Any]:
    found = {}
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if isinstance(value, enum.Enum):
            value = value.value
        elif isinstance(value, Resources):
            value = {name: request for name, (request, _limit) in value.quantities().items()}
        elif field.name == "command" and value is not None:
            value = [str(word) for word in value]
        if value is not None:
            found[field.name] = value
    return found
