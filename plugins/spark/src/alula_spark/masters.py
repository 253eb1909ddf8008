"""Where a job runs, and which properties follow from that."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping

import msgspec

from alula_kernel.errors import UsageError
from alula_kernel.quantities import parse_quantity
from alula_kernel.specs import TaskSpec

VARIABLE = "ALULA_SPARK_MASTER"
"""Environment variable with the master of tasks whose config names none; empty for this machine."""

CONF_VARIABLE = "ALULA_SPARK_CONF"
"""Environment variable with properties of this machine, as ``spark.jars= spark.driver.memory=2g``; they win."""

_LOOPBACK = "127.0.0.1"
_LOCAL = re.compile(r"local(\[(\*|\d+)(,\s*\d+)?\])?")
_STANDALONE = re.compile(r"spark://[^/\s]+")
_HEAP_OF_MEMORY = 0.6
_LEAST_HEAP_MIB = 512


def properties_of(task: TaskSpec) -> dict[str, str]:
    """Return all properties of the session of a task.

    Raises:
        UsageError: The master is of a form that is not supported, or a variable cannot be read.
    """
    declared = {**task.custom.get("properties", {}), **_own()}
    master = declared.get("spark.master") or os.environ.get(VARIABLE, "") or _local(task)
    if not _LOCAL.fullmatch(master) and not _STANDALONE.fullmatch(master):
        raise UsageError(
            f"task {task.id.name} runs on Spark, and its master is {master!r}",
            hint=f"Use local[*] or spark://host:7077, in {VARIABLE} or as spark.master in spark_conf.",
        )
    if not is_local(master):
        declared = {**task.custom.get("cluster_properties", {}), **declared}
    found = {"spark.app.name": task.id.name, **_memory(task), **declared, "spark.master": master}
    if is_here(master):
        # Spark would listen on the machine's address in the network.
        found = {"spark.driver.host": _LOOPBACK, "spark.driver.bindAddress": _LOOPBACK, **found}
    return {"spark.ui.enabled": "false", "spark.ui.showConsoleProgress": "false", **found}


def on_this_machine(task: TaskSpec) -> TaskSpec:
    """Return a task as its driver runs on this machine.

    Where `TaskSpec.custom` says so with ``cluster_resources``, its resources and its image are those of a cluster, and
    nothing is made of them where all of the job is here. ``cluster_properties`` are left out there too.

    Raises:
        UsageError: As `properties_of`.
    """
    if not is_local(properties_of(task)["spark.master"]) or not task.custom.get("cluster_resources"):
        return task
    return msgspec.structs.replace(task, resources=None, image="")


def is_local(master: str) -> bool:
    """Tell whether executors are threads of the driver."""
    return master.startswith("local")


def is_here(master: str) -> bool:
    """Tell whether everything runs on this machine."""
    return is_local(master) or master.startswith((f"spark://{_LOOPBACK}:", "spark://localhost:"))


def submit_arguments(properties: Mapping[str, str]) -> str:
    """Return the properties as PySpark takes them from the environment, for each way to make a session."""
    import shlex

    words = [word for name, value in properties.items() for word in ("--conf", f"{name}={value}")]
    return shlex.join([*words, "pyspark-shell"])


def _own() -> dict[str, str]:
    import shlex

    found = {}
    for word in shlex.split(os.environ.get(CONF_VARIABLE, "")):
        name, equals, value = word.partition("=")
        if not equals or not name.startswith("spark."):
            raise UsageError(
                f"{CONF_VARIABLE} has the word {word!r}, which is no property of Spark",
                hint=f'Write properties with spaces between them: {CONF_VARIABLE}="spark.driver.memory=2g spark.jars="',
            )
        found[name] = value
    return found


def _local(task: TaskSpec) -> str:
    asked = _asked(task, "cpu")
    return f"local[{max(math.ceil(parse_quantity(asked)), 1)}]" if asked else "local[*]"


def _memory(task: TaskSpec) -> dict[str, str]:
    """Return how much of the task's memory is Java's; the rest is for Python and what Java needs besides."""
    asked = _asked(task, "memory")
    if not asked:
        return {}
    mib = int(parse_quantity(asked) * _HEAP_OF_MEMORY / 2**20)
    return {"spark.driver.memory": f"{max(mib, _LEAST_HEAP_MIB)}m"}


def _asked(task: TaskSpec, name: str) -> str:
    resources = task.resources
    return resources.limits.get(name) or resources.requests.get(name) or "" if resources is not None else ""
