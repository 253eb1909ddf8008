"""``alula image``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Answer, Write

Run = Callable[..., Answer]

SCRIPT = """
from alula import Image, task, workflow

small = Image.from_debian_base(name="small").with_commands(["python -c 1"])


@task(container_image=small)
def one() -> int:
    return 1


@task(container_image=small.clone(name="other").with_env_vars({"A": "1"}))
def two(x: int) -> int:
    return x


@task
def plain(x: int) -> int:
    return x


@workflow
def same() -> int:
    return plain(x=one())


@workflow
def both() -> int:
    return two(x=one())
"""


@pytest.fixture
def script(write: Write) -> str:
    return str(write("images.py", SCRIPT))


def test_the_dockerfile_of_a_task_or_of_a_workflow_with_one_image(alula: Run, script: str, folder: Path) -> None:
    answer = alula("image", "dockerfile", script, "one")
    assert answer.code == 0
    assert "RUN python -c 1\n" in answer.out
    assert alula("image", "dockerfile", script, "same").out == answer.out
    assert alula("image", "dockerfile", script, "one", "-o", "Dockerfile") == (0, "", "")
    assert (folder / "Dockerfile").read_text() == answer.out


def test_a_dockerfile_is_of_one_image(alula: Run, script: str) -> None:
    answer = alula("image", "dockerfile", script, "both")
    assert answer.code == 2
    assert "the tasks of 'both' have 2 images: other of images.two, small of images.one" in answer.err


@pytest.mark.parametrize("command", ["dockerfile", "build"])
def test_a_task_without_an_image(alula: Run, script: str, command: str) -> None:
    answer = alula("image", command, script, "plain")
    assert answer.code == 2
    assert "no task of plain has an image that is described" in answer.err


def test_a_dockerfile_that_cannot_be_written(alula: Run, script: str) -> None:
    answer = alula("image", "dockerfile", script, "one", "-o", "no/such/folder")
    assert answer.code == 2
    assert "cannot write no/such/folder" in answer.err


def test_environments_are_built_listed_and_removed(alula: Run, script: str, alula_home: Path) -> None:
    assert alula("image", "list") == (0, "", "no environment has been built\n")
    built = alula("image", "build", script)
    assert built.code == 0, built.err
    pythons = [Path(line) for line in built.out.splitlines()]
    assert len(set(pythons)) == 2  # the variable may change what the command does
    assert all(os.access(python, os.X_OK) for python in pythons)
    assert "building the environment of image 'small'" in built.err
    assert alula("image", "build", script, "one") == (0, f"{pythons[0]}\n", "")

    listed = alula("image", "list").out
    assert [line.split()[:3] for line in listed.splitlines()[1:]] == [
        [python.parents[1].name[:12], name, sys.version.split()[0]]
        for python, name in sorted(
            zip(pythons, ("small", "other"), strict=True),
            key=lambda each: (each[0].parents[1] / "alula-environment.json").stat().st_mtime,
            reverse=True,
        )
    ]
    documents = json.loads(alula("image", "list", "--output", "json").out)
    assert {document["name"] for document in documents} == {"small", "other"}
    assert all(document["complete"] for document in documents)

    assert alula("image", "prune").err == "removed 0 environments\n"
    os.utime(pythons[0].parents[1] / "alula-environment.json", (0, 0))
    assert alula("image", "prune").err == "removed 1 environment\n"
    assert not pythons[0].exists()
    (pythons[1].parents[1] / "alula-environment.json").unlink()  # as after a build that was killed
    assert "(not complete)" in alula("image", "list").out
    assert alula("image", "prune").err == "removed 1 environment\n"
    assert alula("image", "list").err == "no environment has been built\n"


def test_all_environments_are_removed(alula: Run, script: str) -> None:
    assert alula("image", "build", script, "one").code == 0
    assert alula("image", "prune", "--all").err == "removed 1 environment\n"
