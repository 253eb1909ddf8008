"""``flytekit.PodTemplate``: kept with a task, and of no meaning on this machine."""

from __future__ import annotations

import dataclasses
from typing import Any


@dataclasses.dataclass(init=True, repr=True, eq=True)
class PodTemplate:
    """The pod that a task would run in.

    Attributes:
        pod_spec: Its spec.
        primary_container_name: The container that runs the task.
        labels: Its labels.
        annotations: Its annotations.
    """

    pod_spec: Any = None
    primary_container_name: str = "primary"
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None
