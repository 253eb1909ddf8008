"""``PodTemplate`` of both generations: a task may have one, which says nothing to a run on this machine."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from alula.errors import UsageError


@dataclass
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

    @classmethod
    def from_spec(cls, spec: Any, **fields: Any) -> PodTemplate:
        """Return a template with a spec."""
        return cls(pod_spec=spec, **fields)

    def version_hash(self) -> str:
        """Return a hash of what it says; the order of labels and annotations makes no difference."""
        spec = self.pod_spec.to_dict() if hasattr(self.pod_spec, "to_dict") else self.pod_spec
        said = [spec, self.primary_container_name, self.labels, self.annotations]
        return hashlib.sha256(json.dumps(said, sort_keys=True, default=str).encode()).hexdigest()

    def allow_fuse(self, *_args: Any, **_options: Any) -> PodTemplate:
        """Return the template as it is."""
        return self

    def with_termination_grace_period(self, *_args: Any, **_options: Any) -> PodTemplate:
        """Return the template as it is."""
        return self

    def allow_nested_sandboxing(self, *_args: Any, **_options: Any) -> PodTemplate:
        """Return the template as it is."""
        return self


@dataclass
class Pod(PodTemplate):
    """The same as the config of a task.

    Raises:
        UsageError: There is no spec, or no name of a container.
    """

    def __post_init__(self) -> None:
        for field in ("pod_spec", "primary_container_name"):
            if not getattr(self, field):
                raise UsageError(f"a Pod needs its {field}", hint=f"Give it: Pod({field}=...).")
