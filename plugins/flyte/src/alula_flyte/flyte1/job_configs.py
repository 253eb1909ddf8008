"""Configs of tasks that Flyte's cluster runs as a job of some service; as in Flyte's local runs, their functions run here as they are."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any


@dataclass
class AWSBatchConfig:
    """A job of AWS Batch, in its words.

    Attributes:
        parameters: Values for the placeholders of its command.
        schedulingPriority: Its priority.
        platformCapabilities: What it runs on.
        propagateTags: Whether its tags go on to what runs it.
        tags: Its tags.
    """

    parameters: dict[str, str] | None = None
    schedulingPriority: int | None = None  # noqa: N815 - the service's word
    platformCapabilities: str = "EC2"  # noqa: N815
    propagateTags: bool | None = None  # noqa: N815
    tags: dict[str, str] | None = None


@dataclass
class MMCloudConfig:
    """A job of Memory Machine Cloud.

    Attributes:
        submit_extra: More options of its command.
    """

    submit_extra: str = ""


@dataclass
class PerianConfig:
    """A job of Perian.

    Attributes:
        cores: Processor cores.
        memory: Memory, in GB.
        accelerators: Number of accelerators.
        accelerator_type: Their type.
        os_storage_size: Disk, in GB.
        country_code: Where it runs.
        provider: Who runs it.
    """

    cores: int | None = None
    memory: int | None = None
    accelerators: int | None = None
    accelerator_type: str | None = None
    os_storage_size: int | None = None
    country_code: str | None = None
    provider: str | None = None


@dataclass
class DaskScheduler:
    """The scheduler of a Dask cluster.

    Attributes:
        image: Its image.
        requests: What it needs.
        limits: What it may use.
    """

    image: Any = None
    requests: Any = None
    limits: Any = None


@dataclass
class DaskWorkerGroup:
    """Workers of a Dask cluster.

    Attributes:
        number_of_workers: How many.
        image: Their image.
        requests: What each needs.
        limits: What each may use.
    """

    number_of_workers: int | None = 1
    image: Any = None
    requests: Any = None
    limits: Any = None


@dataclass
class Dask:
    """The Dask cluster of a task; here Dask works in the process, or in what ``Client()`` starts.

    Attributes:
        scheduler: Its scheduler.
        workers: Its workers.
    """

    scheduler: DaskScheduler = field(default_factory=DaskScheduler)
    workers: DaskWorkerGroup = field(default_factory=DaskWorkerGroup)


class RestartPolicy(enum.Enum):
    """When a replica is started again."""

    NEVER = 0
    FAILURE = 1
    ALWAYS = 2


class CleanPodPolicy(enum.Enum):
    """Which pods are removed when a job ends."""

    NONE = 0
    RUNNING = 1
    ALL = 2


@dataclass
class RunPolicy:
    """How a job of Kubeflow's training operator runs.

    Attributes:
        clean_pod_policy: Which pods are removed when it ends.
        ttl_seconds_after_finished: When it is removed itself.
        active_deadline_seconds: How long it may take.
        backoff_limit: How often it is retried.
    """

    clean_pod_policy: CleanPodPolicy | None = None
    ttl_seconds_after_finished: int | None = None
    active_deadline_seconds: int | None = None
    backoff_limit: int | None = None


@dataclass
class Master:
    """The first replica.

    Attributes:
        image: Its image.
        requests: What it needs.
        limits: What it may use.
        restart_policy: When it is started again.
    """

    image: Any = None
    requests: Any = None
    limits: Any = None
    restart_policy: RestartPolicy | None = None


@dataclass
class Worker:
    """Replicas of a kind.

    Attributes:
        image: Their image.
        requests: What each needs.
        limits: What each may use.
        replicas: How many.
        restart_policy: When one is started again.
    """

    image: Any = None
    requests: Any = None
    limits: Any = None
    replicas: int | None = None
    restart_policy: RestartPolicy | None = None


@dataclass
class PyTorch:
    """A PyTorch job: each replica would run the function; here it runs once.

    Attributes:
        master: The first replica.
        worker: The others.
        run_policy: How it runs.
        num_workers: An older name of the number of workers.
        increase_shared_mem: Whether its pods have more shared memory.
    """

    master: Master = field(default_factory=Master)
    worker: Worker = field(default_factory=Worker)
    run_policy: RunPolicy | None = None
    num_workers: int | None = None
    increase_shared_mem: bool = True


@dataclass
class TfJob:
    """A TensorFlow job: each replica would run the function; here it runs once.

    Attributes:
        chief: The replica that coordinates.
        ps: Parameter servers.
        worker: Workers.
        evaluator: Evaluators.
        run_policy: How it runs.
        num_workers: An older name of the number of workers.
        num_ps_replicas: An older name of the number of parameter servers.
        num_chief_replicas: An older name of the number of chiefs.
        num_evaluator_replicas: An older name of the number of evaluators.
    """

    chief: Worker = field(default_factory=Worker)
    ps: Worker = field(default_factory=Worker)
    worker: Worker = field(default_factory=Worker)
    evaluator: Worker = field(default_factory=Worker)
    run_policy: RunPolicy | None = None
    num_workers: int | None = None
    num_ps_replicas: int | None = None
    num_chief_replicas: int | None = None
    num_evaluator_replicas: int | None = None
