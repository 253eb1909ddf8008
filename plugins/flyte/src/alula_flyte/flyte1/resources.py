"""``Resources`` as data, and those of a task."""

from __future__ import annotations

import json
from typing import Any

import msgspec

import alula


class Resources(alula.Resources, frozen=True):
    """What a task needs; see `alula.Resources`."""

    def to_dict(self) -> dict[str, Any]:
        """Return what is given, and None for the rest."""
        return msgspec.structs.asdict(self)

    def to_json(self) -> str:
        """Return `to_dict` as JSON."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_dict(cls, d: dict[str, Any]) -> Resources:
        """Make one of what `to_dict` returned."""
        return cls(**d)

    @classmethod
    def from_json(cls, data: str | bytes) -> Resources:
        """Make one of what `to_json` returned."""
        return cls.from_dict(json.loads(data))


class ResourceSpec(msgspec.Struct, frozen=True):
    """What a task needs and what it may use; of a single value in `Resources`, only the first is known.

    Args:
        requests: What it needs.
        limits: What it may use.
    """

    requests: Resources
    limits: Resources

    @classmethod
    def from_multiple_resource(cls, resource: alula.Resources) -> ResourceSpec:
        """Take pairs of request and limit apart."""
        given = {name: value for name, value in msgspec.structs.asdict(resource).items() if value is not None}
        pairs = {name: value for name, value in given.items() if isinstance(value, (tuple, list))}
        requests = {name: value[0] if name in pairs else value for name, value in given.items()}
        return cls(Resources(**requests), Resources(**{name: value[1] for name, value in pairs.items()}))
