"""Where Alula keeps its things on this machine."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from alula_kernel.errors import UsageError


@dataclasses.dataclass(frozen=True)
class Settings:
    """Settings of one application object.

    Attributes:
        home: Folder of the local cache, run history and data.
        data: URI or folder under which content-addressed data is stored; empty for ``<home>/data``.
        cache: Name of the cache to use.
        project: Project of local runs.
        domain: Domain of local runs.
    """

    home: Path
    data: str = ""
    cache: str = "sqlite"
    project: str = "default"
    domain: str = "development"

    @classmethod
    def from_environment(cls) -> Settings:
        """Read ``ALULA_HOME``, ``ALULA_DATA``, ``ALULA_CACHE``, ``ALULA_PROJECT`` and ``ALULA_DOMAIN``.

        Raises:
            UsageError: ``ALULA_HOME`` is a file.
        """
        home = Path(os.environ.get("ALULA_HOME") or Path.home() / ".alula").expanduser().absolute()
        if home.exists() and not home.is_dir():
            raise UsageError(f"ALULA_HOME is {home}, which is not a folder", hint="Point it at a folder, or unset it.")
        return cls(
            home=home,
            data=os.environ.get("ALULA_DATA", ""),
            cache=os.environ.get("ALULA_CACHE", "sqlite"),
            project=os.environ.get("ALULA_PROJECT", "default"),
            domain=os.environ.get("ALULA_DOMAIN", "development"),
        )

    @property
    def data_root(self) -> str:
        """URI or folder under which content-addressed data is stored."""
        return self.data or str(self.home / "data")
