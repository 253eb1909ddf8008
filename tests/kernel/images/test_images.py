"""Descriptions of images: identity, encoding, and what counts."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from alula_kernel.errors import UsageError
from alula_kernel.images import (
    AptPackages,
    Commands,
    CondaPackages,
    CopiedFiles,
    DockerfileText,
    EnvVars,
    ImageDescription,
    Layer,
    PipPackages,
    Requirements,
    SecretMount,
    UvProject,
    UvScript,
    Workdir,
    decode_image,
    encode_image,
    image_digest,
)

LAYERS: tuple[Layer, ...] = (
    AptPackages(("git",)),
    CondaPackages(("libgdal",), ("conda-forge",)),
    PipPackages(packages=("numpy",), index_url="https://index.example/simple", prerelease=True),
    Requirements(content="pandas\n", constraints="pandas<3\n", name="r.txt"),
    UvProject(pyproject="[project]\n", lock="version = 1\n"),
    UvScript(metadata="# /// script\n# ///\n"),
    EnvVars({"A": "1", "B": "2"}),
    EnvVars({"B": "3"}),
    CopiedFiles("data", "data", "00ff", folder=True),
    Workdir("/srv"),
    Commands(("echo 1",)),
    DockerfileText("FROM scratch\n"),
)
WHOLE = ImageDescription(
    base="debian:12",
    python_version="3.12",
    layers=LAYERS,
    runtime_packages=("debugpy",),
    entrypoint=("python",),
    platforms=("linux/amd64", "linux/arm64"),
    registry="registry.example/team",
    name="train",
    builder="uv",
)


def test_a_description_comes_back_from_a_task_spec() -> None:
    assert decode_image(encode_image(WHOLE)) == WHOLE


@pytest.mark.parametrize(
    "reference", ["", "python:3.12", "registry.example/team/train:3", "{{.image.train.fqn}}:{{.image.train.version}}"]
)
def test_a_reference_is_no_description(reference: str) -> None:
    assert decode_image(reference) is None


def test_what_another_version_wrote_is_refused() -> None:
    with pytest.raises(UsageError, match=r"description of an image cannot be read") as caught:
        decode_image('{"layers":[{"layer":"hologram"}]}')
    assert "hologram" in str(caught.value)
    assert "another version" in caught.value.hint


def test_equal_descriptions_have_equal_encodings() -> None:
    empty = tuple(name for name in ("a",) if not name)  # not the same object as () on every Python
    one = ImageDescription(layers=(PipPackages(packages=("a",), extra_args=empty),), entrypoint=empty)
    other = ImageDescription(layers=(PipPackages(packages=("a",)),))
    assert one == other
    assert encode_image(one) == encode_image(other)
    assert image_digest(one) == image_digest(other)


def test_the_encoding_is_canonical() -> None:
    one = ImageDescription(layers=(EnvVars({"A": "1", "B": "2"}),))
    other = ImageDescription(layers=(EnvVars({"B": "2", "A": "1"}),))
    assert encode_image(one) == encode_image(other)
    assert image_digest(one) == image_digest(other)


@pytest.mark.parametrize(
    "other",
    [
        replace(WHOLE, base="debian:13"),
        replace(WHOLE, python_version="3.13"),
        replace(WHOLE, entrypoint=()),
        replace(WHOLE, platforms=()),
        replace(WHOLE, layers=LAYERS[::-1]),
        *(replace(WHOLE, layers=(*LAYERS[:n], *LAYERS[n + 1 :])) for n in range(len(LAYERS))),
    ],
)
def test_what_is_in_it_makes_another_image(other: ImageDescription) -> None:
    assert image_digest(other) != image_digest(WHOLE)


def test_who_builds_it_and_where_it_is_kept_do_not() -> None:
    secret = PipPackages(
        packages=("numpy",),
        index_url="https://index.example/simple",
        prerelease=True,
        secret_mounts=(SecretMount("netrc"),),
    )
    for other in (
        replace(WHOLE, registry="elsewhere", name="other"),
        replace(WHOLE, builder=""),
        replace(WHOLE, runtime_packages=()),
        replace(WHOLE, layers=(*LAYERS[:2], secret, *LAYERS[3:])),
    ):
        assert image_digest(other) == image_digest(WHOLE)


def test_the_reference_has_a_tag_of_the_content() -> None:
    assert WHOLE.reference == f"registry.example/team/train:{image_digest(WHOLE)[:20]}"
    assert ImageDescription().reference.startswith("alula:")


def test_later_variables_replace_earlier_ones() -> None:
    assert WHOLE.environment == {"A": "1", "B": "3"}


def test_packages_of_the_start_come_last() -> None:
    assert [type(layer).__name__ for layer in WHOLE.python_layers()] == [
        *("PipPackages", "Requirements", "UvProject", "UvScript"),
        "PipPackages",
    ]
