"""``Secret`` and ``SecretsManager``: what a task asks for, and the secrets of the running task."""

from __future__ import annotations

from typing import Any

import alula


class Secret(alula.Secret):
    """A secret that a task asks for; as in Flyte 1, the group comes first.

    Args:
        group: The group that it belongs to.
        key: Its name.
        group_version: Version of the group.
        mount_requirement: How it must be given to the task.
        env_var: Environment variable under which the task wants it.
        named: More, as `alula.Secret` takes it.

    Raises:
        ArgumentError: It has neither key nor group, or cannot be given in that way.
    """

    def __init__(
        self,
        group: str | None = None,
        key: str | None = None,
        group_version: str | None = None,
        mount_requirement: Any = alula.Secret.MountType.ANY,
        env_var: str | None = None,
        **named: Any,
    ) -> None:
        super().__init__(key, group, group_version, mount_requirement, env_var, **named)


def secrets_manager(*_settings: Any, **_named: Any) -> Any:
    """Return the secrets of the running task, or those that a task could have."""
    return alula.current_context().secrets
