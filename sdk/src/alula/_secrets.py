"""Secrets: what a task asks for, and how a local run finds their values.

Values are read when a task asks, and are never part of a spec, an input, a log or a message.
"""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alula_kernel.errors import UsageError

if TYPE_CHECKING:
    from ._app import App


@dataclasses.dataclass(frozen=True)
class Secret:
    """A secret that a task asks for.

    Attributes:
        key: Its name.
        group: The group that it belongs to.
        group_version: Version of the group.
        mount_requirement: How it must be given to the task; ``any`` if that does not matter.
        env_var: Environment variable under which the task wants it.
        as_env_var: Another name of `env_var`.
        mount: Path at which the task wants it.
    """

    key: str | None = None
    group: str | None = None
    group_version: str | None = None
    mount_requirement: Any = "any"
    env_var: str | None = None
    as_env_var: str | None = None
    mount: Path | None = None

    def __post_init__(self) -> None:
        if not self.key and not self.group:
            raise UsageError("a Secret needs a key, a group, or both")


class Secrets:
    """The secrets that a running task may read.

    In a local run they come from the environment variable ``ALULA_SECRET_<GROUP>_<KEY>``, in capitals, or from the file
    ``<ALULA_HOME>/secrets/<group>/<key>``; without a group, that part is left out.

    Args:
        app: The application.
    """

    def __init__(self, app: App) -> None:
        self._home = app.settings.home

    def get(
        self, group: str | None = None, key: str | None = None, group_version: str | None = None, encode_mode: str = "r"
    ) -> Any:
        """Return the value of a secret.

        Args:
            group: Its group.
            key: Its name.
            group_version: Version of the group; not looked at in a local run.
            encode_mode: ``"r"`` for text, ``"rb"`` for bytes.

        Raises:
            UsageError: There is no such secret; the message says where it was looked for.
        """
        variable = "_".join(["ALULA_SECRET", *(_capitals(part) for part in (group, key) if part)])
        if variable in os.environ:
            text = os.environ[variable]
            return text.encode() if encode_mode == "rb" else text
        parts = [part for part in (group, key) if part]
        path = self._home.joinpath("secrets", *parts)
        safe = all(part not in {".", ".."} and "/" not in part for part in parts)
        if parts and safe and path.is_file():
            return path.read_bytes() if encode_mode == "rb" else path.read_text().rstrip("\n")
        raise UsageError(
            f"there is no secret {'/'.join(parts)!r}", hint=f"Set {variable}, or put the value into the file {path}."
        )


def _capitals(part: str) -> str:
    return re.sub(r"\W", "_", part).upper()
