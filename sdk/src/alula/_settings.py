"""Where Alula keeps its things on this machine."""

from __future__ import annotations

import importlib
import os
import sys
from typing import TYPE_CHECKING

import msgspec

from alula_kernel.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

DEFAULT_CACHE = "sqlite"
"""Name of the cache that is used if no other is chosen."""

_VARIABLES = ("ALULA_HOME", "HOME", "ALULA_DATA", "ALULA_CACHE", "ALULA_PROJECT", "ALULA_DOMAIN", "ALULA_PRELOAD")


class Settings(msgspec.Struct, frozen=True):
    """Settings of one application object.

    Attributes:
        folder: Absolute path of the folder of the local cache, run history and data.
        data: URI or folder under which content-addressed data is stored; empty for ``<folder>/data``.
        cache: Name of the cache to use.
        project: Project of local runs.
        domain: Domain of local runs.
        preload: Modules that are imported before any code of the user's, in every process of a run.
    """

    folder: str
    data: str = ""
    cache: str = DEFAULT_CACHE
    project: str = "default"
    domain: str = "development"
    preload: tuple[str, ...] = ()

    @classmethod
    def from_environment(cls) -> Settings:
        """Read ``ALULA_HOME``, ``ALULA_DATA``, ``ALULA_CACHE``, ``ALULA_PROJECT``, ``ALULA_DOMAIN`` and ``ALULA_PRELOAD``.

        Raises:
            UsageError: ``ALULA_HOME`` is a file.
        """
        folder = os.path.abspath(os.path.expanduser(os.environ.get("ALULA_HOME") or os.path.join("~", ".alula")))
        if not os.path.isdir(folder) and os.path.exists(folder):
            raise UsageError(
                f"ALULA_HOME is {folder}, which is not a folder", hint="Point it at a folder, or unset it."
            )
        return cls(
            folder=folder,
            data=os.environ.get("ALULA_DATA", ""),
            cache=os.environ.get("ALULA_CACHE", DEFAULT_CACHE),
            project=os.environ.get("ALULA_PROJECT", "default"),
            domain=os.environ.get("ALULA_DOMAIN", "development"),
            preload=tuple(filter(None, os.environ.get("ALULA_PRELOAD", "").split(","))),
        )

    @staticmethod
    def variables() -> tuple[str | None, ...]:
        """Return the environment variables on which `from_environment` depends, which takes longer."""
        return tuple(map(os.environ.get, _VARIABLES))

    def environment(self) -> dict[str, str]:
        """Return the environment variables from which another process reads these settings."""
        return {
            "ALULA_HOME": self.folder,
            "ALULA_DATA": self.data,
            "ALULA_CACHE": self.cache,
            "ALULA_PROJECT": self.project,
            "ALULA_DOMAIN": self.domain,
            **({"ALULA_PRELOAD": ",".join(self.preload)} if self.preload else {}),
        }

    def import_preloaded(self) -> None:
        """Import the modules of `preload` that are not imported yet.

        Raises:
            UsageError: One of them cannot be imported.
        """
        for name in self.preload:
            if name not in sys.modules:
                try:
                    importlib.import_module(name)
                except ImportError as problem:
                    raise UsageError(
                        f"ALULA_PRELOAD names the module {name!r}, which cannot be imported: {problem}",
                        hint="Install what brings it, or unset ALULA_PRELOAD.",
                    ) from problem

    @property
    def home(self) -> Path:
        """The folder, as a path object."""
        from pathlib import Path

        return Path(self.folder)

    def path(self, name: str) -> str:
        """Return the path of what is kept in the folder under a name; without `pathlib`, which takes long to import."""
        return os.path.join(self.folder, name)

    @property
    def data_root(self) -> str:
        """URI or folder under which content-addressed data is stored."""
        return self.data or self.path("data")
