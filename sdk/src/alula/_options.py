"""Options of launch plans and workflows."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Labels:
    """Labels; a plain dict does as well.

    Attributes:
        values: The labels.
    """

    values: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def keys(self) -> Any:
        """Names of the labels, so that ``dict(labels)`` works."""
        return self.values.keys()

    def __getitem__(self, name: str) -> str:
        return self.values[name]


class Annotations(Labels):
    """Annotations; a plain dict does as well."""


@dataclasses.dataclass(frozen=True)
class RawOutputDataConfig:
    """Where a run stores its data.

    Attributes:
        output_location_prefix: URI prefix.
    """

    output_location_prefix: str = ""


@dataclasses.dataclass(frozen=True)
class Options:
    """Options of the default launch plan of a workflow, or of one launch.

    Attributes:
        labels: Labels of its runs.
        annotations: Annotations of its runs.
        raw_output_data_config: Where its runs store data.
        security_context: As whom its runs run.
        max_parallelism: Most attempts at once.
        notifications: What is told to whom.
        disable_notifications: Whether nobody is told anything.
        overwrite_cache: Whether cached outputs are ignored and replaced.
    """

    labels: Mapping[str, str] | Labels | None = None
    annotations: Mapping[str, str] | Annotations | None = None
    raw_output_data_config: RawOutputDataConfig | None = None
    security_context: Any = None
    max_parallelism: int | None = None
    notifications: list[Any] | None = None
    disable_notifications: bool | None = None
    overwrite_cache: bool | None = None
