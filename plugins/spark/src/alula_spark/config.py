"""The config of a Spark task."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from alula_kernel.errors import UsageError


@dataclasses.dataclass
class Spark:
    """Give a task a Spark session of its own: ``@alula.task(task_config=Spark(spark_conf={...}))``.

    Attributes:
        spark_conf: Properties of Spark, as ``{"spark.sql.shuffle.partitions": "8"}``; they always count, also on this
            machine. ``spark.master`` says where the job runs.
        hadoop_conf: Properties of Hadoop, without the prefix ``spark.hadoop.``.
        executor_path: The Python of the executors; None for that of the task on this machine, else ``python3``.
        applications_path: The main program of a job on a cluster of Kubernetes; there is none on this machine.
        driver_pod: Pod of the driver on Kubernetes; means nothing on this machine.
        executor_pod: Pods of the executors on Kubernetes; mean nothing on this machine.

    Raises:
        UsageError: A field has no form that Spark could use.
    """

    spark_conf: dict[str, str] | None = None
    hadoop_conf: dict[str, str] | None = None
    executor_path: str | None = None
    applications_path: str | None = None
    driver_pod: Any = None
    executor_pod: Any = None

    def __post_init__(self) -> None:
        for name in ("spark_conf", "hadoop_conf"):
            value = getattr(self, name)
            setattr(self, name, {} if value is None else value)
        self.properties()

    def properties(self) -> dict[str, str]:
        """Return the properties of Spark and Hadoop, as Spark wants them.

        Raises:
            UsageError: One is no plain value, or its name is none of Spark's.
        """
        found = _texts(self.spark_conf, "spark_conf")
        for name in found:
            if not name.startswith("spark."):
                raise UsageError(
                    f"spark_conf of Spark has the property {name!r}, and names of Spark's properties begin with spark.",
                    hint="Properties of Hadoop go to hadoop_conf.",
                )
        hadoop = _texts(self.hadoop_conf, "hadoop_conf")
        return {**found, **{f"spark.hadoop.{name.removeprefix('spark.hadoop.')}": hadoop[name] for name in hadoop}}

    def to_custom(self) -> dict[str, Any]:
        """Return it as plain data, for `TaskSpec.custom`; fields that say nothing are left out."""
        found: dict[str, Any] = {"properties": self.properties()}
        if self.executor_path:
            found["executor_path"] = self.executor_path
        if self.applications_path:
            found["applications_path"] = self.applications_path
        return found


def _texts(conf: Any, field: str) -> dict[str, str]:
    if not isinstance(conf, Mapping):
        raise UsageError(f"{field} of Spark must be a dictionary, found {type(conf).__qualname__}")
    return {str(name): _text(value, f"{field}[{name!r}]") for name, value in conf.items()}


def _text(value: object, where: str) -> str:
    if isinstance(value, bool):
        return str(value).lower()  # as Spark spells it
    if isinstance(value, (str, int, float)):
        return str(value)
    raise UsageError(f"{where} of Spark must be a text, a number or a truth value, found {type(value).__qualname__}")
