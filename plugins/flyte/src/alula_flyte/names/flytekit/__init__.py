"""The tables of ``flytekit``, by its submodules."""

from __future__ import annotations

from ...rows import Row, Table, missing
from . import clusters, core, exceptions, extending, types
from .shared import INTERNAL, NO_CLUSTER, NO_REMOTE

MODULES: dict[str, Table] = {
    **core.MODULES,
    **types.MODULES,
    **exceptions.MODULES,
    **extending.MODULES,
    **clusters.MODULES,
}
"""The rows of each module."""

for _alias, _of in {
    "flytekit.remote.remote": "flytekit.remote",
    "flytekit.remote.executions": "flytekit.remote",
    "flytekit.remote.entities": "flytekit.remote",
    "flytekit.extras.sqlite3": "flytekit.extras.sqlite3.task",
    "flytekit.extras.tasks": "flytekit.extras.tasks.shell",
    "flytekit.extras.webhook.task": "flytekit.extras.webhook",
    "flytekit.sensor.sensor_engine": "flytekit.sensor",
}.items():
    MODULES[_alias] = MODULES[_of]

MISSING_MODULES: dict[str, Row] = {
    "flytekit.bin": missing("it is what runs in Flyte's containers"),
    "flytekit.clients": missing(NO_REMOTE),
    "flytekit.clis": missing("only pyflyte run is there", "`alula flyte run` takes its options."),
    "flytekit.extend": missing(INTERNAL, "See 'Write a plugin' in the documentation."),
    "flytekit.interactive": missing(
        "it opens an editor in a container of a cluster", "Run the program in an editor here."
    ),
    "flytekit.interfaces": missing(INTERNAL),
    "flytekit.models": missing(NO_CLUSTER),
    "flytekit.tools": missing(INTERNAL),
}
"""Modules that are missing as a whole."""
