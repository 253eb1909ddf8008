"""Descriptions of container images, in the words of both generations.

A description is part of a task's spec and decides nothing in a local run, which uses the Python that is there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


@dataclasses.dataclass(frozen=True)
class ImageSpec:
    """An image by what is installed in it. Methods return changed copies.

    Attributes:
        name: Its name.
        python_version: Version of Python, as ``3.11``.
        builder: What builds it.
        source_root: Folder of the code that is copied into it.
        env: Environment variables.
        registry: Where it is kept.
        packages: Python packages, as pip takes them.
        conda_packages: Conda packages.
        conda_channels: Conda channels.
        requirements: Path of a requirements file.
        apt_packages: Debian packages.
        cuda: Version of CUDA.
        cudnn: Version of cuDNN.
        base_image: The image that it starts from.
        platform: Its platform, as ``linux/amd64``.
        pip_index: URL of a package index.
        pip_extra_index_url: More package indexes.
        pip_secret_mounts: Secrets that installing needs.
        pip_extra_args: More arguments of pip.
        registry_config: Path of a registry configuration.
        entrypoint: Its entry point.
        commands: Commands run at its end.
        tag_format: How its tag is made.
        source_copy_mode: Which code is copied into it.
        copy: Files and folders that are copied into it.
        python_exec: Path of Python in it.
        runtime_packages: Packages installed when it starts.
        builder_options: Options of what builds it.
        builder_config: Configuration of what builds it.
    """

    name: str = "alula"
    python_version: str | None = None
    builder: str | None = None
    source_root: str | None = None
    env: Mapping[str, str] | None = None
    registry: str | None = None
    packages: Sequence[str] | None = None
    conda_packages: Sequence[str] | None = None
    conda_channels: Sequence[str] | None = None
    requirements: str | None = None
    apt_packages: Sequence[str] | None = None
    cuda: str | None = None
    cudnn: str | None = None
    base_image: str | ImageSpec | None = None
    platform: str | None = None
    pip_index: str | None = None
    pip_extra_index_url: Sequence[str] | None = None
    pip_secret_mounts: Sequence[tuple[str, str]] | None = None
    pip_extra_args: str | None = None
    registry_config: str | None = None
    entrypoint: Sequence[str] | None = None
    commands: Sequence[str] | None = None
    tag_format: str | None = None
    source_copy_mode: Any = None
    copy: Sequence[str] | None = None
    python_exec: str | None = None
    runtime_packages: Sequence[str] | None = None
    builder_options: Mapping[str, Any] | None = None
    builder_config: Mapping[str, Any] | None = None

    def with_packages(self, packages: str | Sequence[str]) -> ImageSpec:
        """Add Python packages."""
        return self._with("packages", packages)

    def with_apt_packages(self, packages: str | Sequence[str]) -> ImageSpec:
        """Add Debian packages."""
        return self._with("apt_packages", packages)

    def with_commands(self, commands: str | Sequence[str]) -> ImageSpec:
        """Add commands."""
        return self._with("commands", commands)

    def with_copy(self, src: str | Sequence[str]) -> ImageSpec:
        """Add files and folders."""
        return self._with("copy", src)

    def with_runtime_packages(self, runtime_packages: Sequence[str]) -> ImageSpec:
        """Add packages that are installed when it starts."""
        return self._with("runtime_packages", runtime_packages)

    def _with(self, field: str, added: str | Sequence[str]) -> ImageSpec:
        more = [added] if isinstance(added, str) else list(added)
        changes: dict[str, Any] = {field: [*(getattr(self, field) or ()), *more]}
        return dataclasses.replace(self, **changes)

    def is_container(self) -> bool:
        """Tell whether code of the image may be imported here: True, as a local run uses the Python that is there."""
        return True

    def __str__(self) -> str:
        fields = ((field.name, getattr(self, field.name)) for field in dataclasses.fields(self))
        return f"ImageSpec({', '.join(f'{name}={value!r}' for name, value in fields if value is not None)})"


@dataclasses.dataclass(frozen=True)
class Image:
    """An image as a base and layers on it. Methods return changed copies.

    Attributes:
        base_image: The image that it starts from; None for one with Python and Alula.
        registry: Where it is kept.
        name: Its name.
        python_version: Version of Python, as ``(3, 12)``; None for that of the program.
        platform: Its platforms, as ``("linux/amd64",)``.
        layers: What is done on top, in order: the kind of each layer and its arguments.
    """

    base_image: str | None = None
    registry: str | None = None
    name: str | None = None
    python_version: tuple[int, int] | None = None
    platform: tuple[str, ...] = ("linux/amd64",)
    layers: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @classmethod
    def from_debian_base(
        cls,
        python_version: tuple[int, int] | None = None,
        *,
        registry: str | None = None,
        name: str | None = None,
        platform: tuple[str, ...] | None = None,
    ) -> Image:
        """Begin with a small Debian that has Python and Alula."""
        return cls(None, registry, name, python_version, platform or ("linux/amd64",))

    @classmethod
    def from_base(cls, image_uri: str) -> Image:
        """Begin with an image that exists."""
        return cls(image_uri)

    @classmethod
    def from_dockerfile(cls, file: Path | str, registry: str, name: str, platform: Any = None) -> Image:
        """Describe an image by its Dockerfile."""
        platforms = (platform,) if isinstance(platform, str) else tuple(platform or ("linux/amd64",))
        return cls(None, registry, name, None, platforms, (("dockerfile", (str(file),)),))

    @classmethod
    def from_uv_script(
        cls,
        script: Path | str,
        *,
        name: str,
        registry: str | None = None,
        python_version: tuple[int, int] | None = None,
        platform: tuple[str, ...] | None = None,
    ) -> Image:
        """Install what the inline metadata of a script asks for (PEP 723)."""
        layers = (("uv_script", (str(script),)),)
        return cls(None, registry, name, python_version, platform or ("linux/amd64",), layers)

    def with_pip_packages(self, *packages: str, extra_args: str | None = None) -> Image:
        """Install Python packages."""
        return self._layer("pip", *packages, *((extra_args,) if extra_args else ()))

    def with_requirements(self, file: Path | str) -> Image:
        """Install what a requirements file lists."""
        return self._layer("requirements", str(file))

    def with_uv_project(self, pyproject_file: Path | str, uvlock: Path | None = None) -> Image:
        """Install the dependencies of a project, as locked by uv."""
        return self._layer("uv_project", str(pyproject_file), *((str(uvlock),) if uvlock else ()))

    def with_apt_packages(self, *packages: str) -> Image:
        """Install Debian packages."""
        return self._layer("apt", *packages)

    def with_commands(self, commands: Sequence[str]) -> Image:
        """Run commands."""
        return self._layer("commands", *commands)

    def with_env_vars(self, env_vars: Mapping[str, str]) -> Image:
        """Set environment variables."""
        return self._layer("env", *(f"{name}={value}" for name, value in env_vars.items()))

    def with_source_file(self, src: Path | str | Sequence[Path], dst: str = ".") -> Image:
        """Copy files."""
        files = [src] if isinstance(src, (Path, str)) else src
        return self._layer("copy", *(str(file) for file in files), dst)

    def with_source_folder(self, src: Path | str, dst: str = ".") -> Image:
        """Copy a folder."""
        return self._layer("copy", str(src), dst)

    def with_workdir(self, workdir: str) -> Image:
        """Set the working directory."""
        return self._layer("workdir", workdir)

    def clone(self, **changes: Any) -> Image:
        """Return a copy with other attributes."""
        return dataclasses.replace(self, **changes)

    def _layer(self, kind: str, *arguments: str) -> Image:
        return dataclasses.replace(self, layers=(*self.layers, (kind, arguments)))
