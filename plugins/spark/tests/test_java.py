"""Which Java is taken, and which will not do; that the one from the package index does is in `test_example.py`."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from alula_kernel.errors import MissingDependencyError
from alula_spark.java import java_environment


def java_at(folder: Path, release: str) -> Path:
    program = folder / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\nprintf '%s\\n' \"$@\"\n")
    program.chmod(0o755)
    (folder / "release").write_text(release)
    return folder


def test_a_java_without_the_module_that_spark_asks_for_starts_without_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = java_at(tmp_path / "small java", 'JAVA_VERSION="21.0.8"\nMODULES="java.base java.sql"\n')
    monkeypatch.setenv("JAVA_HOME", str(home))
    variables = java_environment()
    arguments = ["-Dx=a b", "--add-modules=jdk.incubator.vector", "--add-modules=java.sql", "Main", "*", ""]
    printed = subprocess.run(
        [f"{variables['JAVA_HOME']}/bin/java", *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed.splitlines() == [arguments[0], *arguments[2:]]
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert java_environment() == {}, "tasks that a task calls find the same Java"


@pytest.mark.parametrize(
    "release", ['JAVA_VERSION="17.0.15"\nMODULES="java.base jdk.incubator.vector"\n', 'JAVA_VERSION="21"\n', ""]
)
def test_a_java_that_has_all_is_taken_as_it_is(release: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(java_at(tmp_path / "java", release)))
    assert java_environment() == {}


@pytest.mark.parametrize("version", ["1.8.0_402", "11.0.2"])
def test_a_java_that_is_too_old_is_refused(version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = java_at(tmp_path / "java", f'JAVA_VERSION="{version}"\n')
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", f"{home}/bin")
    with pytest.raises(MissingDependencyError, match=rf"17 or newer, and the Java in \S+ is {re.escape(version)}"):
        java_environment()


def test_a_java_home_without_java_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    with pytest.raises(MissingDependencyError, match="there is no bin/java"):
        java_environment()
