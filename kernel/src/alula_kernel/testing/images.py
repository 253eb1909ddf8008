"""What every `ImageBuilder` promises."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import pytest

from ..errors import UsageError
from ..images import CONTAINER_IMAGE, ENVIRONMENT, BuildRequest, ImageBuilder, ImageDescription
from .scenarios import Conformance, needs
from .threads import in_threads

Describe = Callable[[str], ImageDescription]


class ImageBuilderConformance(Conformance):
    """What an image builder promises. A subclass provides `builder`, `describe` and, if it can, `impossible`.

    Attributes:
        makes_environments: Whether it makes environments, and not container images.
    """

    makes_environments = True

    @pytest.fixture
    def builder(self) -> ImageBuilder:
        """The builder under test."""
        raise NotImplementedError("a subclass of ImageBuilderConformance provides the fixture builder")

    @pytest.fixture
    def describe(self) -> Describe:
        """A function that describes an image which can be built; images of different words are different."""
        raise NotImplementedError("a subclass of ImageBuilderConformance provides the fixture describe")

    @pytest.fixture
    def impossible(self) -> ImageDescription:
        """An image that cannot be built."""
        raise NotImplementedError("a subclass of ImageBuilderConformance provides the fixture impossible")

    @pytest.fixture
    def told(self) -> list[str]:
        """What the builder reported."""
        return []

    @pytest.fixture
    def ask(
        self, told: list[str], tmp_path_factory: pytest.TempPathFactory
    ) -> Callable[[ImageDescription], BuildRequest]:
        """A function that makes a request; all of a test have one empty home."""
        home = str(tmp_path_factory.mktemp("home") / "made-when-needed")
        return lambda description: BuildRequest(description=description, home=home, report=told.append)

    def test_I01_says_what_it_makes(self, builder: ImageBuilder) -> None:
        """It is an `ImageBuilder` with a name, and says truly what it makes."""
        assert isinstance(builder, ImageBuilder)
        assert builder.name
        assert builder.makes == (ENVIRONMENT if self.makes_environments else CONTAINER_IMAGE)

    def test_I02_found_when_it_was_built(
        self, builder: ImageBuilder, describe: Describe, ask: Callable[[ImageDescription], BuildRequest]
    ) -> None:
        """`find` gives nothing before an image is built, and afterwards what `build` gave."""
        request = ask(describe("one"))
        assert builder.find(request) == ""
        built = builder.build(request)
        assert built
        assert builder.find(request) == built

    def test_I03_built_once(
        self,
        builder: ImageBuilder,
        describe: Describe,
        ask: Callable[[ImageDescription], BuildRequest],
        told: list[str],
    ) -> None:
        """Building is reported, and the same image is not built again: the answer is the same, and nothing is reported."""
        built = builder.build(ask(describe("one")))
        assert told
        told.clear()
        assert builder.build(ask(describe("one"))) == built
        assert told == []

    def test_I04_different_images_are_apart(
        self, builder: ImageBuilder, describe: Describe, ask: Callable[[ImageDescription], BuildRequest]
    ) -> None:
        """Different images are in different places."""
        assert builder.build(ask(describe("one"))) != builder.build(ask(describe("two")))

    def test_I05_many_threads(
        self, builder: ImageBuilder, describe: Describe, ask: Callable[[ImageDescription], BuildRequest]
    ) -> None:
        """Threads that build the same image at the same time get the same answer."""
        built: list[str] = []
        in_threads(lambda _n: built.append(builder.build(ask(describe("one")))), 3)
        assert len(built) == 3
        assert len(set(built)) == 1

    def test_I06_an_impossible_image(
        self, builder: ImageBuilder, impossible: ImageDescription, ask: Callable[[ImageDescription], BuildRequest]
    ) -> None:
        """What cannot be built is refused with `UsageError`, again and again, and is not found afterwards."""
        for _ in range(2):
            with pytest.raises(UsageError):
                builder.build(ask(impossible))
        assert builder.find(ask(impossible)) == ""

    @needs("makes_environments")
    def test_I07_alula_is_in_the_environment(
        self, builder: ImageBuilder, describe: Describe, ask: Callable[[ImageDescription], BuildRequest]
    ) -> None:
        """The Python of an environment runs, and has the kernel of Alula in it."""
        python = builder.build(ask(describe("one")))
        command = [python, "-I", "-c", "import alula_kernel.contracts; print('there')"]
        assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "there\n"
