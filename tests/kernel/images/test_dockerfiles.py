"""Dockerfiles, compared with files that were read by a person."""

from __future__ import annotations

from pathlib import Path

import pytest

from alula_kernel.dockerfiles import dockerfile
from alula_kernel.errors import UsageError
from alula_kernel.images import (
    AptPackages,
    Commands,
    CondaPackages,
    CopiedFiles,
    DockerfileText,
    EnvVars,
    ImageDescription,
    PipPackages,
    Requirements,
    SecretMount,
    UvProject,
    UvScript,
    Workdir,
)

GOLDEN = Path(__file__).parent / "golden"

IMAGES = {
    "plain": ImageDescription(python_version="3.12"),
    "everything": ImageDescription(
        python_version="3.12",
        platforms=("linux/amd64",),
        registry="registry.example/team",
        name="train",
        layers=(
            AptPackages(("git", "libgomp1")),
            PipPackages(
                packages=("numpy>=2,<3", "pandas"),
                index_url="https://index.example/simple",
                extra_index_urls=("https://more.example/simple",),
                prerelease=True,
                extra_args=("--no-binary", "pandas"),
                secret_mounts=(SecretMount("netrc", target="/root/.netrc"), SecretMount("TOKEN", env_var="TOKEN")),
            ),
            Requirements(content="scipy\nEOF\n", constraints="scipy<2\n"),
            UvProject(pyproject='[project]\nname = "x"\n', lock="version = 1\n"),
            UvProject(pyproject='[project]\nname = "unlocked"\n'),
            UvScript(metadata='# /// script\n# dependencies = ["httpx"]\n# ///\n'),
            EnvVars({"MODE": 'a "b" $c \\d'}),
            Workdir("/srv/app"),
            CopiedFiles("my data", "./data", "00ff", folder=True),
            Commands(("python -m compileall .", "touch /srv/ready")),
        ),
        entrypoint=("python", "-m", "app"),
    ),
    "based": ImageDescription(base="nvidia/cuda:12.4.1-cudnn-runtime-ubuntu22.04", name="cuda"),
    "conda": ImageDescription(
        python_version="3.11",
        layers=(CondaPackages(("gdal>=3",), ("conda-forge", "bioconda")), PipPackages(packages=("rasterio",))),
    ),
}


@pytest.mark.parametrize("name", IMAGES)
def test_the_text_is_the_golden_one(name: str) -> None:
    assert dockerfile(IMAGES[name], "0.1.0") == (GOLDEN / f"{name}.Dockerfile").read_text(encoding="utf-8")


def test_without_alula() -> None:
    text = dockerfile(IMAGES["everything"], "")
    assert "alula==" not in text


def test_a_dockerfile_of_the_authors_stays_as_it_is() -> None:
    text = "FROM scratch\nCOPY a b\n"
    assert dockerfile(ImageDescription(layers=(DockerfileText(text),)), "0.1.0") == text


def test_nothing_is_added_to_a_dockerfile_of_the_authors() -> None:
    layers = (DockerfileText("FROM scratch\n"), AptPackages(("git",)))
    with pytest.raises(UsageError, match="'mine' has a Dockerfile of its own and other layers"):
        dockerfile(ImageDescription(name="mine", layers=layers), "0.1.0")
