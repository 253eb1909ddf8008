"""``flyte.config`` and ``flyte.git``: where a server would be found. There is none, so that nothing is read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Config:
    """A configuration with nothing in it.

    Attributes:
        source: The file that it would be read from.
    """

    source: Path | None = None

    @classmethod
    def auto(cls, config_file: Any = None) -> Config:
        """Return a configuration; the file is not read."""
        return cls(Path(config_file) if isinstance(config_file, (str, Path)) else None)


def auto(config_file: Any = None) -> Config:
    """Return a configuration; the file is not read."""
    return Config.auto(config_file)


def get_config_file(config_file: Any = None) -> None:
    """Return that there is no file."""


def set_if_exists(d: dict[str, Any], k: str, val: Any) -> dict[str, Any]:
    """Set an entry of a dict if there is a value, and return the dict."""
    if val:
        d[k] = val
    return d


def config_from_root(path: Path | str = ".flyte/config.yaml") -> Config:
    """Return a configuration; the file in the Git repository is not read."""
    return Config(Path(path))
