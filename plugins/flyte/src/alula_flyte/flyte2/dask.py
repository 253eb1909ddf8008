"""``flyteplugins.dask``: the cluster that a task would get. Here the task itself makes one, with ``Client()``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Scheduler:
    """The scheduler of a cluster.

    Attributes:
        image: Its image.
        resources: Its resources.
    """

    image: Any = None
    resources: Any = None


@dataclass
class WorkerGroup:
    """Workers of a cluster.

    Attributes:
        number_of_workers: How many.
        image: Their image.
        resources: Their resources.
    """

    number_of_workers: int | None = 1
    image: Any = None
    resources: Any = None


@dataclass
class Dask:
    """The cluster of a task.

    Attributes:
        scheduler: Its scheduler.
        workers: Its workers.
    """

    scheduler: Scheduler = field(default_factory=Scheduler)
    workers: WorkerGroup = field(default_factory=WorkerGroup)
