"""``ImageSpec`` as Flyte 1 has it."""

from __future__ import annotations

import dataclasses
import importlib.metadata
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import alula
from alula.errors import ArgumentError, UnknownNameError


class ImageSpec(alula.ImageSpec):
    """An image by what is installed in it; see `alula.ImageSpec`."""

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
            raise ArgumentError("from_env takes the Python that is here: python_version cannot be given")
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
        return self.image_name().rpartition(":")[2]

    @property
    def id(self) -> str:
        """What tells it from others: its tag, which says nothing of what builds it."""
        return self.tag


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        known = (found.name for found in importlib.metadata.distributions())
        raise UnknownNameError.among("distribution", distribution, known) from None
