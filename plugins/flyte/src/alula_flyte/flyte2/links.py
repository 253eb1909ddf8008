"""``flyte.Link``: what a program's own links look like. A run on this machine shows none."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Link(Protocol):
    """A link shown beside an action."""

    name: str
    icon_uri: str | None

    def get_link(
        self,
        run_name: str,
        project: str,
        domain: str,
        context: dict[str, str],
        parent_action_name: str,
        action_name: str,
        pod_name: str,
        **kwargs: Any,
    ) -> str:
        """Return the address."""
        ...
