"""``flyte.TaskEnvironment``: parameters without annotation are pickled, and environments can be added to those it depends on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import alula


@dataclasses.dataclass(frozen=True, kw_only=True)
class TaskEnvironment(alula.TaskEnvironment):
    """An environment as `alula.TaskEnvironment`, with Flyte's additions."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.secrets is not None:
            from .secrets import not_required  # most programs have none, and start without what it needs

            object.__setattr__(self, "secrets", not_required(self.secrets))

    def task(self, _func: Callable[..., Any] | None = None, **settings: Any) -> Any:
        """Turn a function into a task of this environment; parameters without annotation are pickled."""
        settings.setdefault("pickle_untyped", True)
        return super().task(_func, **settings)

    @property
    def sandbox(self) -> Any:
        """What makes tasks of code that runs in Monty."""
        from .sandboxes import Sandbox

        return Sandbox(self)

    def add_dependency(self, *environments: Any) -> None:
        """Add environments whose tasks its tasks call."""
        self.depends_on.extend(environment for environment in environments if environment not in self.depends_on)


@dataclasses.dataclass(frozen=True, kw_only=True)
class ClusteredTaskEnvironment(TaskEnvironment):
    """An environment whose tasks would run as several processes on several machines, and run once here.

    Attributes:
        replicas: Machines.
        nproc_per_node: Processes on each.
        runtime: How they find each other.
        interconnect: Their network.
        failure_policy: What happens when one fails.
        ttl_seconds_after_finished: How long the machines are kept afterwards.
    """

    replicas: int = 1
    nproc_per_node: int = 1
    runtime: Any = None
    interconnect: str = "tcp"
    failure_policy: Any = None
    ttl_seconds_after_finished: int | None = None


@dataclasses.dataclass(frozen=True)
class TorchRun:
    """How torchrun starts the processes of a task.

    Attributes:
        rdzv_backend: How they find each other.
        max_restarts: How often they are started again.
    """

    rdzv_backend: str = "static"
    max_restarts: int = 0


@dataclasses.dataclass(frozen=True)
class ClusterFailurePolicy:
    """What happens when a machine of a task fails.

    Attributes:
        max_restarts: How often all are started again.
        restart_on_host_maintenance: Whether the machine's maintenance counts.
    """

    max_restarts: int = 0
    restart_on_host_maintenance: bool = False
