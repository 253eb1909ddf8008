"""``SecretsManager``: the secrets of the running task, or outside of one those that a task could have."""

from __future__ import annotations

from typing import Any

import alula


def secrets_manager(*_settings: Any, **_named: Any) -> Any:
    """Return the secrets of the running task, or those that a task could have."""
    return alula.current_context().secrets
