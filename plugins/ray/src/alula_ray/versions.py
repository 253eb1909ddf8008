"""Whether the Ray of this environment and that of a cluster understand each other."""

from __future__ import annotations

import importlib.metadata

from .messages import VersionError


def check_version(cluster: str, address: str) -> None:
    """Refuse a cluster with another version of Ray.

    Raises:
        VersionError: It has another one.
    """
    here = importlib.metadata.version("ray")
    if cluster != here:
        raise VersionError(f"the cluster at {address} runs Ray {cluster}, and this environment has Ray {here}")
