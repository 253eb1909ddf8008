"""``flyteplugins.spark``: what a job declares for its cluster."""

from __future__ import annotations

import dataclasses
from typing import Any

from ..flyte1 import spark as first

_FETCHED = ("spark.archives", "spark.files", "spark.jars", "spark.submit.pyFiles")
"""Properties whose values are lists of places."""

_ALWAYS_FETCHED = ("spark.jars.packages", "spark.jars.repositories")


@dataclasses.dataclass
class Spark(first.Spark):
    """Give a task a Spark session, as `alula_spark.Spark`.

    Flyte 2 gives its local runs no property. Here they all count, but what would be fetched from elsewhere for each task,
    such as connectors to the stores of a cluster, is left to clusters; ``ALULA_SPARK_CONF`` brings it back.
    """

    def to_custom(self) -> dict[str, Any]:
        """Return it as plain data."""
        found = super().to_custom()
        properties: dict[str, str] = found["properties"]
        far = {name: value for name, value in properties.items() if _is_far(name, value)}
        near = {name: value for name, value in properties.items() if name not in far}
        return {**found, "properties": near, "cluster_properties": far}


@dataclasses.dataclass
class Databricks(Spark, first.Databricks):
    """A job for Databricks, which runs here as one of `Spark`."""


def _is_far(name: str, value: str) -> bool:
    places = value.split(",") if name in _FETCHED else []
    return name in _ALWAYS_FETCHED or any("://" in place and not place.strip().startswith("file:") for place in places)
