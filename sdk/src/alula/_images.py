"""Descriptions of images, in the words of both generations.

Both make an `alula_kernel.images.ImageDescription`, which is part of a task's spec. Where there are no containers, it
becomes a virtual environment for the task's processes; a run in one process uses the Python that is there.
"""

from __future__ import annotations

import dataclasses
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from alula_kernel.errors import ArgumentError

from ._state import call_site

if TYPE_CHECKING:
    from alula_kernel.images import ImageDescription, Layer

_PROGRAM_PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
_Texts = str | Sequence[str] | None
_LISTS_OF_STRINGS = {
    "packages": "A file of requirements is given as requirements=.",
    "conda_packages": "",
    "conda_channels": "",
    "apt_packages": "",
    "pip_extra_index_url": "",
    "entrypoint": "",
    "commands": "",
    "copy": "",
    "runtime_packages": "",
}
"""Fields of an `ImageSpec`, with what to do instead of giving something else."""
_REGISTRY = re.compile(r"(?i)[a-z0-9.-]+(:[0-9]+)?(/[a-z0-9._/-]+)?")
"""A host with or without a port, and a path of repositories; a tag belongs to the image."""


def _is_list_of_strings(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)


def _is_list_of_pairs(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, tuple) and len(item) == 2 for item in value)


def _is_dictionary(value: Any) -> bool:
    return isinstance(value, Mapping)


def _check(field: str, value: Any, fits: Callable[[Any], bool], wanted: str, hint: str = "") -> None:
    if value is not None and not fits(value):
        raise ArgumentError(f"{field} must be {wanted} or None, found {value!r}", hint=hint)


@dataclasses.dataclass(frozen=True)
class ImageSpec:
    """An image by what is installed in it. Methods return changed copies.

    Attributes:
        name: Its name.
        python_version: Version of Python, as ``3.11``; None for that of the program, or of the base image.
        builder: What builds it.
        source_root: Folder of the code; copied into it where `source_copy_mode` says so.
        env: Environment variables.
        registry: Where it is kept.
        packages: Python packages, as pip takes them.
        conda_packages: Conda packages.
        conda_channels: Conda channels.
        requirements: Path of a requirements file, a ``pyproject.toml`` or a ``uv.lock`` beside one.
        apt_packages: Debian packages.
        cuda: Version of CUDA.
        cudnn: Version of cuDNN.
        base_image: The image that it starts from; what another `ImageSpec` says comes first then.
        platform: Its platform, as ``linux/amd64``.
        pip_index: URL of a package index.
        pip_extra_index_url: More package indexes.
        pip_secret_mounts: Secrets that installing needs, as pairs of their file here and their path in the image.
        pip_extra_args: More arguments of pip.
        registry_config: Path of a registry configuration.
        entrypoint: Its entry point.
        commands: Commands run at its end.
        tag_format: How its tag is made.
        source_copy_mode: Which code is copied into it; None for none.
        copy: Files and folders that are copied into it.
        python_exec: Path of Python in it.
        runtime_packages: Packages installed when it starts.
        builder_options: Options of what builds it.
        builder_config: Configuration of what builds it.

    Raises:
        ArgumentError: A value is not of the type that is said here, or the registry is no name of one.
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
    _beside: str = dataclasses.field(init=False, repr=False, compare=False, default="")

    def __post_init__(self) -> None:
        object.__setattr__(self, "_beside", _callers_folder())
        for field, hint in _LISTS_OF_STRINGS.items():
            _check(field, getattr(self, field), _is_list_of_strings, "a list of strings", hint)
        _check("pip_secret_mounts", self.pip_secret_mounts, _is_list_of_pairs, "a list of tuples of two strings")
        _check("env", self.env, _is_dictionary, "a dictionary")
        _check("builder_options", self.builder_options, _is_dictionary, "a dictionary")
        if self.registry is not None and not _REGISTRY.fullmatch(self.registry):
            raise ArgumentError(
                f"Invalid container registry name {self.registry!r}",
                hint="Give a host with its port if it has one, and a path: localhost:30000, registry.example/team.",
            )

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
        changes: dict[str, Any] = {field: [*(getattr(self, field) or ()), *_texts(added)]}
        return dataclasses.replace(self, **changes)

    def is_container(self) -> bool:
        """Tell whether code of the image may be imported here: True, as imports of other tasks' packages fail by themselves."""
        return True

    def image_name(self) -> str:
        """Return its reference: registry, name, and a tag that follows from the content.

        Raises:
            UsageError: A file that it names cannot be read, or it cannot be described.
        """
        return self.description().reference

    @property
    def tag(self) -> str:
        """Its tag, which follows from the content; errors are those of `image_name`."""
        return self.description().tag

    def description(self) -> ImageDescription:
        """Return the description that is part of a task's spec. Files that it names are read now.

        Raises:
            UsageError: A file that it names cannot be read, or an index URL holds a password.
        """
        from msgspec.structs import replace

        from alula_kernel.images import AptPackages, Commands, CondaPackages, EnvVars, ImageDescription

        from . import _image_layers as make

        before = self.base_image.description() if isinstance(self.base_image, ImageSpec) else ImageDescription()
        base = make.base_image(self.cuda, self.cudnn) or (self.base_image if isinstance(self.base_image, str) else "")
        layers: list[Layer] = []
        if self.apt_packages:
            layers.append(AptPackages(_texts(self.apt_packages)))
        if self.conda_packages:
            layers.append(CondaPackages(_texts(self.conda_packages), _texts(self.conda_channels)))
        if self.env:
            layers.append(EnvVars(dict(self.env)))
        options = make.installs(
            self.pip_index,
            self.pip_extra_index_url,
            extra_args=self.pip_extra_args,
            secret_mounts=self.pip_secret_mounts,
        )
        if self.requirements:
            layers.append(make.requirements_layer(self.requirements, options, self._beside))
        if self.packages:
            layers.append(make.packages_layer(_texts(self.packages), options))
        copied = [self.source_root] if self.source_root and self.source_copy_mode is not None else []
        layers += [make.copied_files(path, path, self._beside) for path in [*copied, *_texts(self.copy)]]
        if self.commands:
            layers.append(Commands(_texts(self.commands)))
        python = self.python_version or before.python_version
        return replace(
            before,
            base=base or before.base,
            python_version=python or ("" if base or before.base else _PROGRAM_PYTHON),
            layers=(*before.layers, *layers),
            runtime_packages=(*before.runtime_packages, *_texts(self.runtime_packages)),
            entrypoint=_texts(self.entrypoint) or before.entrypoint,
            platforms=(self.platform,) if self.platform else before.platforms,
            registry=self.registry or before.registry,
            name=self.name,
            builder=self.builder or before.builder,
        )

    def __str__(self) -> str:
        fields = ((field.name, getattr(self, field.name)) for field in dataclasses.fields(self) if field.init)
        return f"ImageSpec({', '.join(f'{name}={value!r}' for name, value in fields if value is not None)})"


@dataclasses.dataclass(frozen=True)
class _Step:
    """One layer as its author wrote it; files that it names are read when a description is made.

    Attributes:
        kind: Name of the function of `_image_layers` that makes it.
        arguments: What that function is given.
        beside: Folder of the file in which it was written, if the function reads files.
    """

    kind: str
    arguments: tuple[Any, ...]
    beside: str = dataclasses.field(default="", compare=False, repr=False)


@dataclasses.dataclass(frozen=True)
class Image:
    """An image as a base and layers on it. Methods return changed copies.

    Attributes:
        base_image: The image that it starts from; None for one with Python and Alula.
        registry: Where it is kept.
        name: Its name.
        python_version: Version of Python, as ``(3, 12)``; None for that of the program, or of the base image.
        platform: Its platforms, as ``("linux/amd64",)``.
        layers: What is done on top, in order.
    """

    base_image: str | None = None
    registry: str | None = None
    name: str | None = None
    python_version: tuple[int, int] | None = None
    platform: tuple[str, ...] = ("linux/amd64",)
    layers: tuple[_Step, ...] = ()

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
        """Describe an image by its Dockerfile, to which nothing can be added."""
        platforms = (platform,) if isinstance(platform, str) else tuple(platform or ("linux/amd64",))
        step = _Step("dockerfile_layer", (str(file),), _callers_folder())
        return cls(None, registry, name, None, platforms, (step,))

    @classmethod
    def from_uv_script(
        cls,
        script: Path | str,
        *,
        name: str,
        registry: str | None = None,
        python_version: tuple[int, int] | None = None,
        platform: tuple[str, ...] | None = None,
        **installing: Any,
    ) -> Image:
        """Install what the inline metadata of a script asks for (PEP 723).

        Args:
            script: Path of the script.
            name: Name of the image.
            registry: Where it is kept.
            python_version: Version of Python.
            platform: Its platforms.
            installing: As `with_pip_packages` takes them.
        """
        begun = cls(None, registry, name, python_version, platform or ("linux/amd64",))
        return begun._install("script_layer", str(script), **installing)

    def with_pip_packages(
        self,
        *packages: str,
        index_url: str | None = None,
        extra_index_urls: _Texts = None,
        pre: bool = False,
        extra_args: str | None = None,
        secret_mounts: Any = None,
    ) -> Image:
        """Install Python packages.

        Args:
            packages: The packages, as pip takes them.
            index_url: The package index; None for the installer's default.
            extra_index_urls: More indexes.
            pre: Whether versions before a release are taken.
            extra_args: More arguments of the installer.
            secret_mounts: Secrets that installing needs: names or `Secret` objects.
        """
        return self._install(
            "packages_layer",
            packages,
            index_url=index_url,
            extra_index_urls=extra_index_urls,
            pre=pre,
            extra_args=extra_args,
            secret_mounts=secret_mounts,
        )

    def with_requirements(self, file: Path | str, **installing: Any) -> Image:
        """Install what a requirements file lists.

        Args:
            file: Path of the file.
            installing: As `with_pip_packages` takes them.
        """
        return self._install("requirements_layer", str(file), **installing)

    def with_uv_project(self, pyproject_file: Path | str, uvlock: Path | None = None, **installing: Any) -> Image:
        """Install the dependencies of a project, as locked by uv.

        Args:
            pyproject_file: Path of its ``pyproject.toml``.
            uvlock: Path of its lock file; None for ``uv.lock`` beside it, if there is one.
            installing: As `with_pip_packages` takes them.
        """
        return self._install("project_layer", str(pyproject_file), str(uvlock or ""), **installing)

    def with_apt_packages(self, *packages: str) -> Image:
        """Install Debian packages."""
        return self._layer("apt_layer", packages)

    def with_commands(self, commands: Sequence[str]) -> Image:
        """Run commands."""
        return self._layer("commands_layer", _texts(commands))

    def with_env_vars(self, env_vars: Mapping[str, str]) -> Image:
        """Set environment variables."""
        return self._layer("env_layer", tuple(env_vars.items()))

    def with_source_file(self, src: Path | str | Sequence[Path], dst: str = ".") -> Image:
        """Copy files into a folder."""
        files = [src] if isinstance(src, (Path, str)) else src
        image = self
        for file in files:
            image = image._layer("copied_files", str(file), f"{dst}/{Path(file).name}")
        return image

    def with_source_folder(self, src: Path | str, dst: str = ".", copy_contents_only: bool = False) -> Image:
        """Copy a folder into a folder, or what is in it."""
        return self._layer("copied_files", str(src), dst if copy_contents_only else f"{dst}/{Path(src).name}")

    def with_workdir(self, workdir: str) -> Image:
        """Set the working directory."""
        return self._layer("workdir_layer", workdir)

    def clone(self, **changes: Any) -> Image:
        """Return a copy with other attributes."""
        return dataclasses.replace(self, **changes)

    @property
    def uri(self) -> str:
        """Its reference: registry, name, and a tag that follows from the content; the base itself if nothing is added.

        Raises:
            UsageError: A file that it names cannot be read.
        """
        return self.description().reference if self.layers or not self.base_image else self.base_image

    def description(self) -> ImageDescription:
        """Return the description that is part of a task's spec. Files that it names are read now.

        Raises:
            UsageError: A file that it names cannot be read, or an index URL holds a password.
        """
        from alula_kernel.images import ImageDescription

        python = ".".join(map(str, self.python_version)) if self.python_version else ""
        return ImageDescription(
            base=self.base_image or "",
            python_version=python or ("" if self.base_image else _PROGRAM_PYTHON),
            layers=tuple(self._made()),
            platforms=self.platform,
            registry=self.registry or "",
            name=self.name or "",
        )

    def _made(self) -> Iterator[Layer]:
        from . import _image_layers

        for step in self.layers:
            function: Callable[..., Layer] = getattr(_image_layers, step.kind)
            yield function(*step.arguments, *((step.beside,) if step.beside else ()))

    def _install(
        self,
        kind: str,
        *arguments: Any,
        index_url: str | None = None,
        extra_index_urls: _Texts = None,
        pre: bool = False,
        extra_args: str | None = None,
        secret_mounts: Any = None,
    ) -> Image:
        from ._image_layers import installs

        options = installs(index_url, extra_index_urls, pre=pre, extra_args=extra_args, secret_mounts=secret_mounts)
        return self._layer(kind, *arguments, options)

    def _layer(self, kind: str, *arguments: Any) -> Image:
        beside = _callers_folder() if kind in _READ_FILES else ""
        return dataclasses.replace(self, layers=(*self.layers, _Step(kind, arguments, beside)))


_READ_FILES = frozenset({"requirements_layer", "project_layer", "script_layer", "dockerfile_layer", "copied_files"})


def _callers_folder() -> str:
    return os.path.dirname(call_site().rpartition(":")[0])


def _texts(texts: _Texts) -> tuple[str, ...]:
    """Return one text or many as a tuple."""
    return (texts,) if isinstance(texts, str) else tuple(texts or ())
