"""``ImageSpec`` as Flyte 1 has it."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import alula
from alula.errors import ArgumentError, UnknownNameError

from .clusters import CopyFileDetection

if TYPE_CHECKING:
    from alula_kernel.images import ImageDescription


class ImageSpec(alula.ImageSpec):
    """An image by what is installed in it; see `alula.ImageSpec`. Names are lower case."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._set("name", self.name.lower())
        self._set("registry", self.registry and self.registry.lower())
        if self.source_root is not None:
            self._set("source_copy_mode", self.source_copy_mode or CopyFileDetection.LOADED_MODULES)

    def _set(self, field: str, value: Any) -> None:
        object.__setattr__(self, field, value)

    def image_name(self) -> str:
        """Return its reference; once it is built, the name that its builder gave it."""
        return ImageBuildEngine.name_of(self.reference)

    @property
    def reference(self) -> str:
        """Its registry, name and tag."""
        return super().image_name()

    def description(self) -> ImageDescription:
        """Return the description that is part of a task's spec; ``NO_COPY`` leaves the source out."""
        if self.source_copy_mode is CopyFileDetection.NO_COPY and self.source_root is not None:
            return dataclasses.replace(self, source_root=None, source_copy_mode=None).description()
        return super().description()

    @classmethod
    def from_env(cls, *, pinned_packages: Sequence[str] | None = None, **fields: Any) -> ImageSpec:
        """Describe an image with the Python, and with packages in the versions, that are here.

        Args:
            pinned_packages: Names of distributions.
            fields: As the class takes them; ``packages`` are added.

        Raises:
            ArgumentError: A version of Python is given.
            UnknownNameError: A distribution is not installed.
        """
        if "python_version" in fields:
            raise ArgumentError(
                "python_version can not be used with `from_env`",
                hint="It takes the version of the Python that is here.",
            )
        pinned = [f"{name}=={_version(name)}" for name in pinned_packages or ()]
        packages = [*pinned, *(fields.pop("packages", None) or ())]
        return cls(packages=packages, python_version=f"{sys.version_info.major}.{sys.version_info.minor}", **fields)

    def with_builder_options(self, builder_options: Mapping[str, Any]) -> ImageSpec:
        """Add options of what builds it."""
        return dataclasses.replace(self, builder_options={**(self.builder_options or {}), **builder_options})

    def force_push(self) -> ImageSpec:
        """Return the image as it is: an image is built when somebody asks for it."""
        return self

    @property
    def tag(self) -> str:
        """The last part of its reference, which follows from its content."""
        return self.reference.rpartition(":")[2]

    @property
    def id(self) -> str:
        """What tells it from others: its tag, which says nothing of what builds it."""
        return self.tag


class ImageSpecBuilder:
    """What builds images: a subclass has ``build_image``, and is given to `ImageBuildEngine.register`."""

    def build_image(self, image_spec: ImageSpec) -> str | None:
        """Build an image.

        Returns:
            The name under which it is found; None for `ImageSpec.image_name`.
        """
        raise NotImplementedError(f"{type(self).__name__} has no method build_image")

    def should_build(self, image_spec: ImageSpec) -> bool:
        """Tell whether `build_image` is called: always, as no registry is asked for images."""
        return True


class NoOpBuilder(ImageSpecBuilder):
    """Takes the base image as it is."""

    builder_type = "noop"

    def build_image(self, image_spec: ImageSpec) -> str:
        """Return the base image.

        Raises:
            ArgumentError: It is not given by its name.
        """
        if not isinstance(image_spec.base_image, str):
            raise ArgumentError(
                f"base_image must be a string to use the noop image builder, found {image_spec.base_image!r}",
                hint="Give the name of an image that exists.",
            )
        return image_spec.base_image


class ImageBuildEngine:
    """The builders that a program has registered. They build where the program says so; runs here need no image."""

    _builders: ClassVar[dict[str, tuple[ImageSpecBuilder, int]]] = {NoOpBuilder.builder_type: (NoOpBuilder(), 0)}
    _built: ClassVar[dict[str, str]] = {}

    @classmethod
    def name_of(cls, reference: str) -> str:
        """Return the name that the builder of an image gave it; its reference if it was not built."""
        return cls._built.get(reference, reference)

    @classmethod
    def register(cls, builder_type: str, image_spec_builder: ImageSpecBuilder, priority: int = 5) -> None:
        """Add a builder; the one with the highest priority builds images that name none."""
        cls._builders[builder_type] = (image_spec_builder, priority)

    @classmethod
    def get_registry(cls) -> dict[str, tuple[ImageSpecBuilder, int]]:
        """Return the builders with their priorities, by name."""
        return cls._builders

    @classmethod
    def build(cls, image_spec: ImageSpec) -> None:
        """Build an image, and what it starts from before; inside of a task nothing is built.

        Raises:
            UnknownNameError: No builder of its name is registered.
        """
        if alula.ctx() is not None:
            return
        if isinstance(image_spec.base_image, ImageSpec):
            cls.build(image_spec.base_image)
        name = image_spec.builder or max(cls._builders, key=lambda name: cls._builders[name][1])
        if name not in cls._builders:
            raise UnknownNameError.among("image builder", name, cls._builders)
        builder, _ = cls._builders[name]
        if builder.should_build(image_spec):
            named = image_spec.reference
            cls._built[named] = builder.build_image(image_spec) or named


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        known = (found.name for found in importlib.metadata.distributions())
        raise UnknownNameError.among("distribution", distribution, known) from None
