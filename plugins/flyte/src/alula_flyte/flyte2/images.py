"""``flyte.Image``: `alula.Image` with the steps of Flyte's that say nothing to Alula."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import alula

DIST_FOLDER = Path("dist")
"""Where wheels of one's own would be."""


@dataclasses.dataclass(frozen=True)
class PythonWheels:
    """A layer with wheels from a folder, which is left out.

    Attributes:
        wheel_dir: The folder.
        package_name: The package.
        pre: Whether versions before a release are taken.
    """

    wheel_dir: Path | None = None
    package_name: str = ""
    pre: bool = False


@dataclasses.dataclass(frozen=True)
class Image(alula.Image):
    """An image; steps that are of use with Flyte's packages or builders only are left out."""

    @classmethod
    def from_debian_base(
        cls,
        python_version: tuple[int, int] | None = None,
        flyte_version: str | None = None,
        install_flyte: bool = True,
        *,
        registry: str | None = None,
        name: str | None = None,
        platform: tuple[str, ...] | None = None,
        **_unused: Any,
    ) -> Image:
        """Begin with a small Debian that has Python and Alula."""
        return cls(None, registry, name, python_version, platform or ("linux/amd64",))

    @classmethod
    def from_ref_name(cls, name: str = "default") -> Image:
        """Begin with an image that Flyte's configuration names: with one that has Python and Alula."""
        return cls(name=name)

    @classmethod
    def from_uv_script(
        cls,
        script: Path | str,
        *,
        name: str,
        registry_secret: Any = None,
        **settings: Any,
    ) -> Any:
        """Install what the inline metadata of a script asks for."""
        return super().from_uv_script(script, name=name, **settings)

    @classmethod
    def from_pixi_script(cls, script: Path | str, *, name: str, registry: str | None = None, **_unused: Any) -> Image:
        """Begin with an image that has Python and Alula; what pixi would install is left out."""
        return cls(None, registry, name)

    def clone(self, **changes: Any) -> Any:
        """Return a copy with other attributes; a layer of Flyte's own classes is left out."""
        left_out = ("registry_secret", "addl_layer", "extendable")
        changes = {name: value for name, value in changes.items() if value is not None and name not in left_out}
        if isinstance(changes.get("platform"), str):
            changes["platform"] = (changes["platform"],)
        return super().clone(**changes)

    def with_apt_packages(self, *packages: str, secret_mounts: Any = None) -> Any:
        """Install Debian packages."""
        return super().with_apt_packages(*packages)

    def with_commands(self, commands: Sequence[str], secret_mounts: Any = None) -> Any:
        """Run commands."""
        return super().with_commands(commands)

    def with_uv_project(
        self,
        pyproject_file: Path | str,
        uvlock: Path | None = None,
        project_install_mode: str = "dependencies_only",
        **installing: Any,
    ) -> Any:
        """Install the dependencies of a project, as locked by uv."""
        return super().with_uv_project(pyproject_file, uvlock, **installing)

    def with_poetry_project(self, pyproject_file: Path | str, **_unused: Any) -> Image:
        """Leave out what poetry would install."""
        return self

    def with_pixi_project(self, manifest_file: Path | str, **_unused: Any) -> Image:
        """Leave out what pixi would install."""
        return self

    def with_code_bundle(self, copy_style: str = "loaded_modules", dst: str = ".") -> Image:
        """Leave out the code, which reaches workers by itself."""
        return self

    def with_dockerignore(self, path: Path) -> Image:
        """Leave out a file of Docker's."""
        return self

    def with_local_v2(self) -> Image:
        """Leave out Flyte."""
        return self

    def with_local_rs_controller(self) -> Image:
        """Leave out a part of Flyte."""
        return self

    def with_local_v2_plugins(self, plugins: str | list[str] | None = None) -> Image:
        """Leave out plugins of Flyte."""
        return self
