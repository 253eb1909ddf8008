"""What says how runs are done on a cluster: kept with launch plans and tasks, and of no meaning on this machine."""

from __future__ import annotations

import dataclasses
import enum
from typing import Any


@dataclasses.dataclass(frozen=True)
class AuthRole:
    """As whom a run runs.

    Attributes:
        assumable_iam_role: A role of AWS.
        kubernetes_service_account: A service account.
    """

    assumable_iam_role: str | None = None
    kubernetes_service_account: str | None = None


@dataclasses.dataclass(frozen=True)
class Identity:
    """Who a run is.

    Attributes:
        iam_role: A role of AWS.
        k8s_service_account: A service account.
        oauth2_client: A client.
        execution_identity: A user.
    """

    iam_role: str | None = None
    k8s_service_account: str | None = None
    oauth2_client: Any = None
    execution_identity: str | None = None


@dataclasses.dataclass(frozen=True)
class SecurityContext:
    """As whom a run runs, and with which secrets.

    Attributes:
        run_as: Who it is.
        secrets: Secrets.
        tokens: Tokens.
    """

    run_as: Identity | None = None
    secrets: Any = None
    tokens: Any = None


class ConcurrencyLimitBehavior:
    """What happens to a run when too many are under way."""

    SKIP = 0

    @classmethod
    def enum_to_string(cls, val: int) -> str:
        """Return the name."""
        return "SKIP" if val == cls.SKIP else "<UNKNOWN>"


@dataclasses.dataclass(frozen=True)
class ConcurrencyPolicy:
    """How many runs of a launch plan may be under way.

    Attributes:
        max_concurrency: The number.
        behavior: What happens to more.
    """

    max_concurrency: int
    behavior: int | None = None


class CopyFileDetection(enum.Enum):
    """Which files go along to a cluster."""

    LOADED_MODULES = 1
    ALL = 2
    NO_COPY = 3
