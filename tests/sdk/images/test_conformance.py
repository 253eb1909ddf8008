"""The builder that comes with Alula keeps what the contract promises."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from alula import Image
from alula._uv_builder import UvBuilder
from alula_kernel.images import ImageBuilder, ImageDescription
from alula_kernel.testing import ImageBuilderConformance


class TestUv(ImageBuilderConformance):
    @pytest.fixture
    def builder(self) -> ImageBuilder:
        return UvBuilder()

    @pytest.fixture
    def describe(self, offline: str) -> Callable[[str], ImageDescription]:
        versions = {"one": "1.0", "two": "2.0"}

        def describe(word: str) -> ImageDescription:
            return (
                Image.from_debian_base()
                .with_pip_packages(f"tinylib=={versions[word]}", extra_args=offline)
                .description()
            )

        return describe

    @pytest.fixture
    def impossible(self, offline: str) -> ImageDescription:
        return Image.from_debian_base().with_pip_packages("tinylib==9", extra_args=offline).description()
