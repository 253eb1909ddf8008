"""Tasks with packages of their own, in one run of the process executor."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import alula
from alula import Image, ImageSpec, task, workflow

old = ImageSpec(name="old", packages=["tinylib==1.0"], pip_extra_args="{offline}", env={{"MODE": "old"}})
new = Image.from_debian_base(name="new").with_pip_packages("tinylib==2.0", extra_args="{offline}")


@task(container_image=old)
def first() -> str:
    import os

    import tinylib

    return tinylib.VERSION + os.environ["MODE"]


@task(container_image=new)
def second(before: str) -> str:
    import tinylib

    return before + " " + tinylib.VERSION


@task
def third(before: str) -> str:
    import importlib.util

    return before + " " + str(importlib.util.find_spec("tinylib"))


@workflow
def versions() -> str:
    return third(before=second(before=first()))


if __name__ == "__main__":
    runner = alula.with_runcontext(executor="process")
    print(runner.run(versions).result)
    print(runner.run(versions).result)
"""


def test_two_versions_in_one_run(offline: str, tmp_path: Path) -> None:
    (tmp_path / "versions.py").write_text(SCRIPT.format(offline=offline))
    command = [sys.executable, "versions.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.stdout == "1.0old 2.0 None\n" * 2, done.stderr
    assert done.stderr.count("alula: building the environment") == 2
