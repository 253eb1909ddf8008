"""``flyte.Secret``: a run on this machine does not need the secrets that its tasks ask for; what is there is given."""

from __future__ import annotations

import dataclasses
from typing import Any

import alula


@dataclasses.dataclass(frozen=True)
class Secret(alula.Secret):
    """A secret as `alula.Secret`, without which a task runs as well."""

    required: bool = False


def not_required(secrets: Any) -> Any:
    """Return the secrets of an environment, of which some may be names, as ones without which its tasks run as well."""
    if isinstance(secrets, str):
        return Secret(secrets)
    return [not_required(secret) for secret in secrets] if isinstance(secrets, (list, tuple)) else secrets
